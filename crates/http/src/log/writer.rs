//! The thread that writes a log, and the hands that give it whole records.
//!
//! 1. An event loop appends records to its own buffer ([`Lines`]) and hands the
//!    buffer over once per turn, or when it is full.
//! 2. The channel is bounded. When it is full the buffer's records are dropped
//!    and counted: a slow disk must not slow answers.
//! 3. The thread writes each buffer by one `write(2)` at the end of the file
//!    (`O_APPEND`), so that records of several processes never mix, and gives
//!    the buffer back for use.
//!
//! Order is kept per [`Lines`]. What the records say is not known here.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::mem;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{
    Receiver, RecvTimeoutError, Sender, SyncSender, TrySendError, channel, sync_channel,
};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// A log that is being written.
#[derive(Debug)]
pub struct Log {
    sender: SyncSender<Message>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// A place to put records; one per event loop or thread. Dropping it hands over
/// what is in it.
#[derive(Debug)]
pub struct Lines {
    buffer: Vec<u8>,
    records: u64,
    sender: SyncSender<Message>,
    shared: Arc<Shared>,
}

/// Where a log goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The end of a file, which is made if need be (mode 0640).
    File(PathBuf),
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Why a log cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The file cannot be opened.
    #[error("cannot open the log {path} for appending: {source}")]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is no thread to write it.
    #[error("cannot start the thread that writes the log: {0}")]
    Thread(io::Error),
    /// The thread has ended.
    #[error("the log is no longer written: its thread has ended")]
    Ended,
    /// The thread is behind by more than is waited for.
    #[error("the log is behind, because its disk is too slow: try again")]
    Behind,
}

/// What goes wrong while a log is written. Told rarely: at the first record, and
/// each time that the number has doubled.
#[derive(Debug)]
pub enum Trouble {
    /// So many records were dropped up to now, because they came faster than
    /// they could be written.
    Dropped(u64),
    /// So many records were lost up to now, because writing failed.
    Failed(u64, io::Error),
}

/// What became of the records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LogStats {
    /// Written.
    pub written: u64,
    /// Dropped, because the channel was full.
    pub dropped: u64,
    /// Lost, because writing failed.
    pub failed: u64,
}

#[derive(Debug)]
enum Message {
    Records { bytes: Vec<u8>, count: u64 },
    Reopen(Sender<Result<(), LogError>>),
    Flush(Sender<()>),
    Wake,
}

#[derive(Debug, Default)]
struct Shared {
    written: AtomicU64,
    dropped: AtomicU64,
    failed: AtomicU64,
    /// Nothing more is waited for once the channel is empty.
    is_stopping: AtomicBool,
    has_ended: Mutex<bool>,
    ending: Condvar,
    /// Buffers to be used again.
    spare: Mutex<Vec<Vec<u8>>>,
}

/// Says that the thread has ended, however it did.
struct EndOfThread(Arc<Shared>);

/// The side of the thread.
struct Writer<F> {
    target: Target,
    output: Output,
    shared: Arc<Shared>,
    report: F,
    /// Told at these numbers next.
    next_dropped: u64,
    next_failed: u64,
    /// The last write ended within a record.
    is_torn: bool,
}

enum Output {
    File(File),
    Stdout,
    Stderr,
}

/// A buffer of this size is handed over at once.
const FULL_BUFFER: usize = 32 << 10;

/// How many buffers may wait: 8 MiB of records, a second of a very busy server.
const QUEUE: usize = 256;

/// How long somebody waits for the thread who said nothing else: long for a
/// disk, short for a person.
const WAIT: Duration = Duration::from_secs(5);

