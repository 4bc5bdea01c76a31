//! Prometheus remote write 1.0 (prometheus.io/docs/specs/prw/remote_write_spec).
//!
//! ```text
//! body       snappy, block format
//! message    timeseries = 1 (2 is reserved, metadata = 3)
//! timeseries labels = 1, samples = 2, exemplars = 3, histograms = 4
//! label      name = 1, value = 2
//! sample     value = 1 (double), timestamp = 2 (milliseconds since 1970)
//! ```
//!
//! Each series is gone over by its fields alone for what it has, and then from its first
//! sample on for those: their order is not said. Values are bits, so that the NaN that marks a series
//! as stale stays what it is. Exemplars and metadata are passed over; native histograms
//! are refused, one refusal for those of a series.
//!
//! Labels are held to the specification: ordered, none twice, none empty, the name of the
//! metric among them. Names may be UTF-8, as Prometheus 3 sends them. The order of samples
//! in time is the store's concern, which takes them in any.
//!
//! Read `wire` for the format of the fields.

mod wire;

pub use wire::{Malformed, Problem};

use super::{Batch, Key, Refusal, Series, Syntax};
use crate::chunk::Sample;
use std::ops::Range;
use wire::Fields;

/// The largest message, decompressed, in bytes: as much as Prometheus takes.
pub const MESSAGE_BYTES: usize = 32 << 20;

/// How many bytes one byte of snappy can stand for at most, rounded up: a copy of 64 bytes
/// is told in 3 (snappy's `format_description.txt`, section 2.2.2). What claims to be more
/// is not given the memory.
const SNAPPY_RATIO: usize = 22;

/// Why a request gave nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Bytes that are no snappy.
    #[error("the body is no snappy block")]
    NotSnappy,
    /// More than may be decompressed.
    #[error(
        "the body decompresses to {bytes} bytes, and may have {MESSAGE_BYTES}; send smaller ones"
    )]
    TooLarge {
        /// How many it says.
        bytes: usize,
    },
    /// The message is none.
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

/// Why a series, or something of it, was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TimeSeriesFault {
    /// Histograms that we do not keep.
    #[error("{count} native histograms are not supported; classic ones are")]
    NativeHistograms {
        /// How many.
        count: usize,
    },
}

/// Decompresses a body into a buffer, whose memory is used again.
///
/// # Errors
///
/// Where the body is no snappy, or stands for more than [`MESSAGE_BYTES`]; that is found
/// before memory is taken.
pub fn decompress<'b>(body: &[u8], buffer: &'b mut Vec<u8>) -> Result<&'b [u8], RequestError> {
    let bytes = snap::raw::decompress_len(body).map_err(|_| RequestError::NotSnappy)?;
    if bytes > MESSAGE_BYTES {
        return Err(RequestError::TooLarge { bytes });
    }
    if bytes > body.len().saturating_mul(SNAPPY_RATIO) {
        return Err(RequestError::NotSnappy);
    }
    buffer.resize(bytes, 0);
    let written = snap::raw::Decoder::new().decompress(body, buffer);
    let written = written.map_err(|_| RequestError::NotSnappy)?;
    Ok(&buffer[..written])
}

/// Reads a decompressed message: adds its samples to the batch, and a refusal for each
/// series that is not right.
///
/// # Errors
///
/// Where it is no protobuf to its end; the batch is then empty. The samples of a series
/// that is refused are not looked at.
pub fn parse<S: Series>(
    message: &[u8],
    series: &mut S,
    batch: &mut Batch<S::Id>,
) -> Result<(), RequestError> {
    let read = Request {
        message,
        series,
        batch,
    }
    .read();
    if read.is_err() {
        batch.clear();
    }
    Ok(read?)
}

struct Request<'a, 'b, S: Series> {
    message: &'a [u8],
    series: &'b mut S,
    batch: &'b mut Batch<S::Id>,
}

