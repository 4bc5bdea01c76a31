//! What the log of the metrics store says: which series have which numbers, what came of
//! them, what was deleted.
//!
//! The log itself, its segments and their checksums, is `store::log`'s; an entry of it has
//! [`Record`]s. Samples name their series by number. A number is told what it means
//! before it is used and anew in each generation (the time between two flushes), so that
//! whoever reads from the start of a generation on understands all of it.
//!
//! Pure encoding and decoding; `database` writes, syncs and follows. The layout is written
//! down in `docs/formats/metrics.md`.

mod decode;
mod encode;

pub use decode::{RecordError, Records, decode};
pub use encode::Encoder;

use crate::chunk::Sample;
use crate::ingest::Kind;

/// What one part of an entry says, in the order in which it happened.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Record<'a> {
    /// From here on this number means the series with these labels, in the form of
    /// [`crate::eval::Labels::as_bytes`].
    Series {
        /// Its number.
        number: u32,
        /// Its labels.
        labels: &'a [u8],
    },
    /// What the values of a metric mean.
    Kind {
        /// The metric's name.
        name: &'a str,
        /// What they mean.
        kind: Kind,
    },
    /// A sample came.
    Sample {
        /// Its series.
        number: u32,
        /// When and what.
        sample: Sample,
    },
    /// Samples were deleted: those that came before.
    Deletion {
        /// Of the series that this selects, as PromQL writes it.
        selector: &'a str,
        /// The first time, in milliseconds since 1970.
        start: i64,
        /// The last time.
        end: i64,
    },
}

/// An entry with series and samples; [`store::log::Entry::kind`].
pub const RECORDS: u8 = 1;

/// Tags of records.
const SERIES: u8 = 1;
const KIND: u8 = 2;
const SAMPLES: u8 = 3;
const DELETION: u8 = 4;

/// The longest labels of a record: more than the most labels of the longest names and
/// values take.
const LABELS_BYTES: usize = 512 << 10;

/// The longest selector of a deletion.
pub const SELECTOR_BYTES: usize = 64 << 10;

/// Kinds by their numbers.
const KINDS: [Kind; 4] = [Kind::Gauge, Kind::Counter, Kind::Histogram, Kind::Summary];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Debug, Clone, PartialEq)]
    enum Owned {
        Series(u32, Vec<u8>),
        Kind(String, Kind),
        Samples(Vec<(u32, i64, u64)>),
        Deletion(String, i64, i64),
    }

    fn records() -> impl Strategy<Value = Owned> {
        let sample = (any::<u32>(), any::<i64>(), any::<u64>());
        prop_oneof![
            (any::<u32>(), prop::collection::vec(any::<u8>(), 0..40))
                .prop_map(|(number, labels)| Owned::Series(number, labels)),
            (".{0,20}", 0..4_usize).prop_map(|(name, kind)| Owned::Kind(name, KINDS[kind])),
            prop::collection::vec(sample, 1..20).prop_map(Owned::Samples),
            (".{0,20}", any::<i64>(), any::<i64>())
                .prop_map(|(selector, start, end)| Owned::Deletion(selector, start, end)),
        ]
    }

    fn owned(record: Record<'_>, out: &mut Vec<Owned>) {
        match record {
            Record::Series { number, labels } => out.push(Owned::Series(number, labels.to_vec())),
            Record::Kind { name, kind } => out.push(Owned::Kind(name.to_owned(), kind)),
            Record::Sample { number, sample } => {
                let told = (number, sample.time, sample.value.to_bits());
                match out.last_mut() {
                    Some(Owned::Samples(samples)) => samples.push(told),
                    _ => out.push(Owned::Samples(vec![told])),
                }
            }
            Record::Deletion {
                selector,
                start,
                end,
            } => out.push(Owned::Deletion(selector.to_owned(), start, end)),
        }
    }

    proptest! {
        #[test]
        fn records_come_back(mut given in prop::collection::vec(records(), 0..20)) {
            // Samples behind samples are the same as all of them together.
            given.dedup_by(|next, one| matches!((next, one), (Owned::Samples(_), Owned::Samples(_))));
            let mut encoder = Encoder::default();
            for record in &given {
                match record {
                    Owned::Series(number, labels) => encoder.series(*number, labels),
                    Owned::Kind(name, kind) => encoder.kind(name, *kind),
                    Owned::Samples(samples) => {
                        encoder.samples(samples.iter().map(|(number, time, bits)| {
                            let (time, value) = (*time, f64::from_bits(*bits));
                            (*number, Sample { time, value })
                        }));
                    }
                    Owned::Deletion(selector, start, end) => encoder.deletion(selector, *start, *end),
                }
            }
            let bytes = encoder.take();
            let mut read = Vec::new();
            for record in decode(&bytes) {
                owned(record.unwrap(), &mut read);
            }
            prop_assert_eq!(read, given);
            for end in 0..bytes.len() {
                // Cut anywhere, it ends early or with an error.
                prop_assert!(decode(&bytes[..end]).count() <= bytes.len());
            }
        }

        #[test]
        fn no_bytes_are_too_much(bytes: Vec<u8>) {
            prop_assert!(decode(&bytes).count() <= bytes.len() + 1);
        }
    }

    #[test]
    fn a_steady_sample_takes_eleven_bytes() {
        let mut encoder = Encoder::default();
        encoder.samples((0..1000).map(|number| {
            (
                number,
                Sample {
                    time: 1_790_000_000_000,
                    value: 0.1,
                },
            )
        }));
        assert!(encoder.take().len() <= 1000 * 10 + 20);
    }
}
