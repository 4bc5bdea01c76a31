//! The labels of a series, its name among them, in one piece of memory: equal labels are
//! equal bytes.
//!
//! ```text
//! name FF value FF name FF value FF …        sorted by name
//! ```
//!
//! `FF` stands in no UTF-8, so nothing is escaped, and labels are compared and hashed
//! without being taken apart.

use crate::promql::{METRIC_NAME, quote};
use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

/// Labels that are of the measured itself, and no longer true of what is computed of it.
const NAMING: [&str; 3] = [METRIC_NAME, "__type__", "__unit__"];

/// Behind each name and each value.
const END: u8 = 0xff;

/// The labels of a series. A label with an empty value is a label that is not there.
///
/// They are ordered as Prometheus orders results: by the first label's name, its value,
/// the second label's name, and so on.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Labels(Arc<[u8]>);

impl Labels {
    /// Labels in any order. Of several with one name, the last counts.
    pub fn new<N, V>(labels: impl IntoIterator<Item = (N, V)>) -> Self
    where
        N: AsRef<str>,
        V: AsRef<str>,
    {
        let mut labels: Vec<(N, V)> = labels.into_iter().collect();
        labels.reverse();
        labels.sort_by(|one, other| one.0.as_ref().cmp(other.0.as_ref()));
        labels.dedup_by(|later, first| later.0.as_ref() == first.0.as_ref());
        let labels = labels.iter();
        Self::sorted(labels.map(|(name, value)| (name.as_ref(), value.as_ref())))
    }

    /// No labels.
    pub fn empty() -> Self {
        Self(Arc::default())
    }

    /// Labels from the bytes that [`Labels::as_bytes`] gave, unless they are none.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let ends = bytes.iter().filter(|byte| **byte == END).count();
        let is_closed = ends % 2 == 0 && bytes.last().is_none_or(|last| *last == END);
        let labels = Self(bytes.into());
        let is_text = |part: &[u8]| !part.is_empty() && std::str::from_utf8(part).is_ok();
        let is_sound = is_closed
            && labels
                .pairs()
                .all(|(name, value)| is_text(name) && is_text(value))
            && labels.pairs().is_sorted_by(|one, other| one.0 < other.0);
        is_sound.then_some(labels)
    }

    /// Labels from pairs that are in their one form, by their names.
    pub(crate) fn of_pairs(bytes: &[u8]) -> Self {
        debug_assert!(Self::from_bytes(bytes).is_some());
        Self(bytes.into())
    }

    /// The one form of these labels, equal for equal labels.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of a label, empty if it is not there.
    pub fn get(&self, name: &str) -> &str {
        let mut labels = self.pairs();
        let found = labels.find(|(found, _)| *found == name.as_bytes());
        found.map_or("", |(_, value)| text(value))
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs().map(|(name, value)| (text(name), text(value)))
    }

    /// The same without what says what was measured: the series' name, and its type and
    /// unit where labels tell those.
    #[must_use]
    pub fn without_name(&self) -> Self {
        self.filtered(|name| !NAMING.iter().any(|other| other.as_bytes() == name))
    }

    /// Only these.
    #[must_use]
    pub fn only(&self, names: &[String]) -> Self {
        self.filtered(|name| is_among(names, name))
    }

    /// All but these.
    #[must_use]
    pub fn without(&self, names: &[String]) -> Self {
        self.filtered(|name| !is_among(names, name))
    }

    /// The same with this label in place of what it was; an empty value takes it away.
    #[must_use]
    pub fn with(&self, name: &str, value: &str) -> Self {
        let others = self.iter().filter(|(other, _)| *other != name);
        Self::new(others.chain([(name, value)]))
    }

    /// Bytes that they take.
    pub fn size(&self) -> usize {
        self.0.len()
    }

    /// The same for the same labels in every process.
    pub(super) fn fingerprint(&self) -> u64 {
        // FNV-1a, whose high bits are then mixed as in MurmurHash3.
        let start = 0xcbf2_9ce4_8422_2325_u64;
        let hash = self.0.iter().fold(start, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
        });
        let hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        let hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        hash ^ (hash >> 33)
    }

    fn sorted<'a>(labels: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let mut bytes = Vec::new();
        encode(labels, &mut bytes);
        Self(bytes.into())
    }

    fn filtered(&self, keep: impl Fn(&[u8]) -> bool) -> Self {
        let mut bytes = Vec::with_capacity(self.0.len());
        for (name, value) in self.pairs().filter(|(name, _)| keep(name)) {
            push(&mut bytes, name, value);
        }
        Self(bytes.into())
    }

    fn pairs(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut parts = self.0.split(|byte| *byte == END);
        // Behind the last end lies one more part, which is empty.
        std::iter::from_fn(move || Some((parts.next()?, parts.next()?)))
    }
}

