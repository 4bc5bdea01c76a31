//! A bounded map that forgets what was used longest ago.
//!
//! It knows nothing of what it keeps: `files` keeps open files in it, `limit`
//! keeps clients. Every operation is O(1); a look-up allocates nothing. It takes
//! no lock and reads no clock. How keys are hashed is the owner's choice.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};

/// At most `capacity` values, in the order of their last use.
#[derive(Debug)]
pub(crate) struct Recent<K, V, S = RandomState> {
    places: HashMap<K, usize, S>,
    slots: Vec<Slot<K, V>>,
    free: Vec<usize>,
    newest: usize,
    oldest: usize,
    capacity: usize,
}

#[derive(Debug)]
struct Slot<K, V> {
    entry: Option<(K, V)>,
    newer: usize,
    older: usize,
}

/// No slot: the end of the list in either direction.
const NONE: usize = usize::MAX;

impl<K: Hash + Eq + Clone, V, S: BuildHasher + Default> Recent<K, V, S> {
    /// Holds nothing yet; `capacity` of 0 counts as 1.
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            places: HashMap::default(),
            slots: Vec::new(),
            free: Vec::new(),
            newest: NONE,
            oldest: NONE,
            capacity: capacity.max(1),
        }
    }

    /// How many values it holds.
    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    /// The value of `key`, which becomes the newest.
    pub(crate) fn get<Q>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let place = *self.places.get(key)?;
        self.refresh(place);
        self.slots[place].entry.as_mut().map(|(_, value)| value)
    }

    /// Keeps `value`, as the newest; gives back what had to leave for it: the
    /// key's former value, or the oldest entry of a full map.
    pub(crate) fn put(&mut self, key: K, value: V) -> Option<(K, V)> {
        let gone = if self.places.contains_key(&key) {
            self.remove(&key)
        } else if self.len() >= self.capacity {
            self.pop_oldest()
        } else {
            None
        };
        let entry = Some((key.clone(), value));
        let place = if let Some(place) = self.free.pop() {
            self.slots[place].entry = entry;
            place
        } else {
            self.slots.push(Slot {
                entry,
                newer: NONE,
                older: NONE,
            });
            self.slots.len() - 1
        };
        self.places.insert(key, place);
        self.link_newest(place);
        gone
    }

    /// Forgets `key`.
    pub(crate) fn remove<Q>(&mut self, key: &Q) -> Option<(K, V)>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let place = self.places.remove(key)?;
        self.unlink(place);
        self.free.push(place);
        self.slots[place].entry.take()
    }

    /// Forgets the entry that was used longest ago.
    pub(crate) fn pop_oldest(&mut self) -> Option<(K, V)> {
        let place = self.oldest;
        let key = self.slots.get(place)?.entry.as_ref()?.0.clone();
        self.remove(&key)
    }

    fn refresh(&mut self, place: usize) {
        if self.newest != place {
            self.unlink(place);
            self.link_newest(place);
        }
    }

    fn unlink(&mut self, place: usize) {
        let (newer, older) = (self.slots[place].newer, self.slots[place].older);
        match newer {
            NONE => self.newest = older,
            slot => self.slots[slot].older = older,
        }
        match older {
            NONE => self.oldest = newer,
            slot => self.slots[slot].newer = newer,
        }
    }

    fn link_newest(&mut self, place: usize) {
        self.slots[place].newer = NONE;
        self.slots[place].older = self.newest;
        match self.newest {
            NONE => self.oldest = place,
            slot => self.slots[slot].newer = place,
        }
        self.newest = place;
    }
}

#[cfg(test)]
mod tests {
    use super::Recent;
    use proptest::prelude::*;

    #[derive(Debug, Clone)]
    enum Step {
        Get(u8),
        Put(u8, u16),
        Remove(u8),
        Pop,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            (0..12u8).prop_map(Step::Get),
            (0..12u8, any::<u16>()).prop_map(|(key, value)| Step::Put(key, value)),
            (0..12u8).prop_map(Step::Remove),
            Just(Step::Pop),
        ];
        proptest::collection::vec(step, 0..200)
    }

    proptest! {
        /// It behaves as a list kept by hand, newest last.
        #[test]
        fn agrees_with_a_plain_list(steps in steps(), capacity in 1..6usize) {
            let mut recent: Recent<u8, u16> = Recent::new(capacity);
            let mut model: Vec<(u8, u16)> = Vec::new();
            for step in steps {
                match step {
                    Step::Get(key) => {
                        let at = model.iter().position(|entry| entry.0 == key);
                        let expected = at.map(|at| {
                            let entry = model.remove(at);
                            model.push(entry);
                            entry.1
                        });
                        prop_assert_eq!(recent.get(&key).copied(), expected);
                    }
                    Step::Put(key, value) => {
                        let at = model.iter().position(|entry| entry.0 == key);
                        let gone = match at {
                            Some(at) => Some(model.remove(at)),
                            None if model.len() == capacity => Some(model.remove(0)),
                            None => None,
                        };
                        model.push((key, value));
                        prop_assert_eq!(recent.put(key, value), gone);
                    }
                    Step::Remove(key) => {
                        let at = model.iter().position(|entry| entry.0 == key);
                        prop_assert_eq!(recent.remove(&key), at.map(|at| model.remove(at)));
                    }
                    Step::Pop => {
                        let gone = (!model.is_empty()).then(|| model.remove(0));
                        prop_assert_eq!(recent.pop_oldest(), gone);
                    }
                }
                prop_assert_eq!(recent.len(), model.len());
                prop_assert!(recent.slots.len() <= capacity);
            }
        }
    }
}
