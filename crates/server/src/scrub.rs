//! Scrubbing a node: every stored byte has the hash it is known by, every content that
//! some version names is there, and the parts of metrics match their checksums. It reports
//! and repairs nothing.

use crate::node::database;
use base::Hash;
use metrics::database::Scrubbed;
use serde_json::{Value, json};
use state::{Reader, StateError};
use std::path::Path;
use store::blob::{BlobError, BlobStore};

/// Hashes looked up at once.
const PAGE: usize = 10_000;

/// Why a scrub could not be finished.
#[derive(Debug, thiserror::Error)]
pub enum ScrubError {
    /// The blobs cannot be read at all.
    #[error("cannot scrub the blobs: {0}")]
    Blobs(#[from] BlobError),
    /// The database that names them cannot be read.
    #[error("cannot tell which blobs are needed: {0}")]
    State(#[from] StateError),
}

/// Verifies the node in `data`, whose blobs are open; the report as JSON. `metrics` is what
/// was found in those.
///
/// # Errors
/// [`ScrubError`] for what is more than damage of single blobs.
pub fn run(data: &Path, blobs: &BlobStore, metrics: &Scrubbed) -> Result<Value, ScrubError> {
    let report = blobs.scrub(&mut |_| ())?;
    let mut damaged: Vec<Value> = report
        .damaged
        .iter()
        .map(|damage| {
            json!({
                "hash": damage.hash.map(|hash| hash.to_string()),
                "path": damage.path.display().to_string(),
                "offset": damage.offset,
                "what": damage.what,
            })
        })
        .collect();
    damaged.extend(missing(data, blobs)?.iter().map(|hash| {
        json!({
            "hash": hash.to_string(),
            "path": data.join("blobs").display().to_string(),
            "offset": Value::Null,
            "what": "a version names this content but it is not stored",
        })
    }));
    damaged.extend(metrics.damaged.iter().map(|part| {
        json!({
            "hash": Value::Null,
            "path": part.path.display().to_string(),
            "offset": Value::Null,
            "what": part.reason,
        })
    }));
    Ok(json!({
        "blobs": report.blobs,
        "bytes": report.bytes + metrics.bytes,
        "parts": metrics.parts,
        "damaged": damaged,
    }))
}

fn missing(data: &Path, blobs: &BlobStore) -> Result<Vec<Hash>, ScrubError> {
    let reader = match Reader::open(&database(data)) {
        Ok(reader) => reader,
        // A node that never started, or whose database is yet to be rebuilt.
        Err(StateError::Missing(_)) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let (mut missing, mut last) = (Vec::new(), None);
    loop {
        let page = reader.all_hashes(last.as_ref(), PAGE)?;
        for hash in &page {
            if !blobs.contains(hash)? {
                missing.push(*hash);
            }
        }
        match page.last() {
            Some(hash) if page.len() == PAGE => last = Some(*hash),
            _ => return Ok(missing),
        }
    }
}
