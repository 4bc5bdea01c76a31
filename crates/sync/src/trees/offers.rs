//! What was given to the node and not yet answered for.
//!
//! An offer is kept before it is sent. When the process is killed, or the
//! connection breaks, before the answer comes, the next look knows by it that
//! news of such a place may be this client's own ([`crate::plan`], rule 7).

use super::{Trees, TreesError};
use base::{DeviceId, ItemId, Millis};
use rusqlite::params;
use state::Version;

impl Trees {
    /// Notes, before they are sent, that the entries at `places` are given to the
    /// node, or deleted there. Kept at once: the next process must know of it. Returns the number
    /// under which to [`Trees::heard`] the answer.
    ///
    /// # Errors
    /// [`TreesError`].
    pub fn offer(&self, places: &[(ItemId, &str)], now: Millis) -> Result<i64, TreesError> {
        let mut bytes = Vec::new();
        for (parent, name) in places {
            bytes.extend_from_slice(&parent.to_u64().to_le_bytes());
            // A name has at most 255 bytes.
            bytes.push(name.len() as u8);
            bytes.extend_from_slice(name.as_bytes());
        }
        self.connection
            .prepare_cached("INSERT INTO offers (places, time) VALUES (?, ?)")
            .and_then(|mut insert| insert.insert(params![bytes, now as i64]))
            .map_err(self.error())
    }

    /// Forgets an offer: what came of it is noted in the same transaction.
    ///
    /// # Errors
    /// [`TreesError`].
    pub fn heard(&self, number: i64) -> Result<(), TreesError> {
        self.connection
            .prepare_cached("DELETE FROM offers WHERE number = ?")
            .and_then(|mut delete| delete.execute([number]))
            .map(drop)
            .map_err(self.error())
    }

    /// Remembers the offers of `device` whose answers were never heard: news of
    /// these places that `device` made are its own ([`crate::plan::Remote::own`]).
    ///
    /// # Errors
    /// [`TreesError`].
    pub fn recall(&mut self, device: DeviceId) -> Result<(), TreesError> {
        self.device = Some(device);
        let mut offers = Vec::new();
        {
            let mut statement = self
                .connection
                .prepare_cached("SELECT places FROM offers")
                .map_err(self.error())?;
            let rows = statement
                .query_map([], |row| row.get::<_, Vec<u8>>(0))
                .map_err(self.error())?;
            for row in rows {
                offers.push(row.map_err(self.error())?);
            }
        }
        self.unheard = offers.iter().flat_map(|bytes| places_of(bytes)).collect();
        Ok(())
    }

    /// Forgets the offers made before `before`: the node has decided them, and
    /// everything was looked at since. What stands there later is nobody's lost
    /// answer, also when this device made it by another way.
    ///
    /// # Errors
    /// [`TreesError`].
    pub fn settle_offers(&mut self, before: Millis) -> Result<(), TreesError> {
        let settled = self
            .connection
            .prepare_cached("DELETE FROM offers WHERE time < ?")
            .and_then(|mut delete| delete.execute([before as i64]))
            .map_err(self.error())?;
        match self.device {
            Some(device) if settled > 0 => self.recall(device),
            _ => Ok(()),
        }
    }

    /// Whether any offer's answer was never heard.
    pub fn has_unheard(&self) -> bool {
        !self.unheard.is_empty()
    }

    /// Whether the newest news of `item` is a deletion that this client gave the
    /// node without having heard the answer.
    ///
    /// # Errors
    /// [`TreesError`].
    pub fn was_deleted_here(&self, item: ItemId) -> Result<bool, TreesError> {
        if self.unheard.is_empty() {
            return Ok(false);
        }
        let news = self.news_of(item)?;
        Ok(news.is_some_and(|news| news.state.is_none() && self.is_own(&news)))
    }

    pub(crate) fn is_own(&self, version: &Version) -> bool {
        // The admin is nobody in particular: several folders may be.
        self.device == Some(version.device)
            && version.device != DeviceId::ADMIN
            && self
                .unheard
                .contains(&(version.parent, version.name.as_str().to_owned()))
    }
}

/// Reads what [`Trees::offer`] wrote; stops where it is damaged.
fn places_of(mut bytes: &[u8]) -> Vec<(ItemId, String)> {
    let mut places = Vec::new();
    while let Some((head, rest)) = bytes.split_first_chunk::<9>() {
        let mut parent = [0; 8];
        parent.copy_from_slice(&head[..8]);
        let (Some(parent), Some(name)) = (
            ItemId::from_u64(u64::from_le_bytes(parent)),
            rest.get(..usize::from(head[8])),
        ) else {
            break;
        };
        places.push((parent, String::from_utf8_lossy(name).into_owned()));
        bytes = &rest[name.len()..];
    }
    places
}
