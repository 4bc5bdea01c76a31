//! The least and the most that something may be, each of which may be left open.

use std::fmt;

/// From `min` to `max`, both of which belong to it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds<T> {
    min: Option<T>,
    max: Option<T>,
}

impl<T: PartialOrd> Bounds<T> {
    /// Bounds that something lies between; `None` when they are crossed.
    pub(super) fn new(min: Option<T>, max: Option<T>) -> Option<Self> {
        let crossed = matches!((&min, &max), (Some(min), Some(max)) if min > max);
        (!crossed).then_some(Self { min, max })
    }

    pub(super) fn contains(&self, value: &T) -> bool {
        self.min.as_ref().is_none_or(|min| min <= value)
            && self.max.as_ref().is_none_or(|max| value <= max)
    }
}

impl<T: Copy + PartialOrd> Bounds<T> {
    /// The most, if there is one.
    pub(super) const fn max(&self) -> Option<T> {
        self.max
    }

    /// The same with no more than `most`.
    pub(super) fn at_most(self, most: T) -> Self {
        let max = self.max.filter(|max| *max < most).unwrap_or(most);
        Self {
            max: Some(max),
            ..self
        }
    }
}

impl<T> Default for Bounds<T> {
    fn default() -> Self {
        Self {
            min: None,
            max: None,
        }
    }
}

/// `1 to 255`, `1 or more`, `255 or less`, or the only value that there is.
impl<T: fmt::Display + PartialEq> fmt::Display for Bounds<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.min, &self.max) {
            (Some(min), Some(max)) if min == max => write!(f, "{min}"),
            (Some(min), Some(max)) => write!(f, "{min} to {max}"),
            (Some(min), None) => write!(f, "{min} or more"),
            (None, Some(max)) => write!(f, "{max} or less"),
            (None, None) => f.write_str("any"),
        }
    }
}
