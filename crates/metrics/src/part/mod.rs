//! Stub.
use crate::eval::{EvalError, Select, SeriesCursor, TimeRange};
use crate::promql::LabelMatcher;
use std::path::Path;
use store::fs::FileSystem;
/// Stub.
#[derive(Debug)]
pub struct Part(Summary);
/// Stub.
#[derive(Debug, Clone, Copy, Default)]
pub struct Summary {
    /// Stub.
    pub series: u64,
    /// Stub.
    pub samples: u64,
    /// Stub.
    pub start: i64,
    /// Stub.
    pub end: i64,
    /// Stub.
    pub bytes: u64,
}
/// Stub.
#[derive(Debug, thiserror::Error)]
pub enum PartError {
    /// Stub.
    #[error(transparent)]
    Source(#[from] EvalError),
}
/// Stub.
pub fn write(
    _: &dyn FileSystem,
    _: &Path,
    _: &mut dyn SeriesCursor,
) -> Result<Option<Summary>, PartError> {
    Ok(None)
}
impl Part {
    /// Stub.
    pub fn open(_: &dyn FileSystem, _: &Path) -> Result<Self, PartError> {
        Ok(Self(Summary::default()))
    }
    /// Stub.
    pub fn summary(&self) -> &Summary {
        &self.0
    }
    /// Stub.
    pub fn verify(&self, _: &mut dyn FnMut(u64) -> bool) -> Result<(), PartError> {
        Ok(())
    }
}
impl Select for Part {
    fn select<'s>(
        &'s self,
        _: &[LabelMatcher],
        _: TimeRange,
    ) -> Result<Box<dyn SeriesCursor + 's>, EvalError> {
        unimplemented!()
    }
}
