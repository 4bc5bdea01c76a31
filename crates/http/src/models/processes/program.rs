//! The program that a master keeps running, as the master sees it: how it is
//! started, and what it wants to be asked and told.

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// The program that a master runs.
pub struct Program {
    /// Starts it as a worker.
    pub worker: Box<dyn Fn() -> Command>,
    /// Starts it as it lies on the disk now, to take over.
    pub successor: Box<dyn Fn() -> Command>,
    /// Whether its configuration is good, before the first workers start and before
    /// they are replaced by new ones: what those are given after the extras (the
    /// configuration itself, so that one who starts later has the same); or what is
    /// wrong with it.
    pub check: Box<dyn FnMut() -> Result<Vec<OwnedFd>, String>>,
    /// Called once, when as many workers serve as there must be at least.
    pub ready: Box<dyn FnMut()>,
    /// Opens the master's own logs again.
    pub reopen_logs: Box<dyn FnMut()>,
    /// Every worker is given a copy of these; a socket for datagrams, for instance.
    pub extras: Vec<OwnedFd>,
    /// Each worker stays on one processor.
    pub is_pinned: bool,
}

impl Program {
    /// This program with these arguments: workers are what runs now, whatever lies
    /// on the disk meanwhile.
    ///
    /// # Errors
    /// It is not known where the program lies.
    pub fn itself() -> io::Result<Self> {
        let path = std::env::current_exe()?;
        let arguments: Vec<_> = std::env::args_os().collect();
        let start = move |program: &std::path::Path| {
            let mut command = Command::new(program);
            let mut arguments = arguments.iter();
            // What a list of processes shows.
            if let Some(name) = arguments.next() {
                command.arg0(name);
            }
            command.args(arguments);
            command
        };
        let again = start.clone();
        Ok(Self {
            worker: Box::new(move || start("/proc/self/exe".as_ref())),
            successor: Box::new(move || again(&path)),
            check: Box::new(|| Ok(Vec::new())),
            ready: Box::new(|| {}),
            reopen_logs: Box::new(|| {}),
            extras: Vec::new(),
            is_pinned: false,
        })
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Program").finish_non_exhaustive()
    }
}
