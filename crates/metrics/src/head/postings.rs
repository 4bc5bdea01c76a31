//! The labels of a shard's series, each pair of a name and a value once, and which series
//! have it.
//!
//! A series is told by the numbers of its pairs, four bytes each instead of some twenty: of
//! a million series most share all values but one. The same lists of parts lie in files and
//! are made once (`part`); these change.

use super::verdicts::Verdict;
use crate::eval::{EvalError, Labels, Watch};
use hashbrown::{DefaultHashBuilder, HashTable};
use std::collections::BTreeMap;
use std::hash::BuildHasher;

/// Ends names and values in the form of [`Labels`].
const END: u8 = 0xff;

/// The numbers of a series' pairs, by the names of its labels.
pub(super) type Pairs = Box<[u32]>;

/// The pairs of a shard.
#[derive(Debug, Default)]
pub(super) struct Postings {
    /// By their numbers.
    pairs: Vec<Option<Pair>>,
    /// Numbers by the hash of the pair.
    numbers: HashTable<u32>,
    names: BTreeMap<Box<str>, Values>,
    /// Numbers without a pair.
    free: Vec<u32>,
    hasher: DefaultHashBuilder,
}

/// A label, and who has it.
#[derive(Debug)]
struct Pair {
    /// `name FF value FF`
    bytes: Box<[u8]>,
    /// Bytes of the name.
    name: u16,
    /// The slots of series, in their order.
    slots: Vec<u32>,
}

/// The pairs of one name.
#[derive(Debug, Default)]
struct Values {
    pairs: Vec<u32>,
    /// How many of them have gone. Their numbers are free once they are not listed.
    gone: usize,
}

/// The slots that can hold a series which matches.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Candidates {
    /// Any slot.
    All,
    /// These, each once.
    Listed(Vec<u32>),
}

impl Postings {
    /// The pairs of these labels, in the form of [`Labels::as_bytes`], if all are there.
    pub(super) fn find(&self, labels: &[u8]) -> Option<Pairs> {
        pieces(labels).map(|pair| self.number(pair)).collect()
    }

    /// The pairs of these labels, made where they are not there, with the slot of a series
    /// that has them.
    pub(super) fn add(&mut self, slot: u32, labels: &[u8]) -> Pairs {
        let numbers = pieces(labels).map(|bytes| {
            let number = self.number(bytes).unwrap_or_else(|| self.insert(bytes));
            if let Some(pair) = &mut self.pairs[number as usize] {
                // Most often the slot is a new one, the highest.
                let place = pair.slots.partition_point(|other| *other < slot);
                if pair.slots.len() == pair.slots.capacity() {
                    // Doubling would leave a third of all lists empty.
                    pair.slots.reserve_exact(pair.slots.len() / 8 + 1);
                }
                pair.slots.insert(place, slot);
            }
            number
        });
        numbers.collect()
    }

    /// No series has these slots any more, which `is_gone` knows; they had these pairs.
    pub(super) fn remove(&mut self, mut pairs: Vec<u32>, is_gone: impl Fn(u32) -> bool) {
        pairs.sort_unstable();
        pairs.dedup();
        for number in pairs {
            let Some(pair) = &mut self.pairs[number as usize] else {
                continue;
            };
            pair.slots.retain(|slot| !is_gone(*slot));
            if pair.slots.is_empty() {
                self.forget(number);
            }
        }
    }

    /// The labels of a series.
    pub(super) fn labels(&self, pairs: &[u32]) -> Labels {
        let bytes = pairs.iter().map(|number| &*self.pair(*number).bytes);
        Labels::of_pairs(&bytes.collect::<Vec<_>>().concat())
    }

    /// Whether a series has these labels, in the form of [`Labels::as_bytes`].
    pub(super) fn are(&self, pairs: &[u32], labels: &[u8]) -> bool {
        let mut rest = Some(labels);
        for number in pairs {
            rest = rest.and_then(|rest| rest.strip_prefix(&*self.pair(*number).bytes));
        }
        rest.is_some_and(<[u8]>::is_empty)
    }

    /// The value of a label, empty if the series does not have it.
    pub(super) fn value(&self, pairs: &[u32], name: &str) -> &str {
        let mut pairs = pairs.iter().map(|number| self.pair(*number));
        let found = pairs.find(|pair| pair.name() == name.as_bytes());
        found.map_or("", Pair::value)
    }

    /// The names of a series' labels.
    pub(super) fn names_of(&self, pairs: &[u32]) -> impl Iterator<Item = &str> {
        let pairs = pairs.iter().map(|number| self.pair(*number));
        pairs.map(|pair| text(pair.name()))
    }

