//! Influx line protocol, as Telegraf and its kin send it
//! (docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol).
//!
//! ```text
//! cpu,host=a,cpu=0 usage_user=1.5,usage_idle=98.5,online=t 1700000000000000000
//! └ measurement, tags ┘ └ fields ──────────────────────┘ └ time, in a given precision
//! ```
//!
//! Each field that is a number or a boolean (1 or 0) becomes a sample of the series
//! `measurement_field`, as VictoriaMetrics names them; of a field called `value` the
//! measurement alone is the name, as Telegraf's Prometheus output has it. Fields of text
//! are skipped and counted. Integers beyond 2^53 are rounded to the nearest float. A field
//! that comes twice on a line gives two samples, of which the store keeps what it keeps of
//! any two with the same time.
//!
//! The reference says that lines end where a text has a newline; its own parsers and
//! Telegraf disagree, and so does this: a text in quotes that is closed may have newlines,
//! one that is not closed ends with its line. Of lines that have neither, a bad one costs
//! no other. Names are UTF-8; what is skipped is not looked at.
//!
//! This file is the request; `line` is the grammar of one line.

mod line;

pub use line::LineFault;

use super::{Batch, Key, Precision, Refusal, Series, Syntax};
use crate::chunk::Sample;
use crate::promql::METRIC_NAME;
use line::{Escapes, Line, Value};

/// The field whose name is left out of the name of its series.
const PLAIN_FIELD: &str = "value";

/// Reads all lines: adds the samples of the good ones to the batch, and a refusal for
/// each that is not. Times are in `precision`; `now` is the time of the lines that give
/// none, in milliseconds since 1970. Returns how many fields of good lines were skipped
/// because they are texts.
pub fn parse<S: Series>(
    body: &[u8],
    precision: Precision,
    now: i64,
    series: &mut S,
    batch: &mut Batch<S::Id>,
) -> usize {
    let mut request = Request {
        precision,
        now,
        series,
        batch,
        line: Line::default(),
        skipped: 0,
    };
    request.read(body);
    request.skipped
}

struct Request<'a, 'b, S: Series> {
    precision: Precision,
    now: i64,
    series: &'b mut S,
    batch: &'b mut Batch<S::Id>,
    /// The line that was read last; its memory is used again.
    line: Line<'a>,
    skipped: usize,
}

impl<'a, S: Series> Request<'a, '_, S> {
    fn read(&mut self, mut rest: &'a [u8]) {
        let mut number = 1;
        while !rest.is_empty() {
            let (read, length) = self.line.read(rest);
            if let Err(refusal) = read.map_err(Refusal::from).and_then(|()| self.take()) {
                self.batch.refuse(number, refusal);
            }
            let (passed, behind) = rest.split_at(length);
            number += passed.iter().filter(|byte| **byte == b'\n').count();
            rest = behind;
        }
    }

    /// Gives the batch the samples of a line; all or none.
    fn take(&mut self) -> Result<(), Refusal> {
        let time = match self.line.time() {
            Some(units) => self.precision.milliseconds(units)?,
            None => self.now,
        };
        self.batch.times.check(time)?;
        let before = self.batch.points.len();
        let mut texts = 0;
        for index in 0..self.line.fields().len() {
            let field = self.line.fields()[index];
            let Value::Number(value) = field.value else {
                texts += 1;
                continue;
            };
            match self.id(field.key) {
                Ok(id) => self.batch.push(id, None, Sample { time, value }),
                Err(refusal) => {
                    self.batch.points.truncate(before);
                    return Err(refusal);
                }
            }
        }
        self.skipped += texts;
        Ok(())
    }

    /// The series of a field.
    fn id(&mut self, field: &'a [u8]) -> Result<S::Id, Refusal> {
        let key = Key {
            syntax: Syntax::LineProtocol,
            head: self.line.head(),
            tail: field,
        };
        if let Some(id) = self.series.known(key) {
            return Ok(id);
        }
        self.put_labels(field)?;
        self.batch.admit(Some(key), self.series)
    }

    fn put_labels(&mut self, field: &[u8]) -> Result<(), Refusal> {
        let mut name = Escapes::Measurement.undo(self.line.measurement())?;
        let field = Escapes::Key.undo(field)?;
        if field != PLAIN_FIELD {
            name.push('_');
            name.push_str(&field);
        }
        let labels = &mut self.batch.labels;
        labels.clear();
        labels.push(METRIC_NAME, &name);
        for tag in self.line.tags() {
            let (key, value) = tag?;
            labels.push_own(&Escapes::Key.undo(key)?, &Escapes::Key.undo(value)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
