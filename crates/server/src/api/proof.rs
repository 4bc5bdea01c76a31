//! Proofs of possession. A device that uploads a large file which the node
//! happens to hold for others must not learn that, nor may a hash alone open
//! the bytes: it sends them as if they were new, and they are compared with
//! what is stored instead of being stored again.

use crate::problem::Problem;
use base::{DeviceId, Hash, Millis, limits};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use store::blob::BlobReader;

/// Proofs under way in all; each holds a file open. The oldest gives way, and
/// its device begins again.
const PROOFS: usize = 256;

/// Separate stretches of one proof: chunks arrive mostly in order.
const STRETCHES: usize = 4096;

/// Proofs under way, by who proves what.
#[derive(Default)]
pub struct Proofs(Mutex<HashMap<(DeviceId, Hash), Proof>>);

struct Proof {
    stored: Arc<BlobReader>,
    /// Proven byte ranges: rising, apart.
    proven: Vec<(u64, u64)>,
    started: Millis,
}

impl Proofs {
    /// Begins a proof, or goes on with one.
    pub fn begin(&self, device: DeviceId, now: Millis, file: Hash, stored: BlobReader) {
        let mut proofs = self.lock();
        proofs.retain(|_, proof| proof.started + limits::LEASE_MILLIS > now);
        if proofs.len() >= PROOFS
            && let Some(oldest) = proofs
                .iter()
                .min_by_key(|(_, proof)| proof.started)
                .map(|(key, _)| *key)
        {
            proofs.remove(&oldest);
        }
        proofs.entry((device, file)).or_insert_with(|| Proof {
            stored: Arc::new(stored),
            proven: Vec::new(),
            started: now,
        });
    }

    /// Compares a chunk with what is stored. False when the device proves
    /// nothing about `file`: it is an ordinary upload then.
    ///
    /// # Errors
    /// [`Problem::Frames`] for other bytes, [`Problem::Internal`] when the disk
    /// fails.
    pub fn take(
        &self,
        device: DeviceId,
        file: Hash,
        offset: u64,
        bytes: &[u8],
    ) -> Result<bool, Problem> {
        let Some(stored) = self
            .lock()
            .get(&(device, file))
            .map(|proof| Arc::clone(&proof.stored))
        else {
            return Ok(false);
        };
        if !holds(&stored, offset, bytes)
            .map_err(|error| Problem::Internal(format!("cannot read content {file}: {error}")))?
        {
            return Err(Problem::Frames(format!(
                "the bytes at {offset} are not those of {file}"
            )));
        }
        if let Some(proof) = self.lock().get_mut(&(device, file)) {
            proof.add(offset, offset + bytes.len() as u64)?;
        }
        Ok(true)
    }

    /// Ends a proof. True when all bytes were proven, false when nothing was
    /// being proven.
    ///
    /// # Errors
    /// [`Problem::UploadAgain`] while bytes are missing; the proof can go on.
    pub fn complete(&self, device: DeviceId, file: Hash) -> Result<bool, Problem> {
        let mut proofs = self.lock();
        let Some(proof) = proofs.get(&(device, file)) else {
            return Ok(false);
        };
        if proof.proven != [(0, proof.stored.len())] {
            return Err(Problem::UploadAgain(file));
        }
        proofs.remove(&(device, file));
        Ok(true)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(DeviceId, Hash), Proof>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Proof {
    fn add(&mut self, start: u64, end: u64) -> Result<(), Problem> {
        let place = self.proven.partition_point(|&(_, known)| known < start);
        let mut merged = (start, end);
        let overlapping = self.proven[place..]
            .iter()
            .take_while(|&&(known, _)| known <= end)
            .count();
        for &(known_start, known_end) in &self.proven[place..place + overlapping] {
            merged = (merged.0.min(known_start), merged.1.max(known_end));
        }
        self.proven.splice(place..place + overlapping, [merged]);
        if self.proven.len() > STRETCHES {
            return Err(Problem::Frames(
                "chunks come in too many separate places".to_owned(),
            ));
        }
        Ok(())
    }
}

fn holds(stored: &BlobReader, offset: u64, bytes: &[u8]) -> std::io::Result<bool> {
    let mut compared = 0;
    let mut buffer = vec![0; bytes.len()];
    while compared < bytes.len() {
        let read = stored.read_at(&mut buffer[compared..], offset + compared as u64)?;
        if read == 0 {
            return Ok(false);
        }
        compared += read;
    }
    Ok(buffer == bytes)
}
