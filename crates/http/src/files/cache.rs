//! What was loaded, for a bounded time and within bounded room.
//!
//! Each event loop has its own, so there is no lock. A look-up of a path that is
//! known allocates nothing. Paths that lead to nothing have their own room, so
//! that asking for many of them pushes out nothing that exists.

use super::load::Resource;
use super::options::Keep;
use crate::recent::Recent;
use std::sync::Arc;
use std::time::Duration;

/// Loaded resources by path.
#[derive(Debug)]
pub(super) struct Cache {
    found: Recent<Arc<[u8]>, Kept>,
    missing: Recent<Arc<[u8]>, Kept>,
    memory: usize,
    descriptors: usize,
    bounds: Keep,
}

/// What the cache knows of a path.
#[derive(Debug)]
pub(super) enum Look {
    /// Young enough to be answered.
    Fresh(Arc<Resource>),
    /// To be compared with the file system first.
    Stale(Arc<Resource>),
    /// Nothing.
    Unknown,
}

#[derive(Debug)]
struct Kept {
    resource: Arc<Resource>,
    /// When it was last known to be so.
    checked: Duration,
    memory: usize,
    descriptors: usize,
}

impl Cache {
    pub(super) fn new(bounds: Keep) -> Self {
        Self {
            found: Recent::new(bounds.entries),
            missing: Recent::new(bounds.missing),
            memory: 0,
            descriptors: 0,
            bounds,
        }
    }

    /// What is known of `path` at `now`.
    pub(super) fn look(&mut self, path: &[u8], now: Duration) -> Look {
        let age = self.bounds.age;
        let kept = match self.found.get(path) {
            Some(kept) => kept,
            None => match self.missing.get(path) {
                Some(kept) => kept,
                None => return Look::Unknown,
            },
        };
        let resource = Arc::clone(&kept.resource);
        match now.saturating_sub(kept.checked) < age {
            true => Look::Fresh(resource),
            false => Look::Stale(resource),
        }
    }

    /// `path` was found unchanged.
    pub(super) fn confirm(&mut self, path: &[u8], now: Duration) {
        if let Some(kept) = self.found.get(path) {
            kept.checked = now;
        }
    }

    /// Keeps what `path` leads to, and forgets what is used least.
    pub(super) fn keep(&mut self, path: &[u8], resource: &Arc<Resource>, now: Duration) {
        self.forget(path);
        let kept = Kept {
            resource: Arc::clone(resource),
            checked: now,
            memory: resource.weight() + path.len(),
            descriptors: resource.descriptors(),
        };
        self.memory += kept.memory;
        self.descriptors += kept.descriptors;
        let room = match **resource {
            Resource::Missing(_) => &mut self.missing,
            _ => &mut self.found,
        };
        let gone = room.put(Arc::from(path), kept);
        self.discount(gone);
        while self.memory > self.bounds.memory || self.descriptors > self.bounds.descriptors {
            let gone = self
                .found
                .pop_oldest()
                .or_else(|| self.missing.pop_oldest());
            if gone.is_none() {
                break;
            }
            self.discount(gone);
        }
    }

    /// Forgets everything, and with it every descriptor that no answer holds.
    pub(super) fn clear(&mut self) {
        *self = Self::new(self.bounds.clone());
    }

    /// (paths that lead to something, to nothing, bytes, descriptors).
    pub(super) fn room(&self) -> (usize, usize, usize, usize) {
        (
            self.found.len(),
            self.missing.len(),
            self.memory,
            self.descriptors,
        )
    }

    fn forget(&mut self, path: &[u8]) {
        let gone = self.found.remove(path);
        self.discount(gone);
        let gone = self.missing.remove(path);
        self.discount(gone);
    }

    fn discount(&mut self, gone: Option<(Arc<[u8]>, Kept)>) {
        if let Some((_, kept)) = gone {
            self.memory -= kept.memory;
            self.descriptors -= kept.descriptors;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Cache, Look};
    use crate::files::listing::Listing;
    use crate::files::load::Resource;
    use crate::files::options::Keep;
    use http::StatusCode;
    use proptest::prelude::*;
    use std::sync::Arc;
    use std::time::Duration;

    fn found() -> Arc<Resource> {
        Arc::new(Resource::Listing(Listing::new(Vec::new(), false)))
    }

    fn missing() -> Arc<Resource> {
        Arc::new(Resource::Missing(StatusCode::NOT_FOUND))
    }

    #[test]
    fn age_is_bounded_and_confirmed() {
        let mut cache = Cache::new(Keep::default());
        let at = Duration::from_millis;
        cache.keep(b"a", &found(), at(0));
        assert!(matches!(cache.look(b"a", at(999)), Look::Fresh(_)));
        assert!(matches!(cache.look(b"a", at(1000)), Look::Stale(_)));
        cache.confirm(b"a", at(1000));
        assert!(matches!(cache.look(b"a", at(1999)), Look::Fresh(_)));
        assert!(matches!(cache.look(b"b", at(0)), Look::Unknown));
        cache.clear();
        assert!(matches!(cache.look(b"a", at(1000)), Look::Unknown));
    }

    #[test]
    fn asking_for_nothing_pushes_out_nothing() {
        let mut cache = Cache::new(Keep {
            entries: 2,
            missing: 2,
            ..Keep::default()
        });
        let now = Duration::ZERO;
        cache.keep(b"a", &found(), now);
        for index in 0..100u32 {
            cache.keep(index.to_string().as_bytes(), &missing(), now);
        }
        assert!(matches!(cache.look(b"a", now), Look::Fresh(_)));
        assert_eq!((cache.room().0, cache.room().1), (1, 2));
    }

    proptest! {
        /// Whatever is kept: within the bounds, and the sums are those of what is there.
        #[test]
        fn room_is_bounded(steps in proptest::collection::vec((0..20u8, any::<bool>()), 0..200)) {
            let bounds = Keep { entries: 5, missing: 3, memory: 1500, ..Keep::default() };
            let mut cache = Cache::new(bounds.clone());
            for (key, exists) in steps {
                cache.keep(&[key], &if exists { found() } else { missing() }, Duration::ZERO);
                let (found, missing, memory, _) = cache.room();
                prop_assert!(found <= bounds.entries && missing <= bounds.missing);
                prop_assert!(memory <= bounds.memory);
            }
            while cache.found.len() + cache.missing.len() > 0 {
                let gone = cache.found.pop_oldest().or_else(|| cache.missing.pop_oldest());
                cache.discount(gone);
            }
            prop_assert_eq!((cache.memory, cache.descriptors), (0, 0));
        }
    }
}
