//! The HTTP API of Prometheus, without HTTP: from an address and its parameters to a
//! status and JSON, as Prometheus 3 answers where there is no reason to differ. Pure: the
//! time is given, and whoever calls knows how long it has taken.
//!
//! ```text
//! path ───────▶ Endpoint ─┐                  ┌─▶ query ───▶ eval ─┐
//! query string, form ─────┴▶ Api::answer ────┼─▶ catalog ─────────┼─▶ Output ─▶ Response
//!                                            └─▶ status ──────────┘
//! ```
//!
//! Which addresses there are, what they take and where they differ is told to users in
//! `docs/metrics-api.md`.
//!
//! ```
//! use metrics::api::{Api, Endpoint, Request, Settings, Status};
//! use metrics::eval::{Merged, Select};
//! use metrics::head::HeadFigures;
//! use std::collections::BTreeMap;
//!
//! let api = Api {
//!     source: &Merged::new(std::iter::empty::<&dyn Select>()),
//!     metadata: &BTreeMap::new(),
//!     status: &Status::default,
//!     figures: &|_most| Ok(HeadFigures::default()),
//!     settings: Settings::default(),
//! };
//! let request = Request {
//!     endpoint: &Endpoint::at("query")?,
//!     query_string: "query=1%2B1",
//!     form: b"",
//! };
//! let response = api.answer(request, 1_500, &|_timeout| None);
//! assert_eq!(response.status, 200);
//! assert_eq!(
//!     response.body,
//!     br#"{"status":"success","data":{"resultType":"scalar","result":[1.500,"2"]}}"#,
//! );
//! # Ok::<(), metrics::api::ApiError>(())
//! ```
//!
//! Read on in `query`; `output` holds answers to their bounds, `error` has the words for
//! what goes wrong, and `export` writes series as they can be imported again.

mod catalog;
mod endpoint;
mod error;
mod export;
mod form;
mod numbers;
mod output;
mod parameter;
mod query;
mod selection;
mod status;

pub use crate::ingest::LABEL_NAME_BYTES;
pub use endpoint::Endpoint;
pub use error::{ApiError, ErrorKind, Interruption, ParameterFault};
pub use export::export;
pub use form::{FORM_BYTES, FormFault, PARAMETERS};
pub use selection::{MATCHERS, Selection, Selectors};
pub use status::{STATUS_LIMIT, Status};

use crate::eval::{self, EvalError, Select};
use crate::head::HeadFigures;
use crate::ingest::Kind;
use crate::json_text::push_text;
use form::Parameters;
use output::{Output, Patience, Remarks};
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// Steps of a range query, as in Prometheus: minutes for a week, or hours for a year.
/// With the first one it has one value more.
pub const STEPS: i64 = 11_000;

/// Answers requests from these.
pub struct Api<'a> {
    /// The series.
    pub source: &'a dyn Select,
    /// The kinds of metrics.
    pub metadata: &'a dyn MetadataSource,
    /// What is known of the node. Asked only for what shows it.
    pub status: &'a dyn Fn() -> Status,
    /// Figures of the series in memory, with so many of each list. Asked only for what shows
    /// them.
    pub figures: &'a dyn Fn(usize) -> Result<HeadFigures, EvalError>,
    /// What answers may cost.
    pub settings: Settings,
}

/// Who knows what the values of metrics mean.
pub trait MetadataSource {
    /// The kind of a metric, if it is known.
    fn kind(&self, metric: &str) -> Option<Kind>;

    /// Tells each metric whose kind is known, each once, until it is told to stop.
    fn for_each(&self, tell: &mut dyn FnMut(&str, Kind) -> ControlFlow<()>);
}

/// What answers may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// What queries may cost.
    pub eval: eval::Settings,
    /// How long an answer may take, in milliseconds. A request may ask for less.
    pub timeout: u64,
    /// Bytes of an answer, which are held in memory until they are sent; some thousands
    /// more may be made before that is noticed.
    pub answer_bytes: usize,
}

