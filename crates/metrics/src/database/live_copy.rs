//! A copy of all samples as JSON Lines, appended as they come: for whoever wants to read
//! along with a text tool.
//!
//! It follows the log, so it never holds anyone up. It is a convenience and no backup: what
//! comes while it cannot be written is told and left out, and so is what came before this
//! start. The file is renamed to `metrics.jsonl.1` when it is full, in place of the one that
//! was there.

use super::Database;
use super::follow::Follower;
use crate::chunk::Sample;
use crate::eval::Labels;
use crate::ingest::jsonl;
use crate::log::{Record, decode};
use hashbrown::HashMap;
use std::fs::{File, OpenOptions, rename};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use store::log::{Follow, Followed};

/// Length at which the file is renamed: two of them take no more than this twice.
const FILE_BYTES: u64 = 256 << 20;

/// Bytes that are put together before they are written.
const PIECE_BYTES: usize = 1 << 20;

/// The thread that writes the copy. It ends when the store is closed.
pub struct LiveCopy {
    thread: Option<JoinHandle<()>>,
}

struct Copier {
    database: std::sync::Weak<Database>,
    path: PathBuf,
    file: File,
    bytes: u64,
    series: HashMap<u32, Labels>,
    text: String,
}

impl LiveCopy {
    /// Appends to the file at `path` what `database` takes from now on.
    ///
    /// # Errors
    /// The file cannot be opened, or there is no thread.
    pub fn start(database: &Arc<Database>, path: &Path) -> io::Result<Self> {
        let (file, bytes) = open(path)?;
        let copier = Copier {
            database: Arc::downgrade(database),
            path: path.to_owned(),
            file,
            bytes,
            series: HashMap::new(),
            text: String::new(),
        };
        // Series are told from the start of a generation on; samples before now are passed.
        let from = database.acknowledged();
        let follower = database.follow(database.generation_start());
        let thread = std::thread::Builder::new().name("metrics copy".to_owned());
        let thread = thread.spawn(move || copier.run(follower, from))?;
        Ok(Self {
            thread: Some(thread),
        })
    }
}

impl Drop for LiveCopy {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            // If it panicked, that was told where it happened.
            let _ = thread.join();
        }
    }
}

impl Copier {
    fn run(mut self, mut follower: Follower, from: u64) {
        loop {
            match follower.next() {
                Ok(Followed::Entries(entries)) => {
                    for entry in entries {
                        self.take(&entry.bytes, entry.index > from);
                    }
                    self.write();
                }
                Ok(Followed::Compacted { .. }) => {
                    tracing::warn!("the live copy of metrics was too slow: samples are missing");
                    let Some(database) = self.database.upgrade() else {
                        return;
                    };
                    follower = database.follow(database.generation_start());
                }
                Ok(Followed::Closed) => return,
                Err(error) => {
                    return tracing::error!("the live copy of metrics ends: {error}");
                }
            }
        }
    }

    fn take(&mut self, entry: &[u8], is_new: bool) {
        for record in decode(entry) {
            match record {
                Ok(Record::Series { number, labels }) => {
                    if let Some(labels) = Labels::from_bytes(labels) {
                        self.series.insert(number, labels);
                    }
                }
                Ok(Record::Sample { number, sample }) if is_new => self.copy(number, sample),
                Ok(_) => {}
                // A start would fail at it, and says more.
                Err(error) => return tracing::error!("the live copy of metrics: {error}"),
            }
            if self.text.len() >= PIECE_BYTES {
                self.write();
            }
        }
    }

    fn copy(&mut self, number: u32, sample: Sample) {
        if let Some(labels) = self.series.get(&number) {
            jsonl::write(&mut self.text, labels.iter(), &[sample]);
        }
    }

    fn write(&mut self) {
        let written = self.file.write_all(self.text.as_bytes());
        self.bytes += self.text.len() as u64;
        self.text.clear();
        let written = written.and_then(|()| match self.bytes {
            0..FILE_BYTES => Ok(()),
            _ => self.begin_file(),
        });
        if let Err(error) = written {
            let path = self.path.display();
            tracing::error!("the live copy {path} is not written: {error}");
        }
    }

    fn begin_file(&mut self) -> io::Result<()> {
        let mut former = self.path.clone().into_os_string();
        former.push(".1");
        rename(&self.path, &former)?;
        (self.file, self.bytes) = open(&self.path)?;
        Ok(())
    }
}

fn open(path: &Path) -> io::Result<(File, u64)> {
    let file = OpenOptions::new().append(true).create(true).open(path)?;
    let bytes = file.metadata()?.len();
    Ok((file, bytes))
}
