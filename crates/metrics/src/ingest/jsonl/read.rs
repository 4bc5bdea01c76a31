//! Reading lines of an export: each gives all its samples, or one refusal.

use super::{NAN_DIGITS, ORDINARY_NAN};
use crate::chunk::Sample;
use crate::ingest::json::{Cursor, Malformed};
use crate::ingest::time::Precision;
use crate::ingest::{Batch, Key, Labels, Refusal, Series, Syntax};
use std::ops::Range;

/// Why a line was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportFault {
    /// It is no JSON.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// It is JSON, but no object.
    #[error("the line must be an object")]
    NotAnObject,
    /// A key that must be there.
    #[error("the key {0:?} is missing")]
    Missing(&'static str),
    /// A key that comes twice.
    #[error("the key {0:?} is given twice")]
    Twice(&'static str),
    /// A key with something else.
    #[error("{key:?} must be {expected}, and at byte {offset} it is not")]
    Wrong {
        /// Which one.
        key: &'static str,
        /// What it should be.
        expected: &'static str,
        /// Where it is not, in the line, counted from 0.
        offset: usize,
    },
    /// Values and times that do not belong together.
    #[error("there are {values} values and {timestamps} timestamps")]
    Lengths {
        /// How many values.
        values: usize,
        /// How many times.
        timestamps: usize,
    },
    /// Bits that do not belong to the NaNs.
    #[error("there are {nulls} values that are NaN, and {nans} in \"nans\"")]
    Nans {
        /// How many values are.
        nulls: usize,
        /// How many bits there are.
        nans: usize,
    },
}

/// Reads all lines: adds the samples of the good ones to the batch, and a refusal for
/// each that is not. Empty lines are none.
pub fn parse<S: Series>(body: &[u8], series: &mut S, batch: &mut Batch<S::Id>) {
    let mut line = Line::default();
    for (index, text) in body.split(|byte| *byte == b'\n').enumerate() {
        if text.trim_ascii().is_empty() {
            continue;
        }
        if let Err(refusal) = line.read(text, series, batch) {
            batch.refuse(index + 1, refusal);
        }
    }
}

/// What a line has; its memory is used again.
#[derive(Debug, Default)]
struct Line {
    /// The object, its brackets included, which was not parsed.
    metric: Option<Range<usize>>,
    values: Array<f64>,
    timestamps: Array<i64>,
    nans: Array<u64>,
}

/// One of the arrays of a line.
#[derive(Debug, Default)]
struct Array<T> {
    was_given: bool,
    items: Vec<T>,
}

impl<T> Array<T> {
    fn clear(&mut self) {
        self.was_given = false;
        self.items.clear();
    }
}

impl Line {
    fn read<S: Series>(
        &mut self,
        text: &[u8],
        series: &mut S,
        batch: &mut Batch<S::Id>,
    ) -> Result<(), Refusal> {
        self.metric = None;
        self.values.clear();
        self.timestamps.clear();
        self.nans.clear();
        let mut cursor = Cursor::new(text).map_err(ImportFault::from)?;
        self.read_object(&mut cursor)?;
        self.name_nans()?;
        let id = self.id(&cursor, series, batch)?;
        let samples = self.timestamps.items.iter().zip(&self.values.items);
        let mut outside = Ok(());
        for (&time, &value) in samples {
            match batch.times.check(time) {
                Ok(()) => batch.push(id, None, Sample { time, value }),
                Err(fault) => outside = outside.and(Err(fault.into())),
            }
        }
        outside
    }

    fn read_object(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Refusal> {
        if cursor.peek() != Some(b'{') {
            cursor.skip_value().map_err(ImportFault::from)?;
            return Err(ImportFault::NotAnObject.into());
        }
        cursor.expect(b'{', "`{`").map_err(ImportFault::from)?;
        let mut buffer = String::new();
        let mut first = true;
        while let Some(key) = cursor.next_key(&mut first).map_err(ImportFault::from)? {
            match cursor.unescape(&key, &mut buffer) {
                "metric" => self.pass_metric(cursor)?,
                "values" => read_array(cursor, "values", &mut self.values, read_value)?,
                "timestamps" => {
                    read_array(cursor, "timestamps", &mut self.timestamps, read_timestamp)?;
                }
                "nans" => read_array(cursor, "nans", &mut self.nans, read_nan)?,
                _ => cursor.skip_value().map_err(ImportFault::from)?,
            }
        }
        Ok(cursor.expect_end().map_err(ImportFault::from)?)
    }

    fn pass_metric(&mut self, cursor: &mut Cursor<'_>) -> Result<(), ImportFault> {
        let key = "metric";
        if self.metric.is_some() {
            return Err(ImportFault::Twice(key));
        }
        if cursor.peek() != Some(b'{') {
            return Err(wrong(cursor, key, "an object of texts"));
        }
        let start = cursor.offset();
        if !cursor.pass_flat_object() {
            cursor.skip_value()?;
        }
        self.metric = Some(start..cursor.offset());
        Ok(())
    }

    /// Holds the arrays to each other, and gives the NaNs their bits.
    fn name_nans(&mut self) -> Result<(), ImportFault> {
        let (values, timestamps) = (&mut self.values.items, &self.timestamps.items);
        if values.is_empty() {
            return Err(ImportFault::Missing("values"));
        }
        if values.len() != timestamps.len() {
            return Err(ImportFault::Lengths {
                values: values.len(),
                timestamps: timestamps.len(),
            });
        }
        if !self.nans.was_given {
            return Ok(());
        }
        let nans = &self.nans.items;
        let nulls = values.iter().filter(|value| value.is_nan()).count();
        if nulls != nans.len() {
            return Err(ImportFault::Nans {
                nulls,
                nans: nans.len(),
            });
        }
        let unnamed = values.iter_mut().filter(|value| value.is_nan());
        for (value, bits) in unnamed.zip(nans) {
            *value = f64::from_bits(*bits);
        }
        Ok(())
    }

    fn id<S: Series>(
        &self,
        cursor: &Cursor<'_>,
        series: &mut S,
        batch: &mut Batch<S::Id>,
    ) -> Result<S::Id, Refusal> {
        let metric = self.metric.as_ref();
        let metric = metric.ok_or(ImportFault::Missing("metric"))?;
        let key = Key {
            syntax: Syntax::JsonLines,
            head: cursor.slice(metric).as_bytes(),
            tail: &[],
        };
        if let Some(id) = series.known(key) {
            return Ok(id);
        }
        put_labels(cursor.at(metric.start), &mut batch.labels)?;
        batch.admit(Some(key), series)
    }
}

/// The labels of the object that begins here.
fn put_labels(mut cursor: Cursor<'_>, labels: &mut Labels) -> Result<(), Refusal> {
    labels.clear();
    let malformed = ImportFault::from;
    cursor.expect(b'{', "`{`").map_err(malformed)?;
    let (mut name_buffer, mut value_buffer) = (String::new(), String::new());
    let mut first = true;
    while let Some(key) = cursor.next_key(&mut first).map_err(malformed)? {
        let name = cursor.unescape(&key, &mut name_buffer);
        if cursor.peek() != Some(b'"') {
            return Err(wrong(&cursor, "metric", "an object of texts").into());
        }
        let raw = cursor.string().map_err(malformed)?;
        labels.push_any(name, cursor.unescape(&raw, &mut value_buffer))?;
    }
    Ok(())
}

fn read_array<T>(
    cursor: &mut Cursor<'_>,
    key: &'static str,
    array: &mut Array<T>,
    read: impl Fn(&mut Cursor<'_>) -> Result<T, ImportFault>,
) -> Result<(), ImportFault> {
    if std::mem::replace(&mut array.was_given, true) {
        return Err(ImportFault::Twice(key));
    }
    if cursor.peek() != Some(b'[') {
        return Err(wrong(cursor, key, "an array"));
    }
    cursor.expect(b'[', "`[`")?;
    let mut first = true;
    while cursor.next_element(&mut first)? {
        cursor.peek();
        array.items.push(read(cursor)?);
    }
    Ok(())
}

fn read_value(cursor: &mut Cursor<'_>) -> Result<f64, ImportFault> {
    let start = cursor.at(cursor.offset());
    let fault = || {
        wrong(
            &start,
            "values",
            "numbers, null, \"Infinity\" or \"-Infinity\"",
        )
    };
    let value = if let Some(number) = cursor.number() {
        Some(number.value()).filter(|value| value.is_finite())
    } else if cursor.word("null") {
        Some(f64::from_bits(ORDINARY_NAN))
    } else if cursor.peek() == Some(b'"') {
        let raw = cursor.string()?;
        named_value(cursor.slice(&raw.span))
    } else {
        None
    };
    value.ok_or_else(fault)
}

/// The spellings that VictoriaMetrics reads.
fn named_value(name: &str) -> Option<f64> {
    match name {
        "Infinity" | "infinity" | "Inf" | "inf" => Some(f64::INFINITY),
        "-Infinity" | "-infinity" | "-Inf" | "-inf" => Some(f64::NEG_INFINITY),
        "NaN" | "nan" | "Null" | "null" => Some(f64::from_bits(ORDINARY_NAN)),
        _ => None,
    }
}

fn read_timestamp(cursor: &mut Cursor<'_>) -> Result<i64, ImportFault> {
    let start = cursor.at(cursor.offset());
    let whole = cursor.number().and_then(|number| number.whole());
    let time = whole.and_then(|time| Precision::Milliseconds.milliseconds(time).ok());
    time.ok_or_else(|| {
        wrong(
            &start,
            "timestamps",
            "whole milliseconds within 2^51 of 1970",
        )
    })
}

fn read_nan(cursor: &mut Cursor<'_>) -> Result<u64, ImportFault> {
    let start = cursor.at(cursor.offset());
    let fault = || wrong(&start, "nans", "the bits of NaNs as 16 hexadecimal digits");
    if cursor.peek() != Some(b'"') {
        return Err(fault());
    }
    let raw = cursor.string()?;
    let digits = Some(cursor.slice(&raw.span)).filter(|digits| digits.len() == NAN_DIGITS);
    let bits = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
    let bits = bits.filter(|bits| f64::from_bits(*bits).is_nan());
    bits.ok_or_else(fault)
}

const fn wrong(cursor: &Cursor<'_>, key: &'static str, expected: &'static str) -> ImportFault {
    ImportFault::Wrong {
        key,
        expected,
        offset: cursor.offset(),
    }
}
