//! Writes a part, series by series.
//!
//! Columns are put together into a block of samples until that is long enough, rows into a
//! block of series. Before a block of series is written, the block of samples is, so that
//! those of a row are never behind it and their offset is known when it is told. What the
//! bytes of a column are is known to `values` and `integers`; `output` is the file.

use super::block::{BlockWriter, Kind};
use super::error::PartError;
use super::footer::{FOOTER_BYTES, Footer, Summary, header};
use super::index::{Index, PostingsBlock, TableBlock};
use super::integers::{self, Packing};
use super::output::Output;
use super::postings::{PostingsWriter, put_entry};
use super::rows::{
    MOST_LABEL_BYTES, MOST_SPANS, Place, SPAN_SAMPLES, Span, TableWriter, Times, Values,
};
use super::values;
use crate::chunk::Sample;
use crate::eval::{Labels, SeriesCursor};
use std::collections::VecDeque;
use std::path::Path;
use store::fs::FileSystem;

/// A block of samples is written when its columns take so many bytes. Neighbours are
/// compressed together better in longer blocks, and one series is read faster from shorter
/// ones.
const SAMPLES_BYTES: usize = 64 << 10;

/// A block of series is written when its rows take so many bytes.
const SERIES_BYTES: usize = 32 << 10;

/// A block of postings is written when its entries take so many bytes.
const POSTINGS_BYTES: usize = 32 << 10;

/// How many columns of times are remembered, so that series which have the same refer to
/// them: those of so many groups that are scraped by different clocks. They take at most
/// 1 MiB.
const REMEMBERED_TIMES: usize = 16;

/// Writes a part of all series that have samples, which must come by the order of their
/// labels. `None`, and no file, when there is no sample.
///
/// The file is there whole or not at all: it is written as `<path>.new`, synced and
/// renamed; on an error it is removed. Its name is durable only when the caller has synced
/// the directory, and the part counts only once the caller's manifest names it.
///
/// In memory are the samples of one series, the postings, and some blocks.
///
/// # Errors
/// What [`PartError`] tells; [`PartError::Full`] on a full disk.
pub fn write(
    fs: &dyn FileSystem,
    path: &Path,
    series: &mut dyn SeriesCursor,
) -> Result<Option<Summary>, PartError> {
    let mut writer: Option<PartWriter<'_>> = None;
    while series.advance()? {
        // Shares its memory, so that the samples can be looked at beside it.
        let labels = series.labels().clone();
        let samples = series.samples()?;
        if samples.is_empty() {
            continue;
        }
        let begun = match &mut writer {
            Some(begun) => begun,
            none => none.insert(PartWriter::create(fs, path)?),
        };
        begun.put_series(&labels, samples)?;
    }
    writer.map(PartWriter::finish).transpose()
}

/// A part that is being written.
struct PartWriter<'f> {
    output: Output<'f>,
    blocks: BlockWriter,
    columns: Columns,
    table: TableWriter,
    postings: PostingsWriter,
    index: Index,
    remembered: VecDeque<(Vec<i64>, Place)>,
    last: Labels,
    summary: Summary,
}

/// The columns of a block of samples.
#[derive(Debug, Default)]
struct Columns {
    varints: Vec<u8>,
    pco: Vec<u8>,
}

impl<'f> PartWriter<'f> {
    fn create(fs: &'f dyn FileSystem, path: &'f Path) -> Result<Self, PartError> {
        let mut output = Output::create(fs, path)?;
        let blocks = BlockWriter::new().map_err(|error| output.failed(error))?;
        output.put(&header())?;
        Ok(Self {
            output,
            blocks,
            columns: Columns::default(),
            table: TableWriter::default(),
            postings: PostingsWriter::default(),
            index: Index::default(),
            remembered: VecDeque::new(),
            last: Labels::empty(),
            summary: Summary {
                start: i64::MAX,
                end: i64::MIN,
                ..Summary::default()
            },
        })
    }

    fn put_series(&mut self, labels: &Labels, samples: &[Sample]) -> Result<(), PartError> {
        self.check(labels, samples)?;
        let number = self.summary.series as u32;
        self.postings.add(number, labels.as_bytes());
        let spans = samples.chunks(SPAN_SAMPLES);
        self.table.begin(labels.as_bytes(), spans.len());
        for samples in spans {
            let span = self.put_span(samples)?;
            self.table.span(&span);
            self.summary.start = self.summary.start.min(span.times.start);
            self.summary.end = self.summary.end.max(span.times.end);
        }
        self.summary.series += 1;
        self.summary.samples += samples.len() as u64;
        self.last = labels.clone();
        if self.table.size() >= SERIES_BYTES {
            self.flush_table()?;
        }
        Ok(())
    }

    fn check(&self, labels: &Labels, samples: &[Sample]) -> Result<(), PartError> {
        if self.summary.series > 0 && *labels <= self.last {
            return Err(PartError::SeriesOrder(labels.clone()));
        }
        let pairs = samples.iter().zip(&samples[1..]);
        if let Some((_, late)) = pairs.into_iter().find(|(one, next)| one.time >= next.time) {
            let (labels, time) = (labels.clone(), late.time);
            return Err(PartError::SampleOrder { labels, time });
        }
        let (bytes, most) = (labels.size(), MOST_LABEL_BYTES);
        if bytes > most {
            return Err(PartError::LabelsTooLong { bytes, most });
        }
        let limits = [
            (
                "samples of one series",
                samples.len() as u64,
                (MOST_SPANS * SPAN_SAMPLES) as u64,
            ),
            ("series", self.summary.series + 1, u64::from(u32::MAX)),
        ];
        match limits.into_iter().find(|(_, found, most)| found > most) {
            Some((what, _, most)) => Err(PartError::TooMuch { what, most }),
            None => Ok(()),
        }
    }

