//! `atoll web` as a user runs it: what it answers ([`sites`]), what it refuses
//! ([`refusals`]), how it proves itself ([`tls`]), and what signals, other programs and
//! the death of workers do to the requests under way ([`signals`]).
//!
//! Every server has a service manager in the test, which it tells how it is: so nothing
//! here waits for a time to pass.

mod refusals;
mod signals;
mod sites;
mod tls;

use crate::{LIMIT, await_that, binary};
use harness::process::{Process, Signal, signal};
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A folder to serve, and where a server is told of.
pub struct Place {
    top: tempfile::TempDir,
}

impl Place {
    pub fn new() -> Self {
        let top = tempfile::tempdir().unwrap();
        fs::create_dir(top.path().join("www")).unwrap();
        let place = Self { top };
        place.write("www/a.txt", "hello\n");
        place
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.top.path().join(name)
    }

    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.at(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.at(name)).unwrap_or_default()
    }

    /// Serves `www` as `flags` say, on a free port.
    pub fn serve(&self, flags: &[&str]) -> Web {
        let mut command = Command::new(binary());
        command.arg("web").arg(self.at("www"));
        command.args(["--listen", "127.0.0.1:0"]).args(flags);
        self.start(command)
    }

    /// Serves what the file `web.yaml` says.
    fn serve_file(&self, text: &str) -> Web {
        self.write("web.yaml", text);
        let mut command = Command::new(binary());
        command.args(["web", "--config"]).arg(self.at("web.yaml"));
        self.start(command)
    }

    /// Starts a server and waits until it serves.
    fn start(&self, command: Command) -> Web {
        self.start_with(command, Stdio::null())
    }

    /// The same with something for its standard input.
    fn start_with(&self, mut command: Command, input: Stdio) -> Web {
        // One that has ended may have left them.
        for name in ["notify", "log"] {
            let _ = fs::remove_file(self.at(name));
        }
        let notices = UnixDatagram::bind(self.at("notify")).unwrap();
        notices.set_read_timeout(Some(LIMIT)).unwrap();
        command.env("NOTIFY_SOCKET", self.at("notify"));
        let log = self.at("log");
        let process = Process::start_with("web", &mut command, input, &log).unwrap();
        let web = Web {
            pid: process.id(),
            process: Some(process),
            notices,
            log,
        };
        web.told("READY=1");
        web
    }
}

/// A server that runs. Whoever serves is killed when it is dropped.
pub struct Web {
    process: Option<Process>,
    /// Who serves now.
    pid: u32,
    notices: UnixDatagram,
    log: PathBuf,
}

impl Web {
    /// Waits for a notice that begins with `wanted`, and gives the rest.
    fn told(&self, wanted: &str) -> String {
        let mut buffer = [0; 256];
        loop {
            let length = self.notices.recv(&mut buffer).unwrap_or_else(|error| {
                let log = fs::read_to_string(&self.log).unwrap_or_default();
                panic!("it does not say {wanted}: {error}; it printed: {log}")
            });
            let notice = std::str::from_utf8(&buffer[..length]).unwrap();
            if let Some(rest) = notice.strip_prefix(wanted) {
                return rest.to_owned();
            }
        }
    }

    /// Where it says that it is.
    fn addresses(&self) -> Vec<SocketAddr> {
        let printed = fs::read_to_string(&self.log).unwrap();
        let urls = printed.lines().filter_map(|line| {
            let (_, url) = line.strip_prefix("atoll: http")?.split_once("://")?;
            url.split('/').next()
        });
        urls.map(|address| address.parse().unwrap()).collect()
    }

    pub fn address(&self) -> SocketAddr {
        self.addresses()[0]
    }

    fn signal(&self, wanted: Signal) {
        signal(self.pid, wanted).unwrap();
    }

    /// Sends `request`, which ends its connection, and gives all that comes back.
    fn ask(&self, request: &str) -> String {
        let mut answer = String::new();
        let mut stream = connect(self.address());
        stream.write_all(request.as_bytes()).unwrap();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// Asks for `target` with more lines of the head.
    fn get_with(&self, target: &str, lines: &str) -> String {
        self.ask(&format!(
            "GET {target} HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n{lines}\r\n"
        ))
    }

    fn get(&self, target: &str) -> String {
        self.get_with(target, "")
    }

    /// What it printed.
    pub fn printed(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Ends it in order; what it printed.
    fn stop(mut self) -> String {
        self.signal(Signal::TERM);
        let process = self.process.take().unwrap();
        process.succeed(LIMIT).unwrap();
        self.printed()
    }

    /// Lets the program on the disk take over, and waits until the one before has
    /// ended.
    fn upgrade(&mut self) {
        self.signal(Signal::USR2);
        self.pid = self.told("MAINPID=").parse().unwrap();
        self.process.take().unwrap().succeed(LIMIT).unwrap();
    }

    /// Ends what has taken over.
    fn stop_heir(self) {
        let address = self.address();
        self.signal(Signal::TERM);
        await_that("the end of the heir", || {
            TcpStream::connect(address).is_err()
        });
    }

    /// Processes that are workers, by the status page at `/-/status`.
    fn workers(&self) -> Vec<u32> {
        let page = self.get("/-/status");
        let parts = page.split(": process ").skip(1);
        parts
            .map(|part| part.split(',').next().unwrap().parse().unwrap())
            .collect()
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        if self.process.is_none() {
            // It may have ended already.
            let _ = signal(self.pid, Signal::KILL);
        }
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    // Only against a test that would hang.
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream
}

#[track_caller]
fn expect(answer: &str, status: &str, parts: &[&str]) {
    assert!(
        answer.starts_with(&format!("HTTP/1.1 {status} ")),
        "{answer}"
    );
    for part in parts {
        assert!(answer.contains(part), "{part:?} is not in {answer}");
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
