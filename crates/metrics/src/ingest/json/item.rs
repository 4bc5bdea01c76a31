//! One item of a JSON document: its fields, whose series it is, and why it is refused.
//!
//! 1. The fields are read in the order in which they come. The object of the tags is only
//!    passed, from quote to quote.
//! 2. The bytes of name and tags are the key of the series. One that is known is done.
//! 3. Else name and tags are parsed, checked and sorted, and the series is asked for.
//!
//! Whatever is wrong with an item, it is read to its end by the grammar, so that the next
//! can be.

use super::cursor::{Cursor, Malformed, Problem, Raw};
use crate::chunk::Sample;
use crate::ingest::time::{Precision, rfc3339};
use crate::ingest::{Batch, Key, Kind, Refusal, Series, Syntax, TimeFault, labels};
use crate::promql::METRIC_NAME;
use std::fmt;
use std::ops::Range;

/// A field of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// The name of the metric.
    Name,
    /// What was measured.
    Value,
    /// What its values mean.
    Type,
    /// The labels.
    Tags,
    /// When it was measured.
    Timestamp,
}

/// Why an item was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ItemFault {
    /// Something else than an object.
    #[error("the item must be an object")]
    NotAnObject,
    /// A field that must be there.
    #[error("{0} is missing")]
    Missing(Field),
    /// A field that comes twice.
    #[error("{0} is given twice")]
    Twice(Field),
    /// A field that holds something else.
    #[error("{field} must be {expected}")]
    Wrong {
        /// Which one.
        field: Field,
        /// What it should hold.
        expected: &'static str,
    },
    /// NaN, an infinity, or a number beyond all floats.
    #[error("value must be finite")]
    NotFinite,
    /// Something else than a text in a tag.
    #[error("the tag {0:?} must be a text")]
    TagNotText(String),
}

impl Field {
    fn named(key: &str) -> Option<Self> {
        match key {
            "name" => Some(Self::Name),
            "value" => Some(Self::Value),
            "type" => Some(Self::Type),
            "tags" => Some(Self::Tags),
            "timestamp" => Some(Self::Timestamp),
            _ => None,
        }
    }

    /// The field whose key and colon a text begins with, without escapes and spaces, and
    /// how many bytes they are.
    #[inline]
    fn plain(text: &[u8]) -> Option<(Self, usize)> {
        // One by one, so that each is compared as a number or two.
        let is = |key: &[u8]| text.starts_with(key);
        match text.get(1)? {
            b'n' if is(b"\"name\":") => Some((Self::Name, 7)),
            b'v' if is(b"\"value\":") => Some((Self::Value, 8)),
            b't' if is(b"\"tags\":") => Some((Self::Tags, 7)),
            b't' if is(b"\"type\":") => Some((Self::Type, 7)),
            b't' if is(b"\"timestamp\":") => Some((Self::Timestamp, 12)),
            _ => None,
        }
    }

