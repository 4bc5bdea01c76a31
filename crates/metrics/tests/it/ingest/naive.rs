//! The naive parser of JSON documents, the oracle of the one that goes over the bytes
//! once: `serde_json` into a tree, and then the rules, one after the other, as the issue
//! words them. It shares no code with what it judges.

use metrics::ingest::Kind;
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// The one date that it knows.
const DATE: &str = "1970-01-01T00:00:07Z";

/// An accepted item: labels in order, kind, time, and the bits of the value.
pub(super) type Accepted = (Vec<(String, String)>, Kind, i64, u64);

/// What becomes of a document.
#[derive(Debug, PartialEq)]
pub(super) enum Verdict {
    /// It is no document.
    Error,
    /// Item by item; `None` is one that is refused.
    Items(Vec<Option<Accepted>>),
    /// `serde_json` does not tell what must be known.
    Unknown,
}

/// JSON with all members of its objects, in their order.
#[derive(Debug)]
enum Tree {
    Null,
    Bool,
    Integer(i64),
    Float(f64),
    Text(String),
    Array(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Branches)
    }
}

struct Branches;

impl<'de> Visitor<'de> for Branches {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Tree, E> {
        Ok(Tree::Bool)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Tree, E> {
        Ok(Tree::Integer(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Tree, E> {
        Ok(i64::try_from(number).map_or(Tree::Float(number as f64), Tree::Integer))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Tree, E> {
        Ok(Tree::Float(number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Tree, E> {
        Ok(Tree::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Tree, A::Error> {
        let mut array = Vec::new();
        while let Some(element) = elements.next_element()? {
            array.push(element);
        }
        Ok(Tree::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Tree, A::Error> {
        let mut object = Vec::new();
        while let Some(member) = members.next_entry()? {
            object.push(member);
        }
        Ok(Tree::Object(object))
    }
}

/// Judges a document.
pub(super) fn judge(body: &[u8], now: i64) -> Verdict {
    let members = match serde_json::from_slice(body) {
        Ok(Tree::Object(members)) => members,
        // What is beyond all floats is an error to it, and to us a refused item.
        Err(error) if error.to_string().contains("out of range") => return Verdict::Unknown,
        _ => return Verdict::Error,
    };
    let mut lists = members.into_iter().filter(|(key, _)| key == "metrics");
    let (Some((_, Tree::Array(items))), None) = (lists.next(), lists.next()) else {
        return Verdict::Error;
    };
    if !(1..=1000).contains(&items.len()) {
        return Verdict::Error;
    }
    if items.iter().any(has_untold_time) {
        return Verdict::Unknown;
    }
    Verdict::Items(items.iter().map(|item| accept(item, now)).collect())
}

/// Whether a timestamp is beyond it: `-0` is an integer by the grammar and `-0.0` is none,
/// and it reads both as one float; of dates it knows only one, and none is shorter.
fn has_untold_time(item: &Tree) -> bool {
    let Tree::Object(members) = item else {
        return false;
    };
    let mut times = members.iter().filter(|(key, _)| key == "timestamp");
    times.any(|(_, time)| match time {
        Tree::Float(number) => number.to_bits() == (-0_f64).to_bits(),
        Tree::Text(text) => text != DATE && text.len() >= DATE.len(),
        _ => false,
    })
}

fn accept(item: &Tree, now: i64) -> Option<Accepted> {
    let Tree::Object(members) = item else {
        return None;
    };
    let Tree::Text(name) = once(members, "name")?? else {
        return None;
    };
    let value = match once(members, "value")?? {
        Tree::Integer(number) => *number as f64,
        Tree::Float(number) => *number,
        _ => return None,
    };
    let kind = match optional(members, "type")? {
        None => Kind::Gauge,
        Some(Tree::Text(kind)) => match kind.as_str() {
            "gauge" => Kind::Gauge,
            "counter" => Kind::Counter,
            "histogram" => Kind::Histogram,
            "summary" => Kind::Summary,
            _ => return None,
        },
        Some(_) => return None,
    };
    let time = match optional(members, "timestamp")? {
        None => now,
        Some(Tree::Integer(time)) if time.unsigned_abs() <= 1 << 51 => *time,
        Some(Tree::Text(text)) if text == DATE => 7000,
        Some(_) => return None,
    };
    let labels = match optional(members, "tags")? {
        None => labels(name, &[])?,
        Some(Tree::Object(tags)) => labels(name, tags)?,
        Some(_) => return None,
    };
    Some((labels, kind, time, value.to_bits()))
}

/// A member that may come once: the outer `None` says that it comes twice.
fn once<'a>(members: &'a [(String, Tree)], key: &str) -> Option<Option<&'a Tree>> {
    let mut found = members.iter().filter(|(name, _)| name == key);
    let first = found.next().map(|(_, value)| value);
    found.next().is_none().then_some(first)
}

fn optional<'a>(members: &'a [(String, Tree)], key: &str) -> Option<Option<&'a Tree>> {
    let given = once(members, key)?;
    Some(given.filter(|value| !matches!(value, Tree::Null)))
}

fn labels(name: &str, tags: &[(String, Tree)]) -> Option<Vec<(String, String)>> {
    let is_name =
        |name: &str| (1..=255).contains(&name.len()) && !name.chars().any(char::is_control);
    if !is_name(name) || tags.len() > 63 {
        return None;
    }
    let mut labels = vec![("__name__".to_owned(), name.to_owned())];
    for (index, (key, value)) in tags.iter().enumerate() {
        let Tree::Text(value) = value else {
            return None;
        };
        let comes_twice = tags[..index].iter().any(|(before, _)| before == key);
        if !is_name(key) || key.starts_with("__") || comes_twice || value.len() > 4096 {
            return None;
        }
        if !value.is_empty() {
            labels.push((key.clone(), value.clone()));
        }
    }
    labels.sort();
    Some(labels)
}