/// Appends what [`Labels::as_bytes`] would be of labels that come by their names, each
/// name once.
pub(crate) fn encode<'a>(labels: impl Iterator<Item = (&'a str, &'a str)>, bytes: &mut Vec<u8>) {
    for (name, value) in labels.filter(|(_, value)| !value.is_empty()) {
        push(bytes, name.as_bytes(), value.as_bytes());
    }
}

fn push(bytes: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    for part in [name, value] {
        bytes.extend_from_slice(part);
        bytes.push(END);
    }
}

fn is_among(names: &[String], name: &[u8]) -> bool {
    names.iter().any(|other| other.as_bytes() == name)
}

fn text(part: &[u8]) -> &str {
    std::str::from_utf8(part).expect("only texts are put into labels")
}

impl Ord for Labels {
    fn cmp(&self, other: &Self) -> Ordering {
        let mut bytes = self.0.iter().zip(other.0.iter());
        match bytes.find(|(one, other)| one != other) {
            // What ends first is the shorter of two names or values, and comes first.
            Some((&END, _)) => Ordering::Less,
            Some((_, &END)) => Ordering::Greater,
            Some((one, other)) => one.cmp(other),
            None => self.0.len().cmp(&other.0.len()),
        }
    }
}

impl PartialOrd for Labels {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// `{__name__="up", job="node"}`, as Prometheus writes them in its messages.
impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (index, (name, value)) in self.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            let value = quote(value.as_bytes());
            if is_plain(name) {
                write!(f, "{comma}{name}={value}")?;
            } else {
                write!(f, "{comma}{}={value}", quote(name.as_bytes()))?;
            }
        }
        f.write_str("}")
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Whether a label's name needs no quotes.
fn is_plain(name: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    name.bytes().next().is_some_and(is_letter)
        && name
            .bytes()
            .all(|byte| is_letter(byte) || byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::Labels;

    fn labels(text: &str) -> Labels {
        let pairs = text.split(' ').filter_map(|pair| pair.split_once('='));
        Labels::new(pairs)
    }

    #[test]
    fn they_are_sorted_and_the_last_of_a_name_counts() {
        let check = |text: &str, expected: &str| assert_eq!(labels(text).to_string(), expected);
        check("", "{}");
        check("b=2 a=1", r#"{a="1", b="2"}"#);
        check("a=1 b=2 a=3", r#"{a="3", b="2"}"#);
        check("a=1 a=", "{}");
        check(r#"a.b=x"y"#, r#"{"a.b"="x\"y"}"#);
    }

    #[test]
    fn order_is_that_of_names_and_values() {
        let ordered = ["", "a=1", "a=1 b=1", "a=11", "a=1x", "a=2", "aa=1", "b=1"];
        for (index, one) in ordered.iter().enumerate() {
            for (other_index, other) in ordered.iter().enumerate() {
                let expected = index.cmp(&other_index);
                assert_eq!(labels(one).cmp(&labels(other)), expected, "{one} {other}");
            }
        }
    }

    #[test]
    fn bytes_of_them() {
        for text in ["", "a=1", "a=1 b=2 c=x"] {
            let all = labels(text);
            assert_eq!(Labels::from_bytes(all.as_bytes()), Some(all));
        }
        let check = |bytes: &[u8]| assert_eq!(Labels::from_bytes(bytes), None, "{bytes:x?}");
        check(b"a");
        check(b"a\xff1");
        check(b"a\xff");
        check(b"a\xff\xff");
        check(b"a\xff1\xffb\xff");
        check(b"b\xff1\xffa\xff1\xff");
        check(b"a\xff1\xffa\xff1\xff");
        check(b"a\xff\x80\xff");
    }

    #[test]
    fn parts_of_them() {
        let all = labels("__name__=up job=node instance=1");
        let names = ["job".to_owned(), "none".to_owned()];
        assert_eq!(all.get("job"), "node");
        assert_eq!(all.get("jo"), "");
        assert_eq!(all.only(&names), labels("job=node"));
        assert_eq!(all.without(&names), labels("__name__=up instance=1"));
        assert_eq!(all.without_name(), labels("job=node instance=1"));
        let typed = labels("__name__=up __type__=gauge __unit__=s job=node");
        assert_eq!(typed.without_name(), labels("job=node"));
        assert_eq!(all.with("job", ""), labels("__name__=up instance=1"));
        assert_eq!(all.with("a", "b").get("a"), "b");
        assert_ne!(all.fingerprint(), all.without_name().fingerprint());
    }
}
