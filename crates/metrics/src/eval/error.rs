//! Why a query has no answer, in the words of Prometheus where it has words for it.

use crate::promql::DurationFault;
use std::error::Error;
use std::sync::Arc;

/// Why a query has no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EvalError {
    /// More samples were read than [`Limits::samples`](super::Limits::samples).
    #[error("the query reads more than {0} samples; shorten its range, or select fewer series")]
    TooManySamples(usize),
    /// More points than [`Limits::points`](super::Limits::points) were to be held at once.
    #[error("the query holds more than {0} points; shorten its range, or select fewer series")]
    TooManyPoints(usize),
    /// More series were read than [`Limits::series`](super::Limits::series).
    #[error("the query reads more than {0} series; select fewer")]
    TooManySeries(usize),
    /// More evaluations than [`Limits::steps`](super::Limits::steps), of the query or of
    /// a subquery.
    #[error("more than {0} steps between start and end; use a longer step")]
    TooManySteps(usize),
    /// Labels of more bytes than [`Limits::label_bytes`](super::Limits::label_bytes).
    #[error("{function}() makes labels of more than {most} bytes")]
    LabelsTooLong {
        /// The function that was to make them.
        function: &'static str,
        /// As many may be made.
        most: usize,
    },
    /// Whoever asked does not want to know any more.
    #[error("query was canceled in expression evaluation")]
    Canceled,
    /// The end is before the start.
    #[error("end timestamp must not be before start time")]
    EndBeforeStart,
    /// A step that is not more than 0.
    #[error("zero or negative query resolution step widths are not accepted")]
    Step,
    /// The times of the query do not fit.
    #[error("the query looks at times that are out of range")]
    TimeRange,
    /// A range query for what has no value at each step.
    #[error("invalid expression type {0:?} for range query, must be Scalar or instant Vector")]
    RangeOf(String),
    /// What Prometheus has and this has not.
    #[error("{0} not supported")]
    NotSupported(String),
    /// A duration that is wrong with the times of this query.
    #[error("invalid duration: {0}")]
    Duration(#[from] DurationFault),
    /// Two series of a result would have the same labels.
    #[error("vector cannot contain metrics with the same labelset")]
    SameLabels,
    /// Several series on the side that must have one.
    #[error(
        "found duplicate series for the match group {group} on the {side} hand-side of the \
         operation: [{first}, {second}];many-to-many matching not allowed: matching labels \
         must be unique on one side"
    )]
    ManyToMany {
        /// The labels by which they were matched.
        group: String,
        /// `left` or `right`
        side: &'static str,
        /// One of the series.
        first: String,
        /// Another one.
        second: String,
    },
    /// Several series match one, and nothing says that they may.
    #[error(
        "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
    )]
    ManyToOne,
    /// Several series match one, and their results have the same labels.
    #[error("multiple matches for labels: grouping labels must ensure unique matches")]
    NotUnique,
    /// The k of `topk` is no number.
    #[error("Parameter value is NaN")]
    ParameterNaN,
    /// The k of `topk` is too low.
    #[error("Scalar value {0} underflows int64")]
    ParameterUnderflow(f64),
    /// The k of `topk` is too high.
    #[error("Scalar value {0} overflows int64")]
    ParameterOverflow(f64),
    /// The ratio of `limit_ratio` is no number.
    #[error("Ratio value is NaN")]
    RatioNaN,
    /// A factor of `double_exponential_smoothing`.
    #[error("invalid {name} factor. Expected: 0 < {short} < 1, got: {found:.6}")]
    Factor {
        /// `smoothing` or `trend`
        name: &'static str,
        /// `sf` or `tf`
        short: &'static str,
        /// What it is.
        found: f64,
    },
    /// What `count_values` is to call its label is no name.
    #[error("invalid label name {0}")]
    LabelName(String),
    /// What a function is to call a label is no name.
    #[error("invalid {place} label name in {function}(): {name}")]
    FunctionLabelName {
        /// `source` or `destination`
        place: &'static str,
        /// The function.
        function: &'static str,
        /// What is no name.
        name: String,
    },
    /// A pattern that cannot be read.
    #[error("invalid regular expression in label_replace(): {0}")]
    Pattern(String),
    /// The source could not answer.
    #[error("expanding series: {0}")]
    Source(#[source] Arc<dyn Error + Send + Sync>),
}

impl EvalError {
    /// An error of a source.
    pub fn source(error: impl Error + Send + Sync + 'static) -> Self {
        Self::Source(Arc::new(error))
    }
}