    /// Slots among which are all of series that match. Those that do not match are among
    /// them too: the shortest list is taken, and the labels decide.
    ///
    /// # Errors
    /// [`EvalError::Canceled`] when `watch` says so.
    pub(super) fn candidates(
        &self,
        matchers: &[Verdict<'_>],
        watch: &mut Watch<'_>,
    ) -> Result<Candidates, EvalError> {
        let mut shortest: Option<Vec<u32>> = None;
        for matcher in matchers {
            let Some(list) = self.listed(matcher, watch)? else {
                continue;
            };
            if shortest
                .as_ref()
                .is_none_or(|other| list.len() < other.len())
            {
                shortest = Some(list);
            }
        }
        Ok(shortest.map_or(Candidates::All, Candidates::Listed))
    }

    /// The names of labels.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.keys().map(|name| &**name)
    }

    /// The values of a label.
    pub(super) fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.pairs_of(name).map(Pair::value)
    }

    /// The values of a label, and how many series have each.
    pub(super) fn series_by_value(&self, name: &str) -> impl Iterator<Item = (&str, u64)> {
        let pairs = self.pairs_of(name);
        pairs.map(|pair| (pair.value(), pair.slots.len() as u64))
    }

    /// The slots of series that a matcher chooses, unless it chooses those without the
    /// label too.
    fn listed(
        &self,
        verdict: &Verdict<'_>,
        watch: &mut Watch<'_>,
    ) -> Result<Option<Vec<u32>>, EvalError> {
        let matcher = verdict.matcher;
        if verdict.matches("") {
            return Ok(None);
        }
        // A series has one value of a label, so no slot comes twice.
        let mut slots = Vec::new();
        if let Some(values) = matcher.listed() {
            for value in values {
                watch.look()?;
                let pair = [matcher.name().as_bytes(), &[END], value.as_bytes(), &[END]];
                if let Some(number) = self.number(&pair.concat()) {
                    slots.extend_from_slice(&self.pair(number).slots);
                }
            }
            return Ok(Some(slots));
        }
        for pair in self.pairs_of(matcher.name()) {
            watch.look()?;
            if verdict.matches(pair.value()) {
                slots.extend_from_slice(&pair.slots);
            }
        }
        Ok(Some(slots))
    }

    fn pairs_of(&self, name: &str) -> impl Iterator<Item = &Pair> {
        let values = self.names.get(name).into_iter();
        let numbers = values.flat_map(|values| &values.pairs);
        numbers.filter_map(|number| self.pairs[*number as usize].as_ref())
    }

    fn number(&self, pair: &[u8]) -> Option<u32> {
        let is_it = |number: &u32| *self.pair(*number).bytes == *pair;
        let found = self.numbers.find(self.hasher.hash_one(pair), is_it);
        found.copied()
    }

    fn pair(&self, number: u32) -> &Pair {
        let pair = self.pairs[number as usize].as_ref();
        pair.expect("the pairs of a series are there")
    }

    fn insert(&mut self, bytes: &[u8]) -> u32 {
        let name = bytes.iter().position(|byte| *byte == END);
        let pair = Pair {
            bytes: bytes.into(),
            name: name.unwrap_or(bytes.len()) as u16,
            slots: Vec::new(),
        };
        let name = text(pair.name());
        if !self.names.contains_key(name) {
            self.names.insert(name.into(), Values::default());
        }
        let number = self.free.pop().unwrap_or_else(|| {
            self.pairs.push(None);
            self.pairs.len() as u32 - 1
        });
        if let Some(values) = self.names.get_mut(name) {
            values.pairs.push(number);
        }
        self.pairs[number as usize] = Some(pair);
        let Self {
            pairs,
            numbers,
            hasher,
            ..
        } = self;
        let hash_of = |number: &u32| {
            let pair = pairs[*number as usize].as_ref();
            hasher.hash_one(pair.map_or(&[][..], |pair| &pair.bytes))
        };
        numbers.insert_unique(hasher.hash_one(bytes), number, hash_of);
        number
    }

    fn forget(&mut self, number: u32) {
        let Some(pair) = self.pairs[number as usize].take() else {
            return;
        };
        let hash = self.hasher.hash_one(&*pair.bytes);
        if let Ok(entry) = self.numbers.find_entry(hash, |other| *other == number) {
            entry.remove();
        }
        let name = text(pair.name());
        let Some(values) = self.names.get_mut(name) else {
            return;
        };
        values.gone += 1;
        if values.gone == values.pairs.len() {
            self.free.append(&mut values.pairs);
            self.names.remove(name);
        } else if values.gone * 2 > values.pairs.len() {
            let pairs = &self.pairs;
            let gone = values
                .pairs
                .extract_if(.., |number| pairs[*number as usize].is_none());
            self.free.extend(gone);
            values.gone = 0;
        }
    }
}

