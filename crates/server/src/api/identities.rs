//! Tokens that were looked up in the database, for as long as nothing has changed there: an
//! agent sends the same one many times a second.
//!
//! What was found is true for one state of the database. So it is kept with the index that
//! was applied before it was looked up, and anything that is applied afterwards makes it
//! worth nothing; a token that was taken back works for no request more than without this.

use base::DeviceId;
use state::TokenHash;
use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

/// Tokens that are remembered: more than agents of a large site have. When there are more,
/// all are looked up anew.
const TOKENS: usize = 10_000;

/// Devices by their tokens.
#[derive(Default)]
pub struct Identities(RwLock<Known>);

#[derive(Default)]
struct Known {
    /// What was applied when they were looked up.
    applied: u64,
    devices: HashMap<TokenHash, DeviceId>,
}

impl Identities {
    /// The device of a token, if it is known for the state in which so much is applied.
    pub fn find(&self, token: &TokenHash, applied: u64) -> Option<DeviceId> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let found = known.devices.get(token).copied();
        found.filter(|_| known.applied == applied)
    }

    /// Remembers a device that was looked up when at least so much was applied.
    pub fn remember(&self, token: TokenHash, device: DeviceId, applied: u64) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.applied > applied {
            return;
        }
        if known.applied < applied || known.devices.len() >= TOKENS {
            known.devices.clear();
            known.applied = applied;
        }
        known.devices.insert(token, device);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token;

    #[test]
    fn what_is_known_is_known_for_one_state() {
        let identities = Identities::default();
        let token = token::hash("dev_1").unwrap();
        let other = token::hash("dev_2").unwrap();
        let device = DeviceId::ADMIN;
        identities.remember(token, device, 5);
        assert_eq!(identities.find(&token, 5), Some(device));
        assert_eq!(identities.find(&other, 5), None);
        assert_eq!(identities.find(&token, 6), None);
        // Looked up before, and told late.
        identities.remember(other, device, 4);
        assert_eq!(identities.find(&other, 4), None);
        identities.remember(other, device, 6);
        assert_eq!(identities.find(&token, 6), None);
        assert_eq!(identities.find(&other, 6), Some(device));
    }
}