impl Log {
    /// Opens the log and starts its thread. `report` is called there.
    pub fn open(
        target: Target,
        report: impl FnMut(Trouble) + Send + 'static,
    ) -> Result<Self, LogError> {
        let (sender, receiver) = sync_channel(QUEUE);
        let shared = Arc::new(Shared::default());
        let mut writer = Writer {
            output: target.open()?,
            target,
            shared: Arc::clone(&shared),
            report,
            next_dropped: 1,
            next_failed: 1,
            is_torn: false,
        };
        let thread = std::thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || {
                let _end = EndOfThread(Arc::clone(&writer.shared));
                writer.run(&receiver);
            })
            .map_err(LogError::Thread)?;
        Ok(Self {
            sender,
            shared,
            thread: Some(thread),
        })
    }

    /// A new place to put records.
    pub fn lines(&self) -> Lines {
        Lines {
            buffer: Vec::new(),
            records: 0,
            sender: self.sender.clone(),
            shared: Arc::clone(&self.shared),
        }
    }

    /// Opens the file anew, after it was renamed. What was handed over before
    /// goes to the old file; on an error everything goes on going there.
    pub fn reopen(&self) -> Result<(), LogError> {
        self.ask(Message::Reopen)?
    }

    /// Waits until everything that was handed over is written.
    pub fn flush(&self) -> Result<(), LogError> {
        self.ask(Message::Flush)
    }

    /// What became of the records up to now.
    pub fn stats(&self) -> LogStats {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        LogStats {
            written: read(&self.shared.written),
            dropped: read(&self.shared.dropped),
            failed: read(&self.shared.failed),
        }
    }

    /// Writes what was handed over, and ends the thread; dropping does the same.
    /// Records that come later are dropped. A thread that is not done within
    /// `wait` is left to itself, so that a disk that hangs does not hang its server.
    pub fn close(mut self, wait: Duration) -> LogStats {
        self.stop(wait);
        self.stats()
    }

    /// Sends a message that is answered, and waits for the answer.
    fn ask<T>(&self, message: impl FnOnce(Sender<T>) -> Message) -> Result<T, LogError> {
        let (answer, answered) = channel();
        let sent = self.sender.try_send(message(answer));
        sent.map_err(|error| match error {
            TrySendError::Full(_) => LogError::Behind,
            TrySendError::Disconnected(_) => LogError::Ended,
        })?;
        answered.recv_timeout(WAIT).map_err(|error| match error {
            RecvTimeoutError::Timeout => LogError::Behind,
            RecvTimeoutError::Disconnected => LogError::Ended,
        })
    }

    fn stop(&mut self, wait: Duration) {
        let Some(thread) = self.thread.take() else {
            return;
        };
        self.shared.is_stopping.store(true, Ordering::Release);
        // It only wakes a thread that waits. When the channel is full or closed
        // there is none.
        let _ = self.sender.try_send(Message::Wake);
        if self.shared.wait_for_end(wait) {
            // A panic was told by the thread itself.
            let _ = thread.join();
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.stop(WAIT);
    }
}

impl Lines {
    /// Takes one record: `write` appends it, with its line end.
    pub fn record(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.buffer);
        self.records += 1;
        if self.buffer.len() >= FULL_BUFFER {
            self.hand_over();
        }
    }

    /// Hands over what is in it, without waiting; to be called once per turn of
    /// an event loop.
    pub fn hand_over(&mut self) {
        if self.records == 0 {
            return;
        }
        let spare = self.shared.spare().pop().unwrap_or_default();
        let bytes = mem::replace(&mut self.buffer, spare);
        let count = mem::take(&mut self.records);
        match self.sender.try_send(Message::Records { bytes, count }) {
            Ok(()) => {}
            Err(TrySendError::Full(message) | TrySendError::Disconnected(message)) => {
                self.shared.dropped.fetch_add(count, Ordering::Relaxed);
                if let Message::Records { bytes, .. } = message {
                    self.shared.put_back(bytes);
                }
            }
        }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.hand_over();
    }
}

impl Target {
    fn open(&self) -> Result<Output, LogError> {
        match self {
            Self::Stdout => Ok(Output::Stdout),
            Self::Stderr => Ok(Output::Stderr),
            Self::File(path) => OpenOptions::new()
                .append(true)
                .create(true)
                .mode(0o640)
                .open(path)
                .map(Output::File)
                .map_err(|source| LogError::Open {
                    path: path.clone(),
                    source,
                }),
        }
    }
}

