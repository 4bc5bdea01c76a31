//! What workers do with uploaded content. Blocking: called on the blob threads,
//! by [`super::upload`], which knows the order and the answers.

use super::Service;
use crate::problem::Problem;
use base::{DeviceId, Hash};
use bytes::Bytes;
use store::blob::{Base, Begun, BlobStore};
use sync::wire::{Frame, Open};

/// What a worker did.
#[derive(Default)]
pub struct Worked {
    /// The frames it answers.
    pub answer: Vec<u8>,
    /// Content that is durable now, with its length: the device may commit it.
    pub stored: Vec<(Hash, u64)>,
}

/// Stores small files; durable on return.
///
/// # Errors
/// What the blob store says.
pub fn put_blobs(
    service: &Service,
    device: DeviceId,
    blobs: &[(Hash, Bytes)],
) -> Result<Worked, Problem> {
    let borrowed: Vec<(Hash, &[u8])> = blobs
        .iter()
        .map(|(hash, bytes)| (*hash, &bytes[..]))
        .collect();
    let (node, now) = (&service.node, service.node.now());
    node.change_blobs(|blobs| blobs.put_small(device, now, &borrowed))?;
    let stored = blobs
        .iter()
        .map(|(hash, bytes)| (*hash, bytes.len() as u64))
        .collect();
    Ok(Worked {
        answer: Vec::new(),
        stored,
    })
}

/// Begins the upload of a large file, or finds that none is needed. A device
/// that may not know that the node has it (`may_have`) is asked for all of it.
/// `base` is what it is opened with.
///
/// # Errors
/// What the blob store says.
pub fn begin(
    service: &Service,
    device: DeviceId,
    open: &Open,
    base: Option<Base>,
    may_have: bool,
) -> Result<Worked, Problem> {
    let (blobs, now) = (service.node.blobs(), service.node.now());
    let mut worked = Worked::default();
    if !may_have && let Some(stored) = blobs.open_blob(&open.file)? {
        // Another space has it. Saying so, or taking a hash for the bytes, would
        // make the hash a key: the device sends them like everyone else.
        service.proofs.begin(device, now, open.file, stored);
        Frame::Need {
            file: open.file,
            ranges: vec![(0, open.size)],
        }
        .encode(&mut worked.answer);
        return Ok(worked);
    }
    let begin =
        |blobs: &BlobStore| blobs.begin(device, now, open.file, open.size, base, &open.runs);
    match service.node.change_blobs(begin)? {
        Begun::Have => {
            worked.stored.push((open.file, open.size));
            Frame::Have(open.file).encode(&mut worked.answer);
        }
        Begun::Need(ranges) => {
            let ranges = ranges
                .into_iter()
                .map(|range| (range.start, range.end))
                .collect();
            Frame::Need {
                file: open.file,
                ranges,
            }
            .encode(&mut worked.answer);
        }
    }
    Ok(worked)
}

/// Takes chunks of large files, in order.
///
/// # Errors
/// What the blob store says, or that the bytes prove nothing.
pub fn write_chunks(
    service: &Service,
    device: DeviceId,
    chunks: &[(Hash, u64, Bytes)],
) -> Result<Worked, Problem> {
    for (file, offset, bytes) in chunks {
        if !service.proofs.take(device, *file, *offset, bytes)? {
            let write = |blobs: &BlobStore| blobs.write(device, *file, *offset, bytes);
            service.node.change_blobs(write)?;
        }
    }
    Ok(Worked::default())
}

/// Ends uploads of large files; verified and durable on return.
///
/// # Errors
/// [`Problem::UploadAgain`] for a file whose chunks have not all come.
pub fn finish(service: &Service, device: DeviceId, files: &[Hash]) -> Result<Worked, Problem> {
    let (blobs, now) = (service.node.blobs(), service.node.now());
    let mut sent = Vec::with_capacity(files.len());
    for file in files {
        if service.proofs.complete(device, *file)? {
            blobs.lease(device, now, file)?;
        } else {
            sent.push(*file);
        }
    }
    let finish = |blobs: &BlobStore| blobs.finish(device, now, &sent);
    service.node.change_blobs(finish)?;
    let mut worked = Worked::default();
    for file in files {
        let length = blobs.length(file)?.ok_or(Problem::UploadAgain(*file))?;
        worked.stored.push((*file, length));
        Frame::Have(*file).encode(&mut worked.answer);
    }
    Ok(worked)
}
