//! What this process is about to do in the folder, written down before it does.
//!
//! [`crate::trees`] is written only after what it claims is durable, so a process
//! that is killed leaves entries that it placed and did not note. This journal,
//! `.atoll/intents`, tells the next process of them: an entry that stands there
//! with the bytes that were to come is the version that was to come, and nobody's
//! new file (`round/recover.rs` judges that; here nothing is judged).
//!
//! A journal belongs to one generation of the trees. Where what came of all
//! intents is noted, the trees begin another generation in the same transaction,
//! and the journal of the old one counts for nothing. It is not fsynced: it helps
//! after a kill. After a power cut it may be missing, and then an entry that was
//! deleted elsewhere meanwhile may come back; no byte is lost either way.
//!
//! A generation ends with the round, and within a long one whenever the journal
//! [is long](Intents::is_long). What is still open then is carried over: it is
//! [prepared](Intents::prepare) in a second file before the trees begin the new
//! generation, and that file takes the place of the first only
//! [afterwards](Intents::begin). So at every moment the generation of the trees
//! has its journal, which is at most [`JOURNAL_BYTES`] longer than what it began
//! with, but for the jobs that were given out since it was looked at.
//!
//! ```text
//! file   := generation u64, record*          little-endian
//! record := length u32, check [u8; 4], body  check: first bytes of BLAKE3(body)
//! body   := 1, version | 2, item u64         version: `state::Version::encode`
//! ```

use base::{DeviceId, Hash, ItemId};
use meta::Metadata;
use state::Version;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// A journal that has grown by so much since it was begun is [long](Intents::is_long):
/// some hundred thousand landings, which a process that finds them looks at in
/// seconds, and rarely enough that the pause to end a generation costs nothing.
pub const JOURNAL_BYTES: u64 = 16 << 20;

/// Longest record that is read: a link's target has at most 4095 bytes, a name 255.
const RECORD_BYTES: usize = 16 << 10;

/// The head of the file.
const GENERATION_BYTES: u64 = 8;

const LAND: u8 = 1;
const TOUCH: u8 = 2;

/// Something about to be done in the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Intent {
    /// This version is about to stand at its place.
    Land(Version),
    /// Entries of this directory are about to be placed or removed, which moves
    /// its time.
    Touch(ItemId),
}

impl Intent {
    /// That the version `id` of `metadata` shall stand at `name` of `parent`.
    pub fn land(
        parent: ItemId,
        name: &base::Name,
        id: base::VersionId,
        metadata: &Metadata,
    ) -> Self {
        Self::Land(Version {
            id,
            parent,
            name: name.clone(),
            state: Some(metadata.clone()),
            // Who made it, and when, is of no use here.
            device: DeviceId::ADMIN,
            time: 0,
            index: 0,
            ordinal: 0,
        })
    }

    fn encode(&self) -> Vec<u8> {
        match self {
            Self::Land(version) => [&[LAND], version.encode().as_slice()].concat(),
            Self::Touch(item) => [&[TOUCH], item.to_u64().to_le_bytes().as_slice()].concat(),
        }
    }

    fn decode(body: &[u8]) -> Option<Self> {
        let (kind, rest) = body.split_first()?;
        match *kind {
            LAND => Version::decode(rest).ok().map(Self::Land),
            TOUCH => {
                let item = u64::from_le_bytes(rest.try_into().ok()?);
                ItemId::from_u64(item).map(Self::Touch)
            }
            _ => None,
        }
    }
}

/// The journal of one process.
#[derive(Debug)]
pub struct Intents {
    path: PathBuf,
    generation: u64,
    /// Present once something was kept in this generation.
    file: Option<File>,
    /// How long it is, and was when the generation began.
    kept: u64,
    carried: u64,
    /// Noted, not yet written.
    pending: Vec<u8>,
    /// The file of the next generation, and how long it is.
    prepared: Option<(File, u64)>,
}

/// What a process left, one intent after the other, up to the first damage.
#[derive(Debug, Default)]
pub struct Left(Option<BufReader<File>>);

impl Intents {
    /// A journal at `path` that begins with `generation`. Nothing is written yet:
    /// what an earlier process left stays until [`Intents::keep`].
    pub fn new(path: PathBuf, generation: u64) -> Self {
        Self {
            path,
            generation,
            file: None,
            kept: 0,
            carried: 0,
            pending: Vec::new(),
            prepared: None,
        }
    }