impl Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.write(bytes),
            // Not through the buffers of the standard library, which split lines.
            Self::Stdout => Ok(rustix::io::write(io::stdout(), bytes)?),
            Self::Stderr => Ok(rustix::io::write(io::stderr(), bytes)?),
        }
    }
}

impl Drop for EndOfThread {
    fn drop(&mut self) {
        *self.0.has_ended() = true;
        self.0.ending.notify_all();
    }
}

impl Shared {
    fn has_ended(&self) -> MutexGuard<'_, bool> {
        self.has_ended
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the thread ended within `wait`.
    fn wait_for_end(&self, wait: Duration) -> bool {
        let waited = self
            .ending
            .wait_timeout_while(self.has_ended(), wait, |ended| !*ended);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }

    fn spare(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps an emptied buffer, unless it has grown beyond what is usual or
    /// there are enough.
    fn put_back(&self, mut bytes: Vec<u8>) {
        bytes.clear();
        let mut spare = self.spare();
        if spare.len() < QUEUE && bytes.capacity() <= 4 * FULL_BUFFER {
            spare.push(bytes);
        }
    }
}

impl<F: FnMut(Trouble)> Writer<F> {
    fn run(&mut self, receiver: &Receiver<Message>) {
        while let Some(message) = self.next(receiver) {
            match message {
                Message::Records { bytes, count } => {
                    self.write(&bytes, count);
                    self.shared.put_back(bytes);
                    self.report_dropped();
                }
                // Who asked may have gone.
                Message::Reopen(answer) => drop(answer.send(self.reopen())),
                Message::Flush(answer) => drop(answer.send(())),
                Message::Wake => {}
            }
        }
        self.report_dropped();
    }

    /// Waits for a message, but not once the log is stopping.
    fn next(&self, receiver: &Receiver<Message>) -> Option<Message> {
        match self.shared.is_stopping.load(Ordering::Acquire) {
            true => receiver.try_recv().ok(),
            false => receiver.recv().ok(),
        }
    }

    fn reopen(&mut self) -> Result<(), LogError> {
        self.output = self.target.open()?;
        self.is_torn = false;
        Ok(())
    }

    /// Writes whole records. What could not be written is lost; a record that
    /// was written in part is ended, so that the next one is whole.
    fn write(&mut self, bytes: &[u8], count: u64) {
        let end: &[u8] = if self.is_torn { b"\n" } else { b"" };
        let result = match self.write_all(end) {
            Ok(()) => self.write_all(bytes),
            Err((_, error)) => Err((bytes, error)),
        };
        match result {
            Ok(()) => {
                self.is_torn = false;
                self.shared.written.fetch_add(count, Ordering::Relaxed);
            }
            Err((rest, error)) => {
                let written = &bytes[..bytes.len() - rest.len()];
                self.is_torn = match written.last() {
                    Some(last) => *last != b'\n',
                    None => self.is_torn,
                };
                let lost = rest.iter().filter(|byte| **byte == b'\n').count() as u64;
                self.shared
                    .written
                    .fetch_add(count.saturating_sub(lost), Ordering::Relaxed);
                self.report_failed(lost, error);
            }
        }
    }

    /// On an error also what was not written.
    fn write_all<'b>(&mut self, mut bytes: &'b [u8]) -> Result<(), (&'b [u8], io::Error)> {
        while !bytes.is_empty() {
            match self.output.write(bytes) {
                Ok(0) => return Err((bytes, io::ErrorKind::WriteZero.into())),
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err((bytes, error)),
            }
        }
        Ok(())
    }

    fn report_dropped(&mut self) {
        let dropped = self.shared.dropped.load(Ordering::Relaxed);
        if dropped >= self.next_dropped {
            self.next_dropped = dropped.saturating_mul(2);
            (self.report)(Trouble::Dropped(dropped));
        }
    }

    fn report_failed(&mut self, lost: u64, error: io::Error) {
        let failed = self.shared.failed.fetch_add(lost, Ordering::Relaxed) + lost;
        if failed >= self.next_failed {
            self.next_failed = failed.saturating_mul(2);
            (self.report)(Trouble::Failed(failed, error));
        }
    }
}
