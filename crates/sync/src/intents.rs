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
//! ```text
//! file   := generation u64, record*          little-endian
//! record := length u32, check [u8; 4], body  check: first bytes of BLAKE3(body)
//! body   := 1, version | 2, item u64         version: `state::Version::encode`
//! ```

use base::{DeviceId, Hash, ItemId};
use meta::Metadata;
use state::Version;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Longest journal that is read: the landings of some two million files in one
/// round. What a longer one says at its end is not known to the next process.
const JOURNAL_BYTES: u64 = 256 << 20;

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
    /// How long it is.
    kept: u64,
    /// Noted, not yet written.
    pending: Vec<u8>,
}

impl Intents {
    /// A journal at `path` that begins with `generation`. Nothing is written yet:
    /// what an earlier process left stays until [`Intents::keep`].
    pub fn new(path: PathBuf, generation: u64) -> Self {
        Self {
            path,
            generation,
            file: None,
            kept: 0,
            pending: Vec::new(),
        }
    }

    /// What a process left at `path` in `generation`, up to the first damage.
    ///
    /// # Errors
    /// As the operating system says; none when there is no journal.
    pub fn left(path: &Path, generation: u64) -> io::Result<Vec<Intent>> {
        let mut bytes = Vec::new();
        match File::open(path) {
            Ok(file) => file.take(JOURNAL_BYTES).read_to_end(&mut bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        match bytes.split_first_chunk::<8>() {
            Some((head, records)) if u64::from_le_bytes(*head) == generation => {
                Ok(records_of(records))
            }
            _ => Ok(Vec::new()),
        }
    }

    /// Notes an intent; [`Intents::keep`] it before acting on it.
    pub fn note(&mut self, intent: &Intent) {
        let body = intent.encode();
        let check = Hash::of(&body);
        self.pending
            .extend_from_slice(&(body.len() as u32).to_le_bytes());
        self.pending.extend_from_slice(&check.as_bytes()[..4]);
        self.pending.extend_from_slice(&body);
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

    /// What was noted and kept in this generation.
    ///
    /// # Errors
    /// As the operating system says.
    pub fn kept(&self) -> io::Result<Vec<Intent>> {
        Self::left(&self.path, self.generation)
    }

    /// Begins `generation`: nothing that was noted before counts any more.
    pub fn begin(&mut self, generation: u64) {
        *self = Self::new(std::mem::take(&mut self.path), generation);
    }
}

fn records_of(mut bytes: &[u8]) -> Vec<Intent> {
    let mut intents = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<4>()
        && let Some((check, rest)) = rest.split_first_chunk::<4>()
        && let Some(body) = rest.get(..u32::from_le_bytes(*length) as usize)
        && Hash::of(body).as_bytes()[..4] == *check
        && let Some(intent) = Intent::decode(body)
    {
        intents.push(intent);
        bytes = &rest[body.len()..];
    }
    intents
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

    #[test]
    fn only_its_own_generation_is_told_the_next_process() {
        let disk = tempfile::tempdir().unwrap();
        let path = disk.path().join("intents");
        assert_eq!(Intents::left(&path, 1).unwrap(), []);
        let mut intents = Intents::new(path.clone(), 1);
        let noted = [land("a"), Intent::Touch(ItemId::new(2, 0)), land("b")];
        intents.note(&noted[0]);
        intents.note(&noted[1]);
        assert_eq!(Intents::left(&path, 1).unwrap(), [], "noted, not kept");
        intents.keep().unwrap();
        intents.note(&noted[2]);
        intents.keep().unwrap();
        assert_eq!(Intents::left(&path, 1).unwrap(), noted);
        assert_eq!(Intents::left(&path, 2).unwrap(), []);
        intents.begin(2);
        assert!(intents.is_empty());
        intents.note(&noted[2]);
        intents.keep().unwrap();
        assert_eq!(Intents::left(&path, 1).unwrap(), []);
        assert_eq!(intents.kept().unwrap(), noted[2..]);
    }

    #[test]
    fn a_torn_end_hides_nothing_before_it_and_damage_nothing_at_all() {
        let disk = tempfile::tempdir().unwrap();
        let path = disk.path().join("intents");
        let mut intents = Intents::new(path.clone(), 1);
        intents.note(&land("a"));
        intents.keep().unwrap();
        let first = std::fs::metadata(&path).unwrap().len() as usize;
        intents.note(&land("b"));
        intents.keep().unwrap();
        let whole = std::fs::read(&path).unwrap();
        for end in 0..whole.len() {
            std::fs::write(&path, &whole[..end]).unwrap();
            let left = Intents::left(&path, 1).unwrap();
            let expected = if end < first { vec![] } else { vec![land("a")] };
            assert_eq!(left, expected, "cut at {end}");
        }
        for position in first..whole.len() {
            let mut damaged = whole.clone();
            damaged[position] ^= 1;
            std::fs::write(&path, &damaged).unwrap();
            assert_eq!(
                Intents::left(&path, 1).unwrap(),
                [land("a")],
                "flipped {position}"
            );
        }
    }
}
