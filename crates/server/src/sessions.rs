//! Sessions in memory: browsers that redeemed a link, and folders that sync.
//! A node's own and disposable: a client whose session is gone starts another.

use base::{DeviceId, Millis, Random, SpaceId};
use std::collections::HashMap;
use std::hash::Hash as Key;
use std::sync::{Mutex, PoisonError};

use crate::token;

/// A browser stays signed in this long.
pub const BROWSER_MILLIS: Millis = 24 * 60 * 60 * 1000;

/// A sync session ends after this long without a request.
pub const SYNC_MILLIS: Millis = 5 * 60 * 1000;

/// Sessions of each sort held at once; the one idle longest gives way.
const SESSIONS: usize = 10_000;

/// Browsers that may act for a device, by the text of their cookie.
#[derive(Default)]
pub struct Browsers(Mutex<HashMap<String, (DeviceId, Millis)>>);

/// Folders that sync, by (device, space).
#[derive(Default)]
pub struct Syncs(Mutex<HashMap<(DeviceId, SpaceId), Sync>>);

/// One folder's session.
#[derive(Debug, Clone, PartialEq)]
pub struct Sync {
    /// Its public name.
    pub id: String,
    /// When it began.
    pub started: Millis,
    /// Its last request.
    pub seen: Millis,
    /// Files sent and received.
    pub files: Traffic,
    /// Bytes sent and received.
    pub bytes: Traffic,
}

/// A number in each direction, as the client sees it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// From the client to the node.
    pub up: u64,
    /// From the node to the client.
    pub down: u64,
}

impl Browsers {
    /// Signs a browser in; the result is its cookie.
    pub fn start(&self, device: DeviceId, now: Millis, random: &dyn Random) -> String {
        let cookie = token::draw(token::Kind::Session, random);
        let mut browsers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        browsers.retain(|_, (_, until)| *until > now);
        make_room(&mut browsers, |(_, until)| *until);
        browsers.insert(cookie.clone(), (device, now + BROWSER_MILLIS));
        cookie
    }

    /// The device a cookie stands for, while it lasts.
    pub fn device(&self, cookie: &str, now: Millis) -> Option<DeviceId> {
        let browsers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        browsers
            .get(cookie)
            .filter(|(_, until)| *until > now)
            .map(|(device, _)| *device)
    }
}

impl Syncs {
    /// Begins the session of `device` in `space`, or finds it.
    pub fn start(
        &self,
        device: DeviceId,
        space: SpaceId,
        now: Millis,
        random: &dyn Random,
    ) -> Sync {
        let mut syncs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        syncs.retain(|_, sync| sync.seen + SYNC_MILLIS > now);
        if !syncs.contains_key(&(device, space)) {
            make_room(&mut syncs, |sync| sync.seen);
        }
        let sync = syncs.entry((device, space)).or_insert_with(|| Sync {
            id: format!("{:016x}", random.next_u64()),
            started: now,
            seen: now,
            files: Traffic::default(),
            bytes: Traffic::default(),
        });
        sync.seen = now;
        sync.clone()
    }

    /// Notes a request of `device` in `space`; nothing happens without a session.
    pub fn note(
        &self,
        device: DeviceId,
        space: SpaceId,
        now: Millis,
        files: Traffic,
        bytes: Traffic,
    ) {
        let mut syncs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sync) = syncs.get_mut(&(device, space)) {
            sync.seen = now;
            sync.files.up += files.up;
            sync.files.down += files.down;
            sync.bytes.up += bytes.up;
            sync.bytes.down += bytes.down;
        }
    }

    /// A session of `device` by its name.
    pub fn find(&self, device: DeviceId, id: &str, now: Millis) -> Option<(SpaceId, Sync)> {
        let syncs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let live = |sync: &Sync| sync.id == id && sync.seen + SYNC_MILLIS > now;
        syncs
            .iter()
            .find(|((owner, _), sync)| *owner == device && live(sync))
            .map(|((_, space), sync)| (*space, sync.clone()))
    }

    /// How many sessions live.
    pub fn count(&self, now: Millis) -> usize {
        let syncs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        syncs
            .values()
            .filter(|sync| sync.seen + SYNC_MILLIS > now)
            .count()
    }
}

/// Removes the entry with the smallest time when the table is full.
fn make_room<K: Key + Eq + Clone, V>(table: &mut HashMap<K, V>, time: impl Fn(&V) -> Millis) {
    if table.len() < SESSIONS {
        return;
    }
    let oldest = table
        .iter()
        .min_by_key(|(_, value)| time(value))
        .map(|(key, _)| key.clone());
    if let Some(oldest) = oldest {
        table.remove(&oldest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::SeededRandom;

    #[test]
    fn browsers_are_signed_out_in_time() {
        let (browsers, random) = (Browsers::default(), SeededRandom::new(1));
        let cookie = browsers.start(DeviceId::new(1, 0), 0, &random);
        assert_eq!(
            browsers.device(&cookie, BROWSER_MILLIS - 1),
            Some(DeviceId::new(1, 0))
        );
        assert_eq!(browsers.device(&cookie, BROWSER_MILLIS), None);
        assert_eq!(browsers.device("ses_other", 0), None);
    }

    #[test]
    fn a_sync_session_is_found_again_until_it_idles_out() {
        let (syncs, random) = (Syncs::default(), SeededRandom::new(1));
        let (device, space) = (DeviceId::new(1, 0), SpaceId::new(2, 0));
        let first = syncs.start(device, space, 0, &random);
        syncs.note(
            device,
            space,
            10,
            Traffic { up: 1, down: 0 },
            Traffic { up: 9, down: 0 },
        );
        let again = syncs.start(device, space, 20, &random);
        assert_eq!((again.id.as_str(), again.bytes.up), (first.id.as_str(), 9));
        assert_eq!(syncs.find(DeviceId::new(9, 0), &first.id, 20), None);
        assert_ne!(
            syncs.start(device, space, 20 + SYNC_MILLIS, &random).id,
            first.id
        );
    }
}
