//! The hash of an open file's content, all of it from one moment: a file that changed
//! while it was read is read again, and what is told of it is what it was then.

use super::look::{self, Look};
use super::{Met, Reason};
use crate::observer::{Event, Observer};
use base::Hasher;
use meta::{ContentHash, Record, RecordKind};
use ring::digest::{Context, SHA256, SHA256_OUTPUT_LEN};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};

/// By which algorithm content is hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    Blake3,
    Sha256,
}

/// What all readings share.
pub struct Reading<'o> {
    observer: &'o dyn Observer,
    /// Nobody wants to know any more.
    ended: AtomicBool,
}

/// A file that changes during so many readings in a row is given up: who writes it is
/// quicker than this.
const READINGS: usize = 4;

/// Bytes read at once: enough that calls cost nothing beside hashing, and little enough
/// to stay in a core's cache.
const AT_ONCE: usize = 128 << 10;

impl Algorithm {
    /// The one of a hash that is known.
    pub const fn of(hash: &ContentHash) -> Self {
        match hash {
            ContentHash::Blake3(_) => Self::Blake3,
            ContentHash::Sha256(_) => Self::Sha256,
        }
    }
}

impl<'o> Reading<'o> {
    pub const fn new(observer: &'o dyn Observer) -> Self {
        Self {
            observer,
            ended: AtomicBool::new(false),
        }
    }

    /// Breaks off what is being read.
    pub fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    fn is_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }
}

/// Reads a file and notes the hash of its content, with what it was meanwhile.
///
/// # Errors
/// [`Reason`] why its content cannot be told.
pub fn hash(
    met: &mut Met,
    file: &File,
    algorithm: Algorithm,
    reading: &Reading<'_>,
) -> Result<(), Reason> {
    let read = |size| digest(file, size, algorithm, reading);
    let hash = settle(&mut met.record, &mut met.look, read, || look::again(file))?;
    if let RecordKind::File { hash: known, .. } = &mut met.record.kind {
        *known = Some(hash);
    }
    Ok(())
}

/// Reads until nothing changed meanwhile.
fn settle(
    record: &mut Record,
    look: &mut Look,
    mut read: impl FnMut(u64) -> io::Result<(ContentHash, u64)>,
    mut look_again: impl FnMut() -> Result<(Record, Look), Reason>,
) -> Result<ContentHash, Reason> {
    for _ in 0..READINGS {
        let (hash, length) = read(look.seen.size)?;
        let before = *look;
        (*record, *look) = look_again()?;
        if *look == before {
            // Of what the kernel makes up as it is read, the hash may be one of a part.
            let is_whole = length == look.seen.size;
            return if is_whole {
                Ok(hash)
            } else {
                Err(Reason::Length)
            };
        }
    }
    Err(Reason::Changing)
}

/// The hash of what a file holds, and of how many bytes it is; one that grew beyond `size`
/// is not followed further.
fn digest(
    file: &File,
    size: u64,
    algorithm: Algorithm,
    reading: &Reading<'_>,
) -> io::Result<(ContentHash, u64)> {
    let mut digest = Digest::new(algorithm);
    let mut buffer = vec![0; AT_ONCE.min(size as usize + 1)];
    let mut at = 0;
    while at <= size && !reading.is_ended() {
        match file.read_at(&mut buffer, at) {
            Ok(0) => break,
            Ok(length) => {
                digest.update(&buffer[..length]);
                at += length as u64;
                let bytes = length as u64;
                reading.observer.event(&Event::Moved { bytes });
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok((digest.finish(), at))
}

enum Digest {
    Blake3(Box<Hasher>),
    Sha256(Box<Context>),
}

impl Digest {
    fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Blake3 => Self::Blake3(Box::default()),
            Algorithm::Sha256 => Self::Sha256(Box::new(Context::new(&SHA256))),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Blake3(hasher) => hasher.update(bytes),
            Self::Sha256(context) => context.update(bytes),
        }
    }

    fn finish(self) -> ContentHash {
        match self {
            Self::Blake3(hasher) => hasher.finish().into(),
            Self::Sha256(context) => {
                let mut bytes = [0; SHA256_OUTPUT_LEN];
                bytes.copy_from_slice(context.finish().as_ref());
                ContentHash::Sha256(bytes)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Silent;
    use base::Hash;
    use std::io::Write;

    #[test]
    fn hashes_are_those_of_the_algorithm() {
        let mut file = tempfile::tempfile().unwrap();
        let content = vec![7; AT_ONCE * 2 + 1];
        file.write_all(&content).unwrap();
        let reading = Reading::new(&Silent);
        let of = |algorithm| digest(&file, content.len() as u64, algorithm, &reading).unwrap();
        let length = content.len() as u64;
        assert_eq!(of(Algorithm::Blake3), (Hash::of(&content).into(), length));
        let expected = ring::digest::digest(&SHA256, &content);
        assert_eq!(of(Algorithm::Sha256).0.as_bytes(), expected.as_ref());
    }

    #[test]
    fn what_is_not_as_long_as_it_says_has_no_hash() {
        for length in [0, 1, 3] {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(b"ab").unwrap();
            let (mut record, mut look) = look::again(&file).unwrap();
            let read = |_| Ok((Hash::of(b"").into(), length));
            let hash = settle(&mut record, &mut look, read, || look::again(&file));
            assert!(matches!(hash, Err(Reason::Length)), "{hash:?}");
        }
    }

    /// Reads a file to which one more byte is added during each of the first readings.
    fn settled(changes: usize) -> (Result<ContentHash, Reason>, Record) {
        let mut file = tempfile::tempfile().unwrap();
        let writer = file.try_clone().unwrap();
        file.write_all(b"a").unwrap();
        let (mut record, mut look) = look::again(&file).unwrap();
        let (reading, mut left) = (Reading::new(&Silent), changes);
        let read = |size| {
            let hash = digest(&file, size, Algorithm::Blake3, &reading);
            if left > 0 {
                left -= 1;
                (&writer).write_all(b"b").unwrap();
            }
            hash
        };
        let hash = settle(&mut record, &mut look, read, || look::again(&file));
        (hash, record)
    }

    #[test]
    fn what_changed_meanwhile_is_read_again() {
        let (hash, record) = settled(2);
        assert_eq!(hash.unwrap(), Hash::of(b"abb").into());
        assert!(matches!(
            record.kind,
            RecordKind::File { size: Some(3), .. }
        ));
        let (hash, _) = settled(READINGS);
        assert!(matches!(hash, Err(Reason::Changing)));
    }
}