    fn put_span(&mut self, samples: &[Sample]) -> Result<Span, PartError> {
        let times = samples.iter().map(|sample| sample.time).collect();
        let times = self.put_times(times)?;
        let bits = samples[0].value.to_bits();
        if samples.iter().all(|sample| sample.value.to_bits() == bits) {
            let values = Values::Constant(samples[0].value);
            return Ok(Span { times, values });
        }
        let column: Vec<_> = samples.iter().map(|sample| sample.value).collect();
        let (packing, column) = values::encode(&column);
        let values = Values::Column(self.put_column(packing, &column)?);
        Ok(Span { times, values })
    }

    fn put_times(&mut self, times: Vec<i64>) -> Result<Times, PartError> {
        let (start, end) = (times[0], times[times.len() - 1]);
        let count = times.len();
        let column = if are_equal_steps(&times) {
            None
        } else {
            Some(self.place_of_times(times)?)
        };
        Ok(Times {
            count,
            start,
            end,
            column,
        })
    }

    /// Where such times were written already, or are now.
    fn place_of_times(&mut self, times: Vec<i64>) -> Result<Place, PartError> {
        let mut remembered = self.remembered.iter();
        if let Some((_, place)) = remembered.find(|(known, _)| *known == times) {
            return Ok(*place);
        }
        let (packing, column) = integers::encode(&times);
        let place = self.put_column(packing, &column)?;
        if self.remembered.len() == REMEMBERED_TIMES {
            self.remembered.pop_back();
        }
        self.remembered.push_front((times, place));
        Ok(place)
    }

    fn put_column(&mut self, packing: Packing, column: &[u8]) -> Result<Place, PartError> {
        if self.columns.size() >= SAMPLES_BYTES {
            self.flush_columns()?;
        }
        let columns = match packing {
            Packing::Varints => &mut self.columns.varints,
            Packing::Pco => &mut self.columns.pco,
        };
        let position = columns.len();
        columns.extend_from_slice(column);
        Ok(Place {
            // Nothing else is written before this block is.
            page: self.output.length(),
            packing,
            position,
            length: column.len(),
        })
    }

    fn flush_columns(&mut self) -> Result<(), PartError> {
        let Columns { varints, pco } = std::mem::take(&mut self.columns);
        self.put_block(Kind::Samples, &varints, &pco)?;
        Ok(())
    }

    fn flush_table(&mut self) -> Result<(), PartError> {
        if self.columns.size() > 0 {
            self.flush_columns()?;
        }
        let (rows, count) = self.table.finish();
        let offset = self.put_block(Kind::Series, &rows, &[])?;
        let begin = self.index.tables.last().map_or(0, |block| block.series.end);
        let series = begin..begin + count;
        self.index.tables.push(TableBlock { offset, series });
        Ok(())
    }

    fn finish(mut self) -> Result<Summary, PartError> {
        if self.table.size() > 0 {
            self.flush_table()?;
        }
        self.put_postings()?;
        let index = self.index.bytes();
        let index = self.put_block(Kind::Index, &index, &[])?;
        self.summary.bytes = self.output.length() + FOOTER_BYTES as u64;
        let summary = self.summary;
        self.output.put(&Footer { index, summary }.bytes())?;
        self.output.finish()?;
        Ok(summary)
    }

    fn put_postings(&mut self) -> Result<(), PartError> {
        let postings = std::mem::take(&mut self.postings);
        let mut entries = Vec::new();
        let (mut first, mut last): (Box<[u8]>, Vec<u8>) = (Box::default(), Vec::new());
        postings.finish(|label, runs| {
            if entries.is_empty() {
                first = label.into();
                last.clear();
            }
            put_entry(&mut entries, &last, label, runs);
            last.clear();
            last.extend_from_slice(label);
            if entries.len() >= POSTINGS_BYTES {
                self.flush_postings(&mut entries, &first)?;
            }
            Ok(())
        })?;
        if !entries.is_empty() {
            self.flush_postings(&mut entries, &first)?;
        }
        Ok(())
    }

    fn flush_postings(&mut self, entries: &mut Vec<u8>, first: &[u8]) -> Result<(), PartError> {
        let offset = self.put_block(Kind::Postings, entries, &[])?;
        let first = first.into();
        self.index.postings.push(PostingsBlock { offset, first });
        entries.clear();
        Ok(())
    }

    fn put_block(&mut self, kind: Kind, packed: &[u8], plain: &[u8]) -> Result<u64, PartError> {
        let most = kind.most_bytes();
        if packed.len().max(plain.len()) > most {
            let (what, most) = ("bytes of its index", most as u64);
            return Err(PartError::TooMuch { what, most });
        }
        let offset = self.output.length();
        let block = self.blocks.block(kind, offset, packed, plain);
        let block = block.map_err(|error| self.output.failed(error))?;
        self.output.put(&block)?;
        Ok(offset)
    }
}

impl Columns {
    fn size(&self) -> usize {
        self.varints.len() + self.pco.len()
    }
}

/// Whether each of these times, of which there is one, is as far from the one before it as
/// the second is from the first.
fn are_equal_steps(times: &[i64]) -> bool {
    let steps = times.windows(2).map(|pair| pair[1].abs_diff(pair[0]));
    let first = times.get(1).map_or(0, |second| second.abs_diff(times[0]));
    steps.into_iter().all(|step| step == first)
}
