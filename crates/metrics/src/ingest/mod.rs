//! Ingest: from the bytes of a request to samples of series that have an id.
//!
//! Pure: the time is given, nothing is stored, and who may send how much was decided
//! before. A parser goes over the bytes once and asks a [`Series`] for ids.
//!
//! What makes a known series cheap: agents send the same bytes for the same series, over
//! and over. So a series is first looked up by a [`Key`], the bytes that name it as they
//! lie in the request, before they are parsed. Only a key whose labels were parsed and
//! checked in full is ever remembered, so one that is found proves its own grammar, and
//! costs finding its end and one lookup: no unescaping, no check of names, no sorting, no
//! allocation. Another spelling of the same labels (another order, an escape) has a key of
//! its own, for which [`Series::admit`] gives the same id. Keys are compared, or
//! told apart by fingerprints that nobody can forge: two series may not become one.
//!
//! What is refused, is refused alone: the rest of the request is kept, and whoever wants
//! all or nothing drops the [`Batch`] when [`Batch::refused`] counts any. A request that
//! cannot be read to its end is an error, and leaves the batch empty.
//!
//! Read on in `json`, the format of our own agents, then `remote_write`,
//! `line_protocol` and `jsonl`. The rules of names are in `labels`, those of times in
//! `time`; `number` reads numbers for all that are text; `plain` is the simplest
//! `Series`.

mod batch;
pub mod json;
pub mod jsonl;
mod labels;
pub mod line_protocol;
mod number;
mod plain;
pub mod remote_write;
mod time;
#[cfg(test)]
mod told;

pub use batch::{Batch, Kind, LISTED_REFUSALS, Point, Refusal, Refused};
pub use labels::{
    LABEL_NAME_BYTES, LABEL_VALUE_BYTES, LABELS, LabelFault, Labels, METRIC_NAME_BYTES,
};
pub use plain::Plain;
pub use time::{Precision, TimeFault, Times, rfc3339};

/// The caller's series: whoever gives them their ids.
pub trait Series {
    /// What a sample keeps of its series.
    type Id: Copy;

    /// The series that was admitted under exactly this key before, if its key is still
    /// remembered: forgetting keys costs time, never correctness.
    fn known(&mut self, key: Key<'_>) -> Option<Self::Id>;

    /// The series of these labels, which may be known under another key, or new. `key` is
    /// to be remembered for [`Series::known`]; it is `None` where the labels do not lie
    /// in one piece.
    ///
    /// The sample that comes with it may still be refused or its batch dropped: a series
    /// without samples need not be kept.
    ///
    /// # Errors
    ///
    /// Where there may be no more series.
    fn admit(&mut self, key: Option<Key<'_>>, labels: &Labels) -> Result<Self::Id, SeriesRefusal>;
}

/// The bytes that name a series, as they lie in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key<'a> {
    /// Which grammar they follow: the same bytes may mean another series in another.
    pub syntax: Syntax,
    /// JSON: the name, without its quotes. Line protocol: measurement and tags. Else all.
    pub head: &'a [u8],
    /// JSON: the object of the tags. Line protocol: the name of the field. Else nothing.
    pub tail: &'a [u8],
}

/// The grammar of a [`Key`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Syntax {
    /// An item of [`json`].
    Json,
    /// The labels of a message of [`remote_write`].
    RemoteWrite,
    /// A field of a line of [`line_protocol`].
    LineProtocol,
    /// A `metric` object of [`jsonl`].
    JsonLines,
}

/// Why a [`Series`] takes no new series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SeriesRefusal {
    /// One client has as many as it may have.
    #[error("this client already has {limit} series, as many as it may have")]
    Client {
        /// How many that is.
        limit: u64,
    },
    /// The store has as many as it may have.
    #[error("the store already has {limit} series, as many as it may have")]
    Total {
        /// How many that is.
        limit: u64,
    },
}