impl<'a, S: Series> Request<'a, '_, S> {
    fn read(&mut self) -> Result<(), Malformed> {
        let mut fields = Fields::new(self.message);
        let mut index = 0;
        while let Some(field) = fields.next()? {
            if field.number == 1 {
                self.read_series(field.length()?, index)?;
                index += 1;
            }
        }
        Ok(())
    }

    fn read_series(&mut self, fields: Fields<'a>, index: usize) -> Result<(), Malformed> {
        let outline = Outline::read(fields.clone())?;
        if outline.histograms > 0 {
            let count = outline.histograms;
            self.batch
                .refuse(index, TimeSeriesFault::NativeHistograms { count });
        }
        if outline.samples == 0 {
            return Ok(());
        }
        match self.id(&outline, fields.clone())? {
            Ok(id) => self.read_samples(id, fields.from(outline.first_sample), index),
            Err(refusal) => {
                self.batch.refuse(index, refusal);
                Ok(())
            }
        }
    }

    fn id(
        &mut self,
        outline: &Outline,
        fields: Fields<'a>,
    ) -> Result<Result<S::Id, Refusal>, Malformed> {
        let key = outline.in_one_piece().map(|span| Key {
            syntax: Syntax::RemoteWrite,
            head: &self.message[span],
            tail: &[],
        });
        if let Some(id) = key.and_then(|key| self.series.known(key)) {
            return Ok(Ok(id));
        }
        self.read_labels(fields)?;
        Ok(self.batch.admit_given(key, self.series))
    }

    fn read_labels(&mut self, mut fields: Fields<'a>) -> Result<(), Malformed> {
        self.batch.labels.clear();
        while let Some(field) = fields.next()? {
            if field.number == 1 {
                let (name, value) = read_label(field.length()?)?;
                self.batch.labels.push(name, value);
            }
        }
        Ok(())
    }

    fn read_samples(
        &mut self,
        id: S::Id,
        mut fields: Fields<'a>,
        index: usize,
    ) -> Result<(), Malformed> {
        while let Some(field) = fields.next()? {
            if field.number != 2 {
                continue;
            }
            let sample = read_sample(field.length()?)?;
            match self.batch.times.check(sample.time) {
                Ok(()) => self.batch.push(id, None, sample),
                Err(fault) => self.batch.refuse(index, fault),
            }
        }
        Ok(())
    }
}

/// What a series has, before anything of it is read.
#[derive(Debug, Default)]
struct Outline {
    /// From the first label to the last.
    labels: Option<Range<usize>>,
    /// Bytes of labels; fewer than the range has if something lies between.
    label_bytes: usize,
    samples: usize,
    /// Where the first of them begins.
    first_sample: usize,
    histograms: usize,
}

impl Outline {
    fn read(mut fields: Fields<'_>) -> Result<Self, Malformed> {
        let mut outline = Self::default();
        while let Some(field) = fields.next()? {
            match field.number {
                1 => {
                    let start = outline.labels.as_ref().map_or(field.start, |all| all.start);
                    outline.labels = Some(start..field.end);
                    outline.label_bytes += field.end - field.start;
                }
                2 => {
                    if outline.samples == 0 {
                        outline.first_sample = field.start;
                    }
                    outline.samples += 1;
                }
                4 => outline.histograms += 1,
                _ => {}
            }
            // What we read by its number must have the type that the number has.
            if (1..=4).contains(&field.number) {
                field.length()?;
            }
        }
        Ok(outline)
    }

    /// Where the labels lie, if nothing lies between them.
    fn in_one_piece(&self) -> Option<Range<usize>> {
        let labels = self.labels.clone()?;
        (labels.len() == self.label_bytes).then_some(labels)
    }
}

/// The name and the value; of one that comes twice the last, as the wire format has it.
fn read_label<'a>(mut fields: Fields<'a>) -> Result<(&'a str, &'a str), Malformed> {
    let (mut name, mut value) = ("", "");
    while let Some(field) = fields.next()? {
        match field.number {
            1 => name = field.length()?.text()?,
            2 => value = field.length()?.text()?,
            _ => {}
        }
    }
    Ok((name, value))
}

/// What is not there is 0, as the wire format has it.
fn read_sample(mut fields: Fields<'_>) -> Result<Sample, Malformed> {
    let mut sample = Sample {
        time: 0,
        value: 0.0,
    };
    while let Some(field) = fields.next()? {
        match field.number {
            1 => sample.value = f64::from_bits(field.fixed64()?),
            2 => sample.time = field.varint()?.cast_signed(),
            _ => {}
        }
    }
    Ok(sample)
}

#[cfg(test)]
mod tests;
