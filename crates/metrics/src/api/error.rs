//! Why a request has no answer, in the words of Prometheus where it has words for it.

use super::form::FormFault;
use super::{LABEL_NAME_BYTES, MATCHERS, STATUS_LIMIT};
use crate::eval::EvalError;
use crate::promql::{ParseError, quote};

/// Why a request has no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ApiError {
    /// A query string or a form that cannot be read.
    #[error("error parsing form values: {0}")]
    Form(#[from] FormFault),
    /// A parameter with a value that it cannot have.
    #[error("invalid parameter {name:?}: {fault}")]
    Parameter {
        /// Which one.
        name: &'static str,
        /// What is wrong with it.
        fault: ParameterFault,
    },
    /// The same, where Prometheus does not name the parameter.
    #[error("{0}")]
    Unnamed(ParameterFault),
    /// `lookback_delta` is no duration.
    #[error("error parsing lookback delta duration: {0}")]
    Lookback(ParameterFault),
    /// Series are asked for without saying which.
    #[error("no match[] parameter provided")]
    NoMatcher,
    /// A range query with more than [`STEPS`](super::STEPS).
    #[error(
        "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the \
         query resolution (?step=XX)"
    )]
    Resolution,
    /// A label that cannot be.
    #[error("invalid label name: {}", quote(.0.as_bytes()))]
    LabelName(String),
    /// The name of a label that is longer than any that is kept.
    #[error("the label's name has {0} bytes, and may have {LABEL_NAME_BYTES}")]
    LabelNameLong(usize),
    /// A parameter that is no number, where Prometheus does not say why.
    #[error("{0} must be a number")]
    NoNumber(&'static str),
    /// The `limit` of the store's figures is none.
    #[error("limit must be a positive number")]
    NotPositive,
    /// The `limit` of the store's figures is too high.
    #[error("limit must not exceed {STATUS_LIMIT}")]
    HighLimit,
    /// The query failed.
    #[error("{0}")]
    Eval(EvalError),
    /// More series than [`eval::Limits::series`](crate::eval::Limits::series).
    #[error("more than {0} series are selected; select fewer, or give a limit")]
    TooManySeries(usize),
    /// More text than [`Settings::answer_bytes`](super::Settings::answer_bytes).
    #[error(
        "the answer has more than {0} bytes; select fewer series, shorten the range, or use \
         a longer step"
    )]
    AnswerTooLarge(usize),
    /// Names or values that take more memory than
    /// [`Settings::answer_bytes`](super::Settings::answer_bytes) while they are gathered.
    #[error(
        "the names or values take more than {0} bytes of memory; select fewer series, or give \
         a limit"
    )]
    TextsTooLarge(usize),
    /// Nobody waits any more.
    #[error(transparent)]
    Interrupted(#[from] Interruption),
    /// An address that there is not.
    #[error("there is no endpoint {0:?}")]
    NoEndpoint(String),
}

/// What is wrong with the value of a parameter.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ParameterFault {
    /// No time.
    #[error("cannot parse {} to a valid timestamp", quote(.0.as_bytes()))]
    Time(String),
    /// What Prometheus names a second time.
    #[error("invalid time value for '{0}': {1}")]
    Named(&'static str, Box<Self>),
    /// No duration.
    #[error("cannot parse {} to a valid duration", quote(.0.as_bytes()))]
    Duration(String),
    /// A duration of more than 292 years.
    #[error("cannot parse {} to a valid duration. It overflows int64", quote(.0.as_bytes()))]
    LongDuration(String),
    /// No whole number.
    #[error("strconv.Atoi: parsing {}: invalid syntax", quote(.0.as_bytes()))]
    NoNumber(String),
    /// A number of more than 64 bits.
    #[error("strconv.Atoi: parsing {}: value out of range", quote(.0.as_bytes()))]
    NumberRange(String),
    /// A limit below 0.
    #[error("limit must be non-negative")]
    NegativeLimit,
    /// An end before the start.
    #[error("end timestamp must not be before start time")]
    EndBeforeStart,
    /// A step of nothing.
    #[error(
        "zero or negative query resolution step widths are not accepted. Try a positive integer"
    )]
    Step,
    /// A query or a selector that is none.
    #[error("{0}")]
    Parse(ParseError),
    /// A selector that may choose everything.
    #[error("match[] must contain at least one non-empty matcher")]
    EmptyMatcher,
    /// More selectors than [`MATCHERS`].
    #[error("{0} selectors, and {MATCHERS} are taken; join some with =~")]
    TooManyMatchers(usize),
    /// A query that can be asked, but not so.
    #[error("{0}")]
    Eval(EvalError),
}

/// Why nobody waits for an answer any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Interruption {
    /// It took too long.
    #[error("query timed out in query execution")]
    TimedOut,
    /// Who asked has gone, or the node is about to.
    #[error("query was canceled in query execution")]
    Canceled,
}

/// What clients are told of an error: its status, and the word for its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorKind {
    /// The HTTP status.
    pub status: u16,
    /// `errorType` of the answer.
    pub name: &'static str,
}

impl ErrorKind {
    const fn new(status: u16, name: &'static str) -> Self {
        Self { status, name }
    }
}

impl ApiError {
    pub(super) const fn parameter(name: &'static str, fault: ParameterFault) -> Self {
        Self::Parameter { name, fault }
    }

    /// The kind that Prometheus counts it as. 499 is nginx's, for who has gone.
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Eval(EvalError::Source(_)) => ErrorKind::new(500, "internal"),
            Self::Eval(_)
            | Self::TooManySeries(_)
            | Self::AnswerTooLarge(_)
            | Self::TextsTooLarge(_) => ErrorKind::new(422, "execution"),
            Self::Interrupted(Interruption::TimedOut) => ErrorKind::new(503, "timeout"),
            Self::Interrupted(Interruption::Canceled) => ErrorKind::new(499, "canceled"),
            Self::NoEndpoint(_) => ErrorKind::new(404, "not_found"),
            Self::Form(_)
            | Self::Parameter { .. }
            | Self::Unnamed(_)
            | Self::Lookback(_)
            | Self::NoMatcher
            | Self::Resolution
            | Self::LabelName(_)
            | Self::LabelNameLong(_)
            | Self::NoNumber(_)
            | Self::NotPositive
            | Self::HighLimit => ErrorKind::new(400, "bad_data"),
        }
    }
}

/// Some are found by the evaluator, and are faults of the request all the same.
impl From<EvalError> for ApiError {
    fn from(error: EvalError) -> Self {
        match error {
            EvalError::Canceled => Self::Interrupted(Interruption::Canceled),
            EvalError::RangeOf(_) => Self::parameter("query", ParameterFault::Eval(error)),
            EvalError::TimeRange => Self::Unnamed(ParameterFault::Eval(error)),
            other => Self::Eval(other),
        }
    }
}
