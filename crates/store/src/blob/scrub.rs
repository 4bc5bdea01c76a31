//! Verifying every stored byte: segments and large files are read from end to
//! end and compared with the hashes they are known by, and with the index.
//!
//! It reports and never repairs: what is damaged here may be whole on another
//! node, or in a backup.

use super::large::{self, Stored};
use super::parts::Parts;
use super::segment::{Content, Found, Scan};
use super::{BlobError, Damage, ScrubProgress, ScrubReport};
use crate::fs::{File, Open};
use base::{Hash, Hasher};
use std::collections::BTreeSet;
use std::path::Path;

/// Bytes read at a time from large files.
const BUFFER_BYTES: u64 = 1 << 20;

struct Scrub<'a> {
    parts: &'a Parts,
    report: ScrubReport,
    total_bytes: u64,
    progress: &'a mut dyn FnMut(ScrubProgress),
}

/// Verifies all blobs of `parts`, whose index is up to date.
pub(super) fn run(
    parts: &Parts,
    progress: &mut dyn FnMut(ScrubProgress),
) -> Result<ScrubReport, BlobError> {
    let mut scrub = Scrub {
        parts,
        report: ScrubReport::default(),
        total_bytes: parts.index.total_bytes()?,
        progress,
    };
    scrub.small()?;
    scrub.large()?;
    Ok(scrub.report)
}

impl Scrub<'_> {
    fn verified(&mut self, bytes: u64) {
        self.report.blobs += 1;
        self.report.bytes += bytes;
        (self.progress)(ScrubProgress {
            blobs: self.report.blobs,
            bytes: self.report.bytes,
            total_bytes: self.total_bytes,
        });
    }

    fn damaged(&mut self, hash: Option<Hash>, path: &Path, offset: u64, what: &str) {
        self.report.damaged.push(Damage {
            hash,
            path: path.to_owned(),
            offset,
            what: what.to_owned(),
        });
    }

    fn small(&mut self) -> Result<(), BlobError> {
        let parts = self.parts;
        let end = parts.small.durable();
        let segments: BTreeSet<u64> = parts.small.segments()?.into_iter().collect();
        for segment in &segments {
            let mut scan = parts.small.scan(*segment, 0)?;
            let path = parts.small.path(*segment);
            if let Some(what) = parts.small.header_damage(*segment)? {
                self.damaged(None, &path, 0, &what);
            }
            let failed = |error| BlobError::io("read", &path, error);
            while let Some(found) = scan.next().map_err(failed)? {
                // The rest was appended since this began.
                if found.start >= end {
                    break;
                }
                self.stretch(&mut scan, found, &path)?;
            }
        }
        for missing in parts.index.segments()?.difference(&segments) {
            let path = parts.small.path(*missing);
            self.lost(*missing, 0, u64::MAX, &path, "the file is missing")?;
        }
        Ok(())
    }

    fn stretch(&mut self, scan: &mut Scan, found: Found, path: &Path) -> Result<(), BlobError> {
        let (segment, start) = (found.start.segment, found.start.offset);
        match found.what {
            Content::Blob { hash, length } => {
                let intact = scan
                    .is_intact(&found)
                    .map_err(|error| BlobError::io("read", path, error))?;
                if !intact {
                    let offset = found.body().offset;
                    self.damaged(Some(hash), path, offset, "the bytes have another hash");
                }
                self.verified(length);
                Ok(())
            }
            // Torn by a power cut before anyone relied on it, unless indexed.
            Content::Void => self.lost(segment, start, found.end, path, "its record is void"),
            Content::Gap => {
                let what = format!("{} bytes that are no blob", found.end - start);
                self.damaged(None, path, start, &what);
                self.lost(segment, start, found.end, path, "its header is damaged")
            }
        }
    }

    /// Reports the indexed blobs in a stretch of a segment that holds none.
    fn lost(
        &mut self,
        segment: u64,
        start: u64,
        end: u64,
        path: &Path,
        what: &str,
    ) -> Result<(), BlobError> {
        for (hash, offset) in self.parts.index.blobs_within(segment, start, end)? {
            self.damaged(Some(hash), path, offset, what);
        }
        Ok(())
    }

    fn large(&mut self) -> Result<(), BlobError> {
        let mut indexed = self.parts.index.large()?;
        for shelf in large::shelves(&self.parts.large) {
            let failed = |error| BlobError::io("list", &shelf, error);
            for hash in large::list_shelf(&*self.parts.fs, &shelf).map_err(failed)? {
                indexed.remove(&hash);
                self.large_file(hash)?;
            }
        }
        for hash in indexed {
            let path = large::path(&self.parts.large, &hash);
            self.damaged(Some(hash), &path, 0, "the file is missing");
        }
        Ok(())
    }

    fn large_file(&mut self, hash: Hash) -> Result<(), BlobError> {
        let path = large::path(&self.parts.large, &hash);
        let file = self
            .parts
            .fs
            .open(&path, Open::Read)
            .map_err(|error| BlobError::io("open", &path, error))?;
        let length = match Stored::read(&*file, &path, hash) {
            Ok(stored) => stored.size,
            Err(BlobError::Damaged { what, .. }) => {
                self.damaged(Some(hash), &path, 0, &what);
                0
            }
            Err(error) => return Err(error),
        };
        if length > 0 && hash_of(&*file, &path, length)? != hash {
            self.damaged(Some(hash), &path, 0, "the bytes have another hash");
        }
        self.verified(length);
        Ok(())
    }
}

fn hash_of(file: &dyn File, path: &Path, length: u64) -> Result<Hash, BlobError> {
    let mut hasher = Hasher::new();
    let mut buffer = vec![0; BUFFER_BYTES.min(length) as usize];
    while hasher.count() < length {
        let part = (length - hasher.count()).min(BUFFER_BYTES) as usize;
        file.read_exact_at(&mut buffer[..part], hasher.count())
            .map_err(|error| BlobError::io("read", path, error))?;
        hasher.update(&buffer[..part]);
    }
    Ok(hasher.finish())
}