    /// What a process left at `path` in `generation`.
    ///
    /// # Errors
    /// As the operating system says; none when there is no journal.
    pub fn left(path: &Path, generation: u64) -> io::Result<Left> {
        // One that was prepared is not in its place yet when the process was killed
        // right after the trees began its generation.
        for path in [path, &next_to(path)] {
            let mut file = match File::open(path) {
                Ok(file) => BufReader::new(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            let mut head = [0; GENERATION_BYTES as usize];
            if is_whole(file.read_exact(&mut head))? && u64::from_le_bytes(head) == generation {
                return Ok(Left(Some(file)));
            }
        }
        Ok(Left(None))
    }

    /// Notes an intent; [`Intents::keep`] it before acting on it.
    pub fn note(&mut self, intent: &Intent) {
        encode(intent, &mut self.pending);
    }

    /// Writes what was noted, so that the next process finds it.
    ///
    /// # Errors
    /// As the operating system says: then what was noted must not be done.
    pub fn keep(&mut self) -> io::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let file = match &mut self.file {
            Some(file) => file,
            none => {
                let mut file = File::create(&self.path)?;
                file.write_all(&self.generation.to_le_bytes())?;
                self.kept = GENERATION_BYTES;
                self.carried = GENERATION_BYTES;
                none.insert(file)
            }
        };
        if let Err(error) = file.write_all(&self.pending) {
            // A torn record would hide every later one.
            file.set_len(self.kept)?;
            file.seek(SeekFrom::Start(self.kept))?;
            return Err(error);
        }
        self.kept += self.pending.len() as u64;
        self.pending.clear();
        Ok(())
    }

    /// Whether nothing was noted in this generation.
    pub fn is_empty(&self) -> bool {
        self.file.is_none() && self.pending.is_empty()
    }

    /// Whether it has grown by more than `limit` bytes since the generation began.
    pub fn is_long(&self, limit: u64) -> bool {
        self.kept - self.carried + self.pending.len() as u64 > limit
    }

    /// What was noted and kept in this generation.
    ///
    /// # Errors
    /// As the operating system says.
    pub fn kept(&self) -> io::Result<Left> {
        Self::left(&self.path, self.generation)
    }

    /// Writes the journal with which `generation` shall begin: what is `open` still.
    /// This generation's stands beside it until [`Intents::begin`].
    ///
    /// # Errors
    /// As the operating system says: then the trees must not begin the generation.
    pub fn prepare(
        &mut self,
        generation: u64,
        open: impl Iterator<Item = Intent>,
    ) -> io::Result<()> {
        self.prepared = None;
        let mut open = open.peekable();
        if open.peek().is_none() {
            return Ok(());
        }
        let mut file = BufWriter::new(File::create(next_to(&self.path))?);
        file.write_all(&generation.to_le_bytes())?;
        let (mut length, mut record) = (GENERATION_BYTES, Vec::new());
        for intent in open {
            record.clear();
            encode(&intent, &mut record);
            file.write_all(&record)?;
            length += record.len() as u64;
        }
        let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        self.prepared = Some((file, length));
        Ok(())
    }

    /// Begins `generation`, which the trees have begun: nothing that was noted
    /// before counts any more but what was [prepared](Intents::prepare).
    ///
    /// # Errors
    /// As the operating system says.
    pub fn begin(&mut self, generation: u64) -> io::Result<()> {
        let prepared = self.prepared.take();
        *self = Self::new(std::mem::take(&mut self.path), generation);
        if let Some((file, length)) = prepared {
            fs::rename(next_to(&self.path), &self.path)?;
            self.file = Some(file);
            self.kept = length;
            self.carried = length;
        }
        Ok(())
    }
}

impl Iterator for Left {
    type Item = io::Result<Intent>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = read(self.0.as_mut()?).transpose();
        if !matches!(next, Some(Ok(_))) {
            self.0 = None;
        }
        next
    }
}

/// Where a journal waits for its generation to begin.
fn next_to(path: &Path) -> PathBuf {
    path.with_extension("next")
}

