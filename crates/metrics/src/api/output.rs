//! The text of an answer while it is written: bounded, and given up when nobody waits.
//!
//! What is written between its brackets is its users' business.

use super::Response;
use super::error::{ApiError, Interruption};
use crate::eval::{Note, Notes};
use crate::json_text::{push_list, push_text};

/// So many warnings and as many infos are told, and the rest counted, as in Prometheus.
const TOLD: usize = 10;

/// How long somebody waits.
#[derive(Clone, Copy)]
pub(super) struct Patience<'a> {
    ask: &'a dyn Fn(u64) -> Option<Interruption>,
    /// In milliseconds.
    timeout: u64,
}

/// The JSON of an answer.
pub(super) struct Output<'a> {
    text: String,
    most: usize,
    pub(super) patience: Patience<'a>,
}

/// What is said besides an answer.
#[derive(Debug, Default)]
pub(super) struct Remarks {
    warnings: Vec<String>,
    infos: Vec<String>,
}

impl<'a> Patience<'a> {
    pub(super) const fn new(ask: &'a dyn Fn(u64) -> Option<Interruption>, timeout: u64) -> Self {
        Self { ask, timeout }
    }

    /// The same, or shorter.
    pub(super) fn at_most(self, timeout: u64) -> Self {
        let timeout = self.timeout.min(timeout);
        Self { timeout, ..self }
    }

    /// Why nobody waits any more, if nobody does.
    pub(super) fn interruption(&self) -> Option<Interruption> {
        (self.ask)(self.timeout)
    }

    /// # Errors
    /// If nobody waits any more.
    pub(super) fn go_on(&self) -> Result<(), ApiError> {
        match self.interruption() {
            Some(interruption) => Err(interruption.into()),
            None => Ok(()),
        }
    }
}

impl<'a> Output<'a> {
    /// An answer of at most so many bytes, and of little more before that is noticed.
    pub(super) fn new(most: usize, patience: Patience<'a>) -> Self {
        let text = String::from("{\"status\":\"success\",\"data\":");
        Self {
            text,
            most,
            patience,
        }
    }

    /// Appends what cannot be long.
    pub(super) fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Appends what may be long, but is not large: some labels, a thousand points.
    ///
    /// # Errors
    /// If the answer is too large, or nobody waits for it.
    pub(super) fn write(&mut self, push: impl FnOnce(&mut String)) -> Result<(), ApiError> {
        push(&mut self.text);
        if self.text.len() > self.most {
            return Err(ApiError::AnswerTooLarge(self.most));
        }
        self.patience.go_on()
    }

    /// Appends an array, of which each item is written as by [`Output::write`].
    ///
    /// # Errors
    /// As there.
    pub(super) fn write_array<T>(
        &mut self,
        items: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Self, T) -> Result<(), ApiError>,
    ) -> Result<(), ApiError> {
        self.push("[");
        for (index, item) in items.into_iter().enumerate() {
            if index > 0 {
                self.push(",");
            }
            write(self, item)?;
        }
        self.push("]");
        Ok(())
    }

    /// The whole answer.
    pub(super) fn finish(mut self, remarks: &Remarks) -> Response {
        for (name, texts) in [("warnings", &remarks.warnings), ("infos", &remarks.infos)] {
            if !texts.is_empty() {
                self.push(",");
                push_text(&mut self.text, name);
                self.push(":[");
                push_list(&mut self.text, texts, |out, text| push_text(out, text));
                self.push("]");
            }
        }
        self.push("}");
        Response {
            status: 200,
            body: self.text.into_bytes(),
        }
    }
}

impl Remarks {
    /// The notes on the answer of a query.
    pub(super) fn of(notes: &Notes, query: &str) -> Self {
        let told = |is_warning: bool, kind: &str| {
            let notes = notes.iter();
            let notes = notes.filter(|note| note.remark.is_warning() == is_warning);
            tell(notes, query, kind)
        };
        Self {
            warnings: told(true, "warning"),
            infos: told(false, "info"),
        }
    }

    /// Says that there would have been more.
    pub(super) fn add_truncation(&mut self) {
        self.warnings
            .push("results truncated due to limit".to_owned());
    }
}

fn tell<'n>(notes: impl Iterator<Item = &'n Note>, query: &str, kind: &str) -> Vec<String> {
    let mut texts: Vec<String> = notes.map(|note| note.in_query(query)).collect();
    let omitted = texts.len().saturating_sub(TOLD);
    if omitted > 0 {
        texts.truncate(TOLD);
        texts.push(format!("{omitted} more {kind} annotations omitted"));
    }
    texts
}