impl Pair {
    fn name(&self) -> &[u8] {
        &self.bytes[..usize::from(self.name)]
    }

    fn value(&self) -> &str {
        text(&self.bytes[usize::from(self.name) + 1..self.bytes.len() - 1])
    }
}

/// The pairs of labels, each with its ends.
fn pieces(labels: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = labels;
    std::iter::from_fn(move || {
        let name = rest.iter().position(|byte| *byte == END)? + 1;
        let value = rest[name..].iter().position(|byte| *byte == END)? + 1;
        let (pair, behind) = rest.split_at(name + value);
        rest = behind;
        Some(pair)
    })
}

fn text(part: &[u8]) -> &str {
    std::str::from_utf8(part).expect("only texts are put into labels")
}

#[cfg(test)]
mod tests {
    use super::super::verdicts::Verdicts;
    use super::*;
    use crate::promql::parse_selector;

    fn labels(text: &str) -> Labels {
        let (name, job) = text.split_once(",job=").unwrap();
        Labels::new([("__name__", name), ("job", job)])
    }

    #[test]
    fn the_shortest_list_that_a_matcher_gives() {
        let mut postings = Postings::default();
        let series = ["up,job=a", "up,job=b", "up,job=b", "down,job=c"].map(labels);
        let numbered = (0..).zip(&series);
        let pairs: Vec<Pairs> = numbered
            .map(|(slot, labels)| postings.add(slot, labels.as_bytes()))
            .collect();
        let check = |postings: &Postings, selector: &str, expected: Candidates| {
            let selector_tree = parse_selector(selector).unwrap();
            let mut watch = Watch::new(&|| false);
            let verdicts = Verdicts::new(selector_tree.matchers());
            let found = postings.candidates(verdicts.all(), &mut watch);
            let mut found = found.unwrap();
            if let Candidates::Listed(slots) = &mut found {
                slots.sort_unstable();
            }
            assert_eq!(found, expected, "{selector}");
        };
        let listed = |slots: &[u32]| Candidates::Listed(slots.to_vec());
        check(&postings, "up", listed(&[0, 1, 2]));
        check(&postings, "up{job=\"b\"}", listed(&[1, 2]));
        check(&postings, "{job=~\"a|c\"}", listed(&[0, 3]));
        check(&postings, "{job!=\"\"}", listed(&[0, 1, 2, 3]));
        check(&postings, "{none=\"x\"}", listed(&[]));
        check(&postings, "up{none=\"\"}", listed(&[0, 1, 2]));
        assert_eq!(postings.labels(&pairs[0]), series[0]);
        assert!(postings.are(&pairs[0], series[0].as_bytes()));
        assert!(!postings.are(&pairs[0], series[1].as_bytes()));
        assert_eq!(postings.value(&pairs[3], "job"), "c");
        assert_eq!(postings.find(series[3].as_bytes()), Some(pairs[3].clone()));
        assert_eq!(postings.find(labels("none,job=a").as_bytes()), None);
        postings.remove(pairs[1].to_vec(), |slot| slot == 1);
        check(&postings, "up{job=\"b\"}", listed(&[2]));
        postings.remove(pairs.concat(), |_| true);
        assert_eq!(postings.names().count(), 0);
        let all = postings.candidates(&[], &mut Watch::new(&|| false));
        assert_eq!(all.unwrap(), Candidates::All);
        assert_eq!(postings.free.len(), postings.pairs.len());
    }

    #[test]
    fn numbers_are_used_again_when_nothing_lists_them() {
        let mut postings = Postings::default();
        for round in 0..50_u32 {
            let slots = round * 10..(round + 1) * 10;
            let added = slots.clone().map(|slot| {
                let labels = labels(&format!("up,job={slot}"));
                (slot, postings.add(slot, labels.as_bytes()))
            });
            let added: Vec<_> = added.collect();
            // One of each round stays.
            let gone = added[1..].iter().flat_map(|(_, pairs)| pairs.to_vec());
            postings.remove(gone.collect(), |slot| slot % 10 != 0);
            assert_eq!(postings.values("job").count() as u32, round + 1);
        }
        assert!(postings.pairs.len() < 130, "{}", postings.pairs.len());
        let mut values: Vec<_> = postings.values("job").map(str::to_owned).collect();
        values.sort_by_key(|value| value.parse::<u32>().unwrap());
        assert_eq!(values[..3], ["0", "10", "20"]);
    }
}
