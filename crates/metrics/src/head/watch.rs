//! A look now and then, while series are chosen, whether anybody still wants them: a pattern
//! may take a microsecond for each value, and there may be a million.

use crate::eval::EvalError;

/// Patterns that are tried between two looks: well below a millisecond for most.
const BETWEEN: u32 = 256;

/// Looks now and then.
pub(super) struct Watch<'a> {
    is_canceled: &'a dyn Fn() -> bool,
    since: u32,
}

impl<'a> Watch<'a> {
    /// Whether to go on is what this says.
    pub(super) const fn new(is_canceled: &'a dyn Fn() -> bool) -> Self {
        Self {
            is_canceled,
            since: 0,
        }
    }

    /// Something is about to be tried.
    pub(super) fn look(&mut self) -> Result<(), EvalError> {
        self.since += 1;
        if self.since < BETWEEN {
            return Ok(());
        }
        self.since = 0;
        match (self.is_canceled)() {
            true => Err(EvalError::Canceled),
            false => Ok(()),
        }
    }
}
