//! What content the space has or had, as far as this client knows: a new file with
//! such content, as a renamed one is, needs only its commit.
//!
//! Kept in memory by the first bytes of each hash, and only from the first new file
//! on. A guess, not a promise: content that the node let go meanwhile, or of which
//! only those bytes are equal, is sent when the node asks for it (`upload`).

use base::Hash;
use std::collections::HashSet;
use std::sync::{PoisonError, RwLock};

/// See the module. Empty until it is filled.
#[derive(Debug, Default)]
pub struct Known(RwLock<Option<HashSet<u64>>>);

impl Known {
    /// Whether it waits to be filled.
    pub fn is_unfilled(&self) -> bool {
        self.read(|known| known.is_none())
    }

    /// Begins with these contents.
    pub fn fill(&self, hashes: HashSet<u64>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(hashes);
    }

    /// The space has `hash` from now on.
    pub fn add(&self, hash: &Hash) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = &mut *known {
            known.insert(beginning(hash));
        }
    }

    /// Whether the space probably has `hash`.
    pub fn has(&self, hash: &Hash) -> bool {
        self.read(|known| {
            known
                .as_ref()
                .is_some_and(|known| known.contains(&beginning(hash)))
        })
    }

    fn read<T>(&self, look: impl FnOnce(&Option<HashSet<u64>>) -> T) -> T {
        look(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The part of a hash that is kept.
pub fn beginning(hash: &Hash) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&hash.as_bytes()[..8]);
    u64::from_le_bytes(bytes)
}
