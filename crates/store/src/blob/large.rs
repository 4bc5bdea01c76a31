//! Large blobs: one file each, the blob's bytes first, then its block map, if it
//! has one, and a trailer. So one sync makes all durable, a file range is the
//! whole blob, and an unfinished upload carries all that is needed to resume it.
//!
//! This is the layout and naming; how uploads fill such files is in `upload`.

use super::map::{CHUNK_ENCODED_BYTES, MAP_CHUNKS};
use super::{BlobError, BlockMap};
use crate::fs::{File, FileSystem};
use base::{Hash, Millis, limits};
use std::path::{Path, PathBuf};

const MAGIC: [u8; 8] = *b"ATOLLBIG";

/// The version of a trailer that stands behind a block map.
const WITH_MAP: u32 = 1;

/// The version of one that stands alone: its blob came whole ([`super::whole`]).
const WITHOUT_MAP: u32 = 2;

pub(super) const TRAILER_BYTES: usize = 80;

/// What stands at the end of the file of a large blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Footer {
    pub(super) hash: Hash,
    /// When its upload was begun, or taken up again.
    pub(super) begun: Millis,
    pub(super) map: BlockMap,
}

impl Footer {
    /// Where the map is: right behind the blob.
    pub(super) fn offset(&self) -> u64 {
        self.map.total_len()
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = self.map.encode();
        let trailer = Trailer {
            chunks: self.map.chunks().len(),
            size: self.map.total_len(),
            begun: self.begun,
            hash: self.hash,
            map_crc: crc32c::crc32c(&bytes),
        };
        bytes.extend_from_slice(&trailer.encode());
        bytes
    }

    /// Reads the footer of the file at `path`, an upload of `hash`.
    pub(super) fn read(file: &dyn File, path: &Path, hash: Hash) -> Result<Self, BlobError> {
        let (trailer, map) = Trailer::read(file, path, hash)?;
        let map = map.ok_or_else(|| damaged(path, "it has no block map"))?;
        let begun = trailer.begun;
        Ok(Self { hash, begun, map })
    }
}

/// What stands behind a stored large blob: its length, and its block map unless
/// it came whole.
pub(super) struct Stored {
    pub(super) size: u64,
    pub(super) map: Option<BlockMap>,
}

impl Stored {
    /// Reads it from the file at `path`, which is to hold `hash`.
    pub(super) fn read(file: &dyn File, path: &Path, hash: Hash) -> Result<Self, BlobError> {
        let (trailer, map) = Trailer::read(file, path, hash)?;
        let size = trailer.size;
        Ok(Self { size, map })
    }
}

struct Trailer {
    /// 0: there is no block map, as no large blob has none.
    chunks: usize,
    size: u64,
    begun: Millis,
    hash: Hash,
    map_crc: u32,
}

impl Trailer {
    /// Reads the trailer and the map of the file at `path`, which is to hold `hash`.
    fn read(
        file: &dyn File,
        path: &Path,
        hash: Hash,
    ) -> Result<(Self, Option<BlockMap>), BlobError> {
        let failed = |error| BlobError::io("read", path, error);
        let damaged = |what: &str| damaged(path, what);
        let length = file.length().map_err(failed)?;
        let trailer_at = length
            .checked_sub(TRAILER_BYTES as u64)
            .ok_or_else(|| damaged("it is shorter than its trailer"))?;
        let mut trailer = [0; TRAILER_BYTES];
        file.read_exact_at(&mut trailer, trailer_at)
            .map_err(failed)?;
        let trailer = Self::decode(&trailer).ok_or_else(|| damaged("its trailer is wrong"))?;
        let map_bytes = trailer.chunks as u64 * CHUNK_ENCODED_BYTES as u64;
        if trailer.hash != hash || trailer.size + map_bytes != trailer_at {
            return Err(damaged("its trailer belongs to another file"));
        }
        if trailer.chunks == 0 {
            return Ok((trailer, None));
        }
        let mut map = vec![0; map_bytes as usize];
        file.read_exact_at(&mut map, trailer.size).map_err(failed)?;
        if crc32c::crc32c(&map) != trailer.map_crc {
            return Err(damaged("its block map does not match its checksum"));
        }
        let map = BlockMap::decode(&map).map_err(|error| damaged(&error.to_string()))?;
        if map.total_len() != trailer.size {
            return Err(damaged("its block map has another length than the blob"));
        }
        Ok((trailer, Some(map)))
    }

