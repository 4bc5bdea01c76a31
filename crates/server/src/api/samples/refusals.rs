//! What was not taken of a request, told.

use metrics::ingest::{Batch, Refused};
use serde_json::{Value, json};

/// How the place of a refused part is called.
#[derive(Debug, Clone, Copy)]
pub enum Place {
    /// The index of an item, from 0.
    Index,
    /// The number of a line, from 1.
    Line,
}

/// A list of them, as many as are listed.
pub fn listed<Id>(batch: &Batch<Id>, place: Place) -> Value {
    let name = match place {
        Place::Index => "index",
        Place::Line => "line",
    };
    let listed = batch.listed().iter();
    listed
        .map(|Refused { place, reason }| json!({ name: place, "reason": reason.to_string() }))
        .collect()
}

/// How many there are, and the first of them, in one sentence.
pub fn told<Id>(batch: &Batch<Id>, place: Place) -> String {
    let Some(Refused {
        place: number,
        reason,
    }) = batch.listed().first()
    else {
        return String::new();
    };
    let name = match place {
        Place::Index => "index",
        Place::Line => "line",
    };
    match batch.refused() {
        1 => format!("refused at {name} {number}: {reason}"),
        count => format!("{count} are refused, the first at {name} {number}: {reason}"),
    }
}
