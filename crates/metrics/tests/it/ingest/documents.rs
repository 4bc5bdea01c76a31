//! JSON documents drawn at random, most of their items good, and what damages them.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// Pieces of texts, as they are written in quotes.
const PIECES: &[&str] = &[
    "a",
    "b",
    "abcdefghijkl",
    "__",
    "_",
    "é",
    "😀",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    " ",
    "\\u0061",
    "\\u00e9",
    "\\ud83d\\ude00",
    "\\n",
    "\\\"",
    "\\\\",
    "\\/",
    "\\t",
    "\\u0000",
];

/// Values that are most often wrong where they stand.
const VALUES: &[&str] = &[
    "null",
    "true",
    "false",
    "1",
    "-0",
    "\"x\"",
    "\"\"",
    "[]",
    "{}",
    "[1,{\"a\":[null]}]",
    "{\"a\":1,\"a\":\"\"}",
    "{\"a\":{\"}\":[]}}",
    "\"gauge\"",
    "2251799813685249",
];

/// Numbers by the grammar, of many digits too.
const NUMBER: &str = "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?";

/// One of the ways to damage a document.
#[derive(Debug, Clone)]
pub(super) enum Damage {
    Cut(Index),
    Delete(Index),
    Insert(Index, u8),
    Replace(Index, u8),
    Repeat(Index, Index),
}

impl Damage {
    pub(super) fn apply(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let at = |index: &Index| index.index(bytes.len());
        match self {
            Self::Cut(index) => bytes.truncate(at(index)),
            Self::Delete(index) => drop(bytes.remove(at(index))),
            Self::Insert(index, byte) => bytes.insert(at(index), *byte),
            Self::Replace(index, byte) => {
                let at = at(index);
                bytes[at] = *byte;
            }
            Self::Repeat(from, to) => {
                let (from, to) = (at(from).min(at(to)), at(from).max(at(to)));
                let part = bytes[from..to].to_vec();
                bytes.splice(from..from, part);
            }
        }
    }
}

pub(super) fn damage() -> impl Strategy<Value = Damage> {
    let byte = || {
        prop_oneof![
            4 => select(b"{}[],:\"\\ 019-+.eEtn\n".to_vec()),
            1 => any::<u8>(),
        ]
    };
    prop_oneof![
        any::<Index>().prop_map(Damage::Cut),
        any::<Index>().prop_map(Damage::Delete),
        (any::<Index>(), byte()).prop_map(|(at, byte)| Damage::Insert(at, byte)),
        (any::<Index>(), byte()).prop_map(|(at, byte)| Damage::Replace(at, byte)),
        any::<[Index; 2]>().prop_map(|[from, to]| Damage::Repeat(from, to)),
    ]
}

pub(super) fn document() -> impl Strategy<Value = String> {
    let items = vec(prop_oneof![20 => item(), 1 => one_of(VALUES)], 1..6);
    let others = option::weighted(0.2, member(fixed("other"), one_of(VALUES)));
    (items, others, space()).prop_map(|(items, other, space)| {
        let other = other.map_or(String::new(), |other| format!("{other},"));
        let items = items.join(&format!("{space},"));
        format!("{space}{{{other}\"metrics\"{space}:[{space}{items}{space}]}}{space}")
    })
}

fn item() -> impl Strategy<Value = String> {
    let known = || select(vec!["name", "value", "type", "tags", "timestamp"]);
    let wrong = (known(), one_of(VALUES)).prop_map(|(key, value)| format!("\"{key}\":{value}"));
    let other = member(text(), one_of(VALUES));
    let members = (
        option::weighted(0.97, member(fixed("name"), text())),
        option::weighted(0.97, member(fixed("value"), NUMBER.boxed())),
        option::weighted(0.5, member(fixed("type"), kind())),
        option::weighted(0.7, member(fixed("tags"), tags())),
        option::weighted(0.5, member(fixed("timestamp"), timestamp())),
        option::weighted(0.1, prop_oneof![wrong, other]),
    );
    let members = members.prop_map(|(name, value, kind, tags, time, other)| {
        let all = [name, value, kind, tags, time, other];
        all.into_iter().flatten().collect::<Vec<_>>()
    });
    (members.prop_shuffle(), space())
        .prop_map(|(members, space)| format!("{{{space}{}{space}}}", members.join(",")))
}

fn member(
    key: BoxedStrategy<String>,
    value: BoxedStrategy<String>,
) -> impl Strategy<Value = String> {
    (key, space(), value).prop_map(|(key, space, value)| format!("{key}{space}:{space}{value}"))
}

fn fixed(key: &str) -> BoxedStrategy<String> {
    Just(format!("\"{key}\"")).boxed()
}

fn text() -> BoxedStrategy<String> {
    let text = vec(select(PIECES), 0..5);
    text.prop_map(|pieces| format!("\"{}\"", pieces.concat()))
        .boxed()
}

fn tags() -> BoxedStrategy<String> {
    let tags = vec(member(text(), text()), 0..4);
    tags.prop_map(|tags| format!("{{{}}}", tags.join(",")))
        .boxed()
}

fn kind() -> BoxedStrategy<String> {
    let kinds = ["gauge", "counter", "histogram", "summary", "g\\u0061uge"];
    select(kinds.to_vec())
        .prop_map(|kind| format!("\"{kind}\""))
        .boxed()
}

fn timestamp() -> BoxedStrategy<String> {
    prop_oneof![
        any::<i64>().prop_map(|time| time.to_string()),
        (-1_i64 << 50..1 << 50).prop_map(|time| time.to_string()),
        Just("\"1970-01-01T00:00:07Z\"".to_owned()),
    ]
    .boxed()
}

fn space() -> impl Strategy<Value = &'static str> {
    select(vec!["", "", "", " ", "\n", "\t \r\n"])
}

fn one_of(texts: &'static [&'static str]) -> BoxedStrategy<String> {
    select(texts).prop_map(str::to_owned).boxed()
}