    const fn key(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Value => "value",
            Self::Type => "type",
            Self::Tags => "tags",
            Self::Timestamp => "timestamp",
        }
    }

    const fn expected(self) -> &'static str {
        match self {
            Self::Name => "a text",
            Self::Value => "a number",
            Self::Type => "gauge, counter, histogram or summary",
            Self::Tags => "an object of texts",
            Self::Timestamp => "whole milliseconds since 1970, or a text as in RFC 3339",
        }
    }

    const fn is_required(self) -> bool {
        matches!(self, Self::Name | Self::Value)
    }

    const fn wrong(self) -> ItemFault {
        ItemFault::Wrong {
            field: self,
            expected: self.expected(),
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}

/// How libraries of several languages print what JSON has no number for.
const NOT_FINITE: [&str; 7] = ["NaN", "Infinity", "-Infinity", "nan", "-nan", "inf", "-inf"];

/// Reads the item that begins here, the one at `index`; gives the batch its point or its
/// refusal.
pub(super) fn read<S: Series>(
    cursor: &mut Cursor<'_>,
    now: i64,
    index: usize,
    series: &mut S,
    batch: &mut Batch<S::Id>,
) -> Result<(), Malformed> {
    let taken = match Item::read(cursor)? {
        Ok(item) => item.take(cursor, now, series, batch)?,
        Err(refusal) => Err(refusal),
    };
    if let Err(refusal) = taken {
        batch.refuse(index, refusal);
    }
    Ok(())
}

/// What was read of an item.
#[derive(Debug, Default)]
struct Item {
    seen: [bool; 5],
    name: Option<Raw>,
    value: Option<f64>,
    kind: Option<Kind>,
    /// The object of the tags, its brackets included, which was not parsed.
    tags: Option<Range<usize>>,
    time: Option<i64>,
}

/// The inner result is the item's fate, the outer that of the document.
type Judged<T> = Result<Result<T, Refusal>, Malformed>;

impl Item {
    fn read(cursor: &mut Cursor<'_>) -> Judged<Self> {
        if cursor.peek() != Some(b'{') {
            cursor.skip_value()?;
            return Ok(Err(ItemFault::NotAnObject.into()));
        }
        cursor.expect(b'{', "`{`")?;
        let mut item = Self::default();
        let mut refusal = None;
        let mut first = true;
        while let Some(key) = next_key(cursor, &mut first)? {
            let Some(field) = key else {
                cursor.skip_value()?;
                continue;
            };
            if let Err(wrong) = item.read_field(cursor, field)? {
                refusal.get_or_insert(wrong);
            }
        }
        let fate = refusal.map_or_else(|| item.complete(), Err);
        if let Err(refusal) = fate {
            item.hold_tags_to_grammar(cursor)?;
            return Ok(Err(refusal));
        }
        Ok(Ok(item))
    }

    fn read_field(&mut self, cursor: &mut Cursor<'_>, field: Field) -> Judged<()> {
        let byte = cursor.peek();
        if std::mem::replace(&mut self.seen[field as usize], true) {
            cursor.skip_value()?;
            return Ok(Err(ItemFault::Twice(field).into()));
        }
        if !field.is_required() && cursor.word("null") {
            return Ok(Ok(()));
        }
        let read = match (field, byte) {
            (Field::Name, Some(b'"')) => {
                self.name = Some(cursor.string()?);
                Ok(())
            }
            (Field::Value, _) => return self.read_value(cursor),
            (Field::Type, Some(b'"')) => self.read_type(cursor)?,
            (Field::Tags, Some(b'{')) => {
                self.pass_tags(cursor)?;
                Ok(())
            }
            (Field::Timestamp, Some(b'"')) => self.read_date(cursor)?,
            (Field::Timestamp, Some(b'-' | b'0'..=b'9')) => self.read_milliseconds(cursor)?,
            _ => {
                cursor.skip_value()?;
                Err(field.wrong().into())
            }
        };
        Ok(read)
    }

    fn read_value(&mut self, cursor: &mut Cursor<'_>) -> Judged<()> {
        if let Some(number) = cursor.number() {
            let value = number.value();
            if !value.is_finite() {
                return Ok(Err(ItemFault::NotFinite.into()));
            }
            self.value = Some(value);
            return Ok(Ok(()));
        }
        if NOT_FINITE.iter().any(|word| cursor.word(word)) {
            return Ok(Err(ItemFault::NotFinite.into()));
        }
        cursor.skip_value()?;
        Ok(Err(Field::Value.wrong().into()))
    }

    fn read_type(&mut self, cursor: &mut Cursor<'_>) -> Judged<()> {
        let raw = cursor.string()?;
        let mut buffer = String::new();
        self.kind = match cursor.unescape(&raw, &mut buffer) {
            "gauge" => Some(Kind::Gauge),
            "counter" => Some(Kind::Counter),
            "histogram" => Some(Kind::Histogram),
            "summary" => Some(Kind::Summary),
            _ => return Ok(Err(Field::Type.wrong().into())),
        };
        Ok(Ok(()))
    }

    fn read_date(&mut self, cursor: &mut Cursor<'_>) -> Judged<()> {
        let raw = cursor.string()?;
        let mut buffer = String::new();
        let time = rfc3339(cursor.unescape(&raw, &mut buffer));
        Ok(self.set_time(time))
    }

    fn read_milliseconds(&mut self, cursor: &mut Cursor<'_>) -> Judged<()> {
        let Some(number) = cursor.number() else {
            return Err(cursor.malformed(Problem::Expected("a value")));
        };
        let Some(milliseconds) = number.whole() else {
            return Ok(Err(Field::Timestamp.wrong().into()));
        };
        Ok(self.set_time(Precision::Milliseconds.milliseconds(milliseconds)))
    }

    fn set_time(&mut self, time: Result<i64, TimeFault>) -> Result<(), Refusal> {
        self.time = Some(time?);
        Ok(())
    }

    fn pass_tags(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Malformed> {
        let start = cursor.offset();
        if !cursor.pass_flat_object() {
            cursor.skip_value()?;
        }
        self.tags = Some(start..cursor.offset());
        Ok(())
    }

    fn complete(&self) -> Result<(), Refusal> {
        let missing = match (&self.name, self.value) {
            (None, _) => Field::Name,
            (_, None) => Field::Value,
            _ => return Ok(()),
        };
        Err(ItemFault::Missing(missing).into())
    }

    /// Tags that were only passed may be no JSON.
    fn hold_tags_to_grammar(&self, cursor: &Cursor<'_>) -> Result<(), Malformed> {
        match &self.tags {
            Some(tags) => cursor.at(tags.start).skip_value(),
            None => Ok(()),
        }
    }

    /// Finds its series and gives the batch its point.
    fn take<S: Series>(
        &self,
        cursor: &Cursor<'_>,
        now: i64,
        series: &mut S,
        batch: &mut Batch<S::Id>,
    ) -> Judged<()> {
        let (Some(name), Some(value)) = (&self.name, self.value) else {
            return Ok(self.complete());
        };
        let key = Key {
            syntax: Syntax::Json,
            head: cursor.slice(&name.span).as_bytes(),
            tail: cursor
                .slice(self.tags.as_ref().unwrap_or(&(0..0)))
                .as_bytes(),
        };
        let id = match series.known(key) {
            Some(id) => id,
            None => match self.admit(cursor, name, key, series, batch)? {
                Ok(id) => id,
                Err(refusal) => return Ok(Err(refusal)),
            },
        };
        let time = self.time.unwrap_or(now);
        if let Err(fault) = batch.times.check(time) {
            return Ok(Err(fault.into()));
        }
        let kind = self.kind.unwrap_or(Kind::Gauge);
        batch.push(id, Some(kind), Sample { time, value });
        Ok(Ok(()))
    }

    fn admit<S: Series>(
        &self,
        cursor: &Cursor<'_>,
        name: &Raw,
        key: Key<'_>,
        series: &mut S,
        batch: &mut Batch<S::Id>,
    ) -> Judged<S::Id> {
        let mut buffer = String::new();
        batch.labels.clear();
        batch
            .labels
            .push(METRIC_NAME, cursor.unescape(name, &mut buffer));
        if let Some(tags) = &self.tags
            && let Err(refusal) = read_tags(cursor.at(tags.start), &mut batch.labels)?
        {
            self.hold_tags_to_grammar(cursor)?;
            return Ok(Err(refusal));
        }
        Ok(batch.admit(Some(key), series))
    }
}

/// The field of the next key, or that it is none that we know; `None` at the end.
fn next_key(cursor: &mut Cursor<'_>, first: &mut bool) -> Result<Option<Option<Field>>, Malformed> {
    if let Some(field) = cursor.plain_key(first, Field::plain) {
        return Ok(Some(Some(field)));
    }
    let Some(key) = cursor.next_key(first)? else {
        return Ok(None);
    };
    let mut buffer = String::new();
    Ok(Some(Field::named(cursor.unescape(&key, &mut buffer))))
}

/// Adds the tags of the object that begins here, up to the first that is refused.
fn read_tags(mut cursor: Cursor<'_>, labels: &mut labels::Labels) -> Judged<()> {
    cursor.expect(b'{', "`{`")?;
    let (mut name_buffer, mut value_buffer) = (String::new(), String::new());
    let mut first = true;
    while let Some(key) = cursor.next_key(&mut first)? {
        let name = cursor.unescape(&key, &mut name_buffer);
        if cursor.peek() != Some(b'"') {
            cursor.skip_value()?;
            let name = labels::shortened(name);
            return Ok(Err(ItemFault::TagNotText(name).into()));
        }
        let raw = cursor.string()?;
        let value = cursor.unescape(&raw, &mut value_buffer);
        if let Err(fault) = labels.push_own(name, value) {
            return Ok(Err(fault.into()));
        }
    }
    Ok(Ok(()))
}