fn encode(intent: &Intent, bytes: &mut Vec<u8>) {
    let body = intent.encode();
    let check = Hash::of(&body);
    bytes.extend_from_slice(&(body.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&check.as_bytes()[..4]);
    bytes.extend_from_slice(&body);
}

/// The next record; `None` at the end or where it is damaged.
fn read(file: &mut BufReader<File>) -> io::Result<Option<Intent>> {
    let (mut length, mut check) = ([0; 4], [0; 4]);
    if !is_whole(file.read_exact(&mut length))? || !is_whole(file.read_exact(&mut check))? {
        return Ok(None);
    }
    let length = u32::from_le_bytes(length) as usize;
    if length > RECORD_BYTES {
        return Ok(None);
    }
    let mut body = vec![0; length];
    let is_right =
        is_whole(file.read_exact(&mut body))? && Hash::of(&body).as_bytes()[..4] == check;
    Ok(is_right.then(|| Intent::decode(&body)).flatten())
}

/// Whether all was there; an end in the middle is a torn record.
fn is_whole(read: io::Result<()>) -> io::Result<bool> {
    match read {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        read => read.map(|()| true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::{Name, VersionId};
    use meta::{Mode, Timestamp};

    fn land(name: &str) -> Intent {
        let id = VersionId {
            item: ItemId::new(7, 1),
            counter: 3,
        };
        let metadata = Metadata::file(Hash::of(b"x"), 1, Mode::FILE, Timestamp::default()).unwrap();
        Intent::land(ItemId::new(1, 0), &Name::new(name).unwrap(), id, &metadata)
    }

    fn left(path: &Path, generation: u64) -> Vec<Intent> {
        let left = Intents::left(path, generation).unwrap();
        left.map(Result::unwrap).collect()
    }

    #[test]
    fn only_its_own_generation_is_told_the_next_process() {
        let disk = tempfile::tempdir().unwrap();
        let path = disk.path().join("intents");
        assert_eq!(left(&path, 1), []);
        let mut intents = Intents::new(path.clone(), 1);
        let noted = [land("a"), Intent::Touch(ItemId::new(2, 0)), land("b")];
        intents.note(&noted[0]);
        intents.note(&noted[1]);
        assert_eq!(left(&path, 1), [], "noted, not kept");
        intents.keep().unwrap();
        intents.note(&noted[2]);
        intents.keep().unwrap();
        assert_eq!(left(&path, 1), noted);
        assert_eq!(left(&path, 2), []);
        intents.begin(2).unwrap();
        assert!(intents.is_empty());
        intents.note(&noted[2]);
        intents.keep().unwrap();
        assert_eq!(left(&path, 1), []);
        assert_eq!(left(&path, 2), noted[2..]);
    }

    /// Whenever the process is killed, the generation that the trees have has its
    /// journal.
    #[test]
    fn what_is_open_is_carried_over() {
        let disk = tempfile::tempdir().unwrap();
        let path = disk.path().join("intents");
        let mut intents = Intents::new(path.clone(), 1);
        let (done, open, later) = (land("a"), Intent::Touch(ItemId::new(2, 0)), land("b"));
        for intent in [&done, &open] {
            intents.note(intent);
        }
        intents.keep().unwrap();
        assert!(intents.is_long(0) && !intents.is_long(1000));
        intents.prepare(2, std::iter::once(open.clone())).unwrap();
        assert_eq!(left(&path, 1), [done, open.clone()]);
        assert_eq!(left(&path, 2), std::slice::from_ref(&open));
        intents.begin(2).unwrap();
        assert!(!intents.is_empty() && !intents.is_long(0));
        intents.note(&later);
        intents.keep().unwrap();
        assert_eq!(left(&path, 1), []);
        assert_eq!(left(&path, 2), [open, later]);
    }

    #[test]
    fn a_torn_end_hides_nothing_before_it_and_damage_nothing_at_all() {
        let disk = tempfile::tempdir().unwrap();
        let path = disk.path().join("intents");
        let mut intents = Intents::new(path.clone(), 1);
        intents.note(&land("a"));
        intents.keep().unwrap();
        let first = fs::metadata(&path).unwrap().len() as usize;
        intents.note(&land("b"));
        intents.keep().unwrap();
        let whole = fs::read(&path).unwrap();
        for end in 0..whole.len() {
            fs::write(&path, &whole[..end]).unwrap();
            let left = left(&path, 1);
            let expected = if end < first { vec![] } else { vec![land("a")] };
            assert_eq!(left, expected, "cut at {end}");
        }
        for position in first..whole.len() {
            let mut damaged = whole.clone();
            damaged[position] ^= 1;
            fs::write(&path, &damaged).unwrap();
            assert_eq!(left(&path, 1), [land("a")], "flipped {position}");
        }
    }
}
