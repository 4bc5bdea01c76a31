//! A copy of all samples as JSON Lines, appended as they come: for whoever wants to read
//! along with a text tool.
//!
//! It follows the log, so it never holds anyone up. It is a convenience and no backup: what
//! comes while it cannot be written is told and left out, whole lines of it, and so is what
//! came before this start. The file is renamed to `metrics.jsonl.1` when it is full, in place
//! of the one that was there. It is not synced: the log has everything.

use super::Database;
use super::follow::Follower;
use crate::chunk::Sample;
use crate::eval::Labels;
use crate::ingest::jsonl;
use crate::log::{Record, decode};
use hashbrown::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use store::fs::{File, FileSystem, Open};
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
    lines: Lines,
    series: HashMap<u32, Labels>,
    text: String,
}

/// A file that lines are appended to.
struct Lines {
    fs: Arc<dyn FileSystem>,
    path: PathBuf,
    file: Box<dyn File>,
    /// Length at which another is begun.
    most: u64,
    /// Where lines began of which perhaps a piece was written, and no more.
    torn: Option<u64>,
}

impl LiveCopy {
    /// Appends to the file at `path` what `database` takes from now on.
    ///
    /// # Errors
    /// The file cannot be opened, or there is no thread.
    pub fn start(
        database: &Arc<Database>,
        fs: Arc<dyn FileSystem>,
        path: &Path,
    ) -> io::Result<Self> {
        let copier = Copier {
            database: Arc::downgrade(database),
            lines: Lines::open(fs, path, FILE_BYTES)?,
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
        if self.text.is_empty() {
            return;
        }
        if let Err(error) = self.lines.append(&self.text) {
            let path = self.lines.path.display();
            tracing::error!("the live copy {path} is not written: {error}");
        }
        self.text.clear();
    }
}

impl Lines {
    fn open(fs: Arc<dyn FileSystem>, path: &Path, most: u64) -> io::Result<Self> {
        Ok(Self {
            file: fs.open(path, Open::Create)?,
            fs,
            path: path.to_owned(),
            most,
            torn: None,
        })
    }

    /// Appends all of these lines, or none.
    fn append(&mut self, lines: &str) -> io::Result<()> {
        if let Some(begin) = self.torn {
            self.cut(begin)?;
        }
        if self.file.length()? >= self.most {
            self.begin_anew()?;
        }
        // Asked for each time: somebody may have emptied it.
        let begin = self.file.length()?;
        let written = self.file.write_all_at(lines.as_bytes(), begin);
        if written.is_err() {
            // The same disk may refuse that too; then it is done before the next lines.
            let _ = self.cut(begin);
        }
        written
    }

    /// Takes back what was written behind `begin`.
    fn cut(&mut self, begin: u64) -> io::Result<()> {
        self.torn = Some(begin);
        if self.file.length()? > begin {
            self.file.set_len(begin)?;
        }
        self.torn = None;
        Ok(())
    }

    fn begin_anew(&mut self) -> io::Result<()> {
        let mut former = self.path.clone().into_os_string();
        former.push(".1");
        match self.fs.rename(&self.path, Path::new(&former)) {
            // It was renamed before, and then there was no other.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            renamed => renamed?,
        }
        self.file = self.fs.open(&self.path, Open::Create)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::fs::SimulatedFileSystem;

    const PATH: &str = "copy";

    fn lines(disk: &SimulatedFileSystem) -> Lines {
        Lines::open(Arc::new(disk.clone()), Path::new(PATH), 10).unwrap()
    }

    #[track_caller]
    fn check(disk: &SimulatedFileSystem, path: &str, expected: &str) {
        let file = disk.open(Path::new(path), Open::Read).unwrap();
        let mut text = vec![0; file.length().unwrap() as usize];
        file.read_exact_at(&mut text, 0).unwrap();
        assert_eq!(String::from_utf8(text).unwrap(), expected);
    }

    #[test]
    fn a_full_file_makes_room_for_another() {
        let disk = SimulatedFileSystem::new();
        let mut copy = lines(&disk);
        for line in ["one\n", "two\n", "three\n", "four\n"] {
            copy.append(line).unwrap();
        }
        check(&disk, "copy.1", "one\ntwo\nthree\n");
        check(&disk, PATH, "four\n");
        // It goes on where it was.
        lines(&disk).append("five\n").unwrap();
        lines(&disk).append("six\n").unwrap();
        check(&disk, "copy.1", "four\nfive\n");
        check(&disk, PATH, "six\n");
    }

    #[test]
    fn of_lines_that_cannot_be_written_nothing_is_left() {
        let disk = SimulatedFileSystem::new();
        let mut copy = lines(&disk);
        copy.append("one\n").unwrap();
        disk.set_capacity(disk.used_bytes() + 2);
        let refused = copy.append("two\n").unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::StorageFull);
        check(&disk, PATH, "one\n");
        // What was written of them cannot be taken back at once.
        disk.fail_at(disk.operations() + 2, io::ErrorKind::Other);
        let refused = copy.append("three\n").unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::StorageFull);
        check(&disk, PATH, "one\nth");
        disk.set_capacity(u64::MAX);
        copy.append("4\n").unwrap();
        check(&disk, PATH, "one\n4\n");
    }

    #[test]
    fn a_file_that_could_not_be_begun_is_begun_with_the_next_lines() {
        for failing in 1..=2 {
            let disk = SimulatedFileSystem::new();
            let mut copy = lines(&disk);
            copy.append("0123456789\n").unwrap();
            disk.fail_at(disk.operations() + failing, io::ErrorKind::Other);
            copy.append("lost\n").unwrap_err();
            copy.append("next\n").unwrap();
            check(&disk, "copy.1", "0123456789\n");
            check(&disk, PATH, "next\n");
        }
    }

    #[test]
    fn a_file_that_somebody_emptied_begins_anew() {
        let disk = SimulatedFileSystem::new();
        let mut copy = lines(&disk);
        copy.append("one\n").unwrap();
        let file = disk.open(Path::new(PATH), Open::ReadWrite).unwrap();
        file.set_len(0).unwrap();
        copy.append("two\n").unwrap();
        check(&disk, PATH, "two\n");
    }
}
