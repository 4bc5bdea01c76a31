//! What the rivals read: the same fields by derive, texts borrowed from the request; and
//! the work that is left for whoever has them, so that all do the same: the rules of names
//! and the way from labels to a series.

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

/// The request.
#[derive(Deserialize)]
pub struct Document<'a> {
    /// Its items.
    #[serde(borrow)]
    pub metrics: Vec<Item<'a>>,
}

/// One item.
#[derive(Deserialize)]
pub struct Item<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    value: f64,
    #[serde(rename = "type")]
    kind: Option<Kind>,
    #[serde(borrow)]
    tags: Option<Tags<'a>>,
    timestamp: Option<i64>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Gauge,
    Counter,
    Histogram,
    Summary,
}

/// Tags in the order of the request.
struct Tags<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

/// A text that is borrowed where it has no escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// Series by their labels in order, in one piece.
#[derive(Default)]
pub struct Known {
    ids: HashMap<Vec<u8>, usize>,
    key: Vec<u8>,
}

/// What is kept of an item.
#[allow(dead_code, reason = "it is made, not used")]
pub struct Point {
    series: usize,
    kind: Kind,
    time: i64,
    value: f64,
}

impl Document<'_> {
    /// A point for each item, all of which must be right.
    pub fn points(self, known: &mut Known, points: &mut Vec<Point>) {
        points.clear();
        for item in self.metrics {
            let mut tags = item.tags.map_or_else(Vec::new, |tags| tags.0);
            assert!(item.value.is_finite() && is_name(&item.name));
            assert!(tags.iter().all(|(name, value)| {
                is_name(name) && !name.starts_with("__") && value.len() <= 4096
            }));
            tags.retain(|(_, value)| !value.is_empty());
            tags.sort_unstable();
            assert!(tags.is_sorted_by(|one, other| one.0 < other.0));
            points.push(Point {
                series: known.id(&item.name, &tags),
                kind: item.kind.unwrap_or(Kind::Gauge),
                time: item.timestamp.unwrap_or(0),
                value: item.value,
            });
        }
    }
}

impl Known {
    fn id(&mut self, name: &str, tags: &[(Cow<'_, str>, Cow<'_, str>)]) -> usize {
        self.key.clear();
        self.key.extend_from_slice(name.as_bytes());
        for (name, value) in tags {
            for part in [name, value] {
                self.key.push(0xff);
                self.key.extend_from_slice(part.as_bytes());
            }
        }
        if let Some(id) = self.ids.get(&self.key) {
            return *id;
        }
        let id = self.ids.len();
        self.ids.insert(self.key.clone(), id);
        id
    }
}

fn is_name(name: &str) -> bool {
    (1..=255).contains(&name.len()) && !name.chars().any(char::is_control)
}

impl<'de: 'a, 'a> Deserialize<'de> for Tags<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(InOrder)
    }
}

struct InOrder;

impl<'de> Visitor<'de> for InOrder {
    type Value = Tags<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of texts")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut tags = Vec::new();
        while let Some((Text(name), Text(value))) = members.next_entry()? {
            tags.push((name, value));
        }
        Ok(Tags(tags))
    }
}