/// What was asked.
#[derive(Debug, Clone, Copy)]
pub struct Request<'r> {
    /// Where.
    pub endpoint: &'r Endpoint,
    /// The query string, without its question mark; may be empty.
    pub query_string: &'r str,
    /// The body of a POST, if its type is `application/x-www-form-urlencoded`; else empty.
    pub form: &'r [u8],
}

/// What is answered, as `application/json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// JSON.
    pub body: Vec<u8>,
}

impl Default for Settings {
    /// Two minutes, as in Prometheus, and 256 MiB: six million points, more than a
    /// browser draws.
    fn default() -> Self {
        Self {
            eval: eval::Settings::default(),
            timeout: 120_000,
            answer_bytes: 256 << 20,
        }
    }
}

impl Api<'_> {
    /// Answers a request at the time `now`, in milliseconds since 1970.
    ///
    /// `interruption` is asked now and then, at the latest for each series that is read,
    /// with the milliseconds that the answer may take in all: if that many have passed,
    /// or nobody waits for the answer, it tells so, and the request ends.
    pub fn answer(
        &self,
        request: Request<'_>,
        now: i64,
        interruption: &dyn Fn(u64) -> Option<Interruption>,
    ) -> Response {
        let patience = Patience::new(interruption, self.settings.timeout);
        let mut out = Output::new(self.settings.answer_bytes, patience);
        match self.data(request, now, &mut out) {
            Ok(remarks) => out.finish(&remarks),
            // Whoever interrupted it is still there to say why.
            Err(ApiError::Interrupted(told)) => {
                let reason = out.patience.interruption().unwrap_or(told);
                ApiError::Interrupted(reason).into()
            }
            Err(error) => error.into(),
        }
    }

    /// Writes what is asked for.
    fn data(
        &self,
        request: Request<'_>,
        now: i64,
        out: &mut Output<'_>,
    ) -> Result<Remarks, ApiError> {
        let parameters = &Parameters::read(request.form, request.query_string.as_bytes())?;
        match request.endpoint {
            Endpoint::Query => query::instant(self, parameters, now, out),
            Endpoint::QueryRange => query::range(self, parameters, out),
            Endpoint::FormatQuery => query::format(parameters, out),
            Endpoint::Labels => catalog::label_names(self, parameters, out),
            Endpoint::LabelValues(name) => catalog::label_values(self, name, parameters, out),
            Endpoint::Series => catalog::series(self, parameters, out),
            Endpoint::Metadata => catalog::metadata(self, parameters, out),
            Endpoint::BuildInfo => status::build(&(self.status)(), out),
            Endpoint::RuntimeInfo => status::runtime(&(self.status)(), now, out),
            Endpoint::StoreStatus => status::store(self, parameters, out),
            Endpoint::QueryExemplars => Ok(nothing("[]", out)),
            Endpoint::Nothing(data) => Ok(nothing(data, out)),
        }
    }
}

fn nothing(data: &str, out: &mut Output<'_>) -> Remarks {
    out.push(data);
    Remarks::default()
}

impl From<ApiError> for Response {
    fn from(error: ApiError) -> Self {
        let kind = error.kind();
        let mut text = String::from("{\"status\":\"error\",\"errorType\":");
        push_text(&mut text, kind.name);
        text.push_str(",\"error\":");
        push_text(&mut text, &error.to_string());
        text.push('}');
        Self {
            status: kind.status,
            body: text.into_bytes(),
        }
    }
}

impl MetadataSource for BTreeMap<String, Kind> {
    fn kind(&self, metric: &str) -> Option<Kind> {
        self.get(metric).copied()
    }

    fn for_each(&self, tell: &mut dyn FnMut(&str, Kind) -> ControlFlow<()>) {
        let _ = self
            .iter()
            .try_for_each(|(metric, kind)| tell(metric, *kind));
    }
}