    fn encode(&self) -> [u8; TRAILER_BYTES] {
        let version = if self.chunks == 0 {
            WITHOUT_MAP
        } else {
            WITH_MAP
        };
        let mut bytes = [0; TRAILER_BYTES];
        bytes[0..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&version.to_le_bytes());
        bytes[12..16].copy_from_slice(&(self.chunks as u32).to_le_bytes());
        bytes[16..24].copy_from_slice(&self.size.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.begun.to_le_bytes());
        bytes[32..64].copy_from_slice(self.hash.as_bytes());
        bytes[72..76].copy_from_slice(&self.map_crc.to_le_bytes());
        let crc = crc32c::crc32c(&bytes[..76]);
        bytes[76..80].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8; TRAILER_BYTES]) -> Option<Self> {
        let u32_at = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four"));
        let u64_at = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight"));
        let trailer = Self {
            chunks: u32_at(12) as usize,
            size: u64_at(16),
            begun: u64_at(24),
            hash: Hash::from_slice(&bytes[32..64])?,
            map_crc: u32_at(72),
        };
        let is_version = match u32_at(8) {
            WITH_MAP => trailer.chunks > 0,
            WITHOUT_MAP => trailer.chunks == 0,
            _ => false,
        };
        let valid = bytes[0..8] == MAGIC
            && is_version
            && crc32c::crc32c(&bytes[..76]) == u32_at(76)
            && trailer.chunks <= MAP_CHUNKS
            && trailer.size <= limits::FILE_BYTES;
        valid.then_some(trailer)
    }
}

fn damaged(path: &Path, what: &str) -> BlobError {
    BlobError::Damaged {
        path: path.to_owned(),
        what: what.to_owned(),
    }
}

/// The trailer of a blob that came whole, of `size` bytes, begun at `begun`.
pub(super) fn trailer_without_map(hash: Hash, size: u64, begun: Millis) -> [u8; TRAILER_BYTES] {
    let trailer = Trailer {
        chunks: 0,
        size,
        begun,
        hash,
        map_crc: 0,
    };
    trailer.encode()
}

/// Length of the blob in a large file, from its trailer alone.
pub(super) fn blob_length(file: &dyn File) -> std::io::Result<Option<u64>> {
    let Some(trailer_at) = file.length()?.checked_sub(TRAILER_BYTES as u64) else {
        return Ok(None);
    };
    let mut trailer = [0; TRAILER_BYTES];
    file.read_exact_at(&mut trailer, trailer_at)?;
    Ok(Trailer::decode(&trailer).map(|trailer| trailer.size))
}

/// The directory in `large` that holds the file of `hash`: by its first digit.
/// Each finished batch of uploads syncs the shelves it used, so more of them
/// cost time; fewer get too long to list.
pub(super) fn shelf(large: &Path, hash: &Hash) -> PathBuf {
    large.join(&hash.to_hex()[..1])
}

/// The file of `hash` in `large`.
pub(super) fn path(large: &Path, hash: &Hash) -> PathBuf {
    let name = hash.to_hex();
    large.join(&name[..1]).join(name)
}

/// All shelves.
pub(super) fn shelves(large: &Path) -> impl Iterator<Item = PathBuf> {
    "0123456789abcdef"
        .chars()
        .map(|digit| large.join(String::from(digit)))
}

/// Creates the shelves that are missing, durably.
pub(super) fn create_shelves(fs: &dyn FileSystem, large: &Path) -> std::io::Result<()> {
    crate::fs::make_durable_dir(fs, large)?;
    let mut made = false;
    for shelf in shelves(large) {
        if !fs.exists(&shelf)? {
            fs.create_dir_all(&shelf)?;
            made = true;
        }
    }
    if made { fs.sync_dir(large) } else { Ok(()) }
}

/// The blobs on a shelf.
pub(super) fn list_shelf(fs: &dyn FileSystem, shelf: &Path) -> std::io::Result<Vec<Hash>> {
    let entries = fs.list(shelf)?;
    Ok(entries
        .iter()
        .filter_map(|entry| entry.name.parse().ok())
        .collect())
}
