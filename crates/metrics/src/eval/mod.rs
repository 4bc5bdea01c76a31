//! PromQL evaluated: from a tree and a source of series to an answer. Pure: what it reads
//! comes through [`Select`], what it costs is bounded by [`Limits`].
//!
//! A range query is not evaluated step by step. Each node of the tree gives columns, a
//! series of values over all steps, so that what is the same at each step (which series
//! there are, which belong together, what the result is called) is found out once:
//!
//! ```text
//! Select ──series──▶ selectors ──columns──▶ functions, operators, aggregations ──▶ Answer
//! ```
//!
//! An instant query is a range query of one step.
//!
//! ```
//! use metrics::chunk::Sample;
//! use metrics::eval::{
//!     Engine, EvalError, Labels, QueryValue, Select, SeriesCursor, TimeRange,
//! };
//! use metrics::promql::{Features, LabelMatcher, parse};
//!
//! /// Has one series, whatever it is asked for.
//! struct OneSeries(Labels, Vec<Sample>);
//!
//! /// The series, and how often it was gone to.
//! struct Once<'s>(&'s OneSeries, usize);
//!
//! impl Select for OneSeries {
//!     fn select<'s>(
//!         &'s self,
//!         _: &[LabelMatcher],
//!         _: TimeRange,
//!     ) -> Result<Box<dyn SeriesCursor + 's>, EvalError> {
//!         Ok(Box::new(Once(self, 0)))
//!     }
//! }
//!
//! impl SeriesCursor for Once<'_> {
//!     fn advance(&mut self) -> Result<bool, EvalError> {
//!         self.1 += 1;
//!         Ok(self.1 == 1)
//!     }
//!
//!     fn labels(&self) -> &Labels {
//!         &self.0.0
//!     }
//!
//!     fn samples(&mut self) -> Result<&[Sample], EvalError> {
//!         Ok(&self.0.1)
//!     }
//! }
//!
//! let samples = [0, 60_000, 120_000].map(|time| Sample {
//!     time,
//!     value: time as f64 / 500.0,
//! });
//! let source = OneSeries(Labels::new([("__name__", "requests_total")]), samples.to_vec());
//! let query = parse("rate(requests_total[5m])", Features::STABLE)?;
//! let answer = Engine::new(&source).instant(&query, 120_000)?;
//! let QueryValue::Vector(elements) = answer.value else {
//!     panic!("an instant vector");
//! };
//! assert_eq!(elements[0].sample.value, 0.8);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What is decided here, Prometheus' documentation decides
//! (<https://prometheus.io/docs/prometheus/latest/querying/basics/> and the pages beside
//! it), and its engine, version 3, where the documentation is silent. Numbers are floats:
//! there are no native histograms.
//!
//! Read `engine` first, then `evaluator`, which walks the tree; `selectors` reads.

mod aggregation;
mod binary;
mod choice;
mod engine;
mod error;
mod evaluator;
mod functions;
mod groups;
mod labels;
mod limits;
mod matching;
mod merge;
mod notes;
mod select;
mod selectors;
mod sets;
mod steps;
mod summation;
mod texts;
mod vector;
mod windows;

pub use engine::{Answer, Element, Engine, QueryValue, Settings, ValueSeries};
pub use error::EvalError;
pub use labels::Labels;
pub(crate) use labels::encode as encode_labels;
pub use limits::Limits;
pub use merge::{Merged, merge};
pub use notes::{Note, Notes, Remark};
pub use select::{Select, SeriesCursor, TimeRange};
pub(crate) use select::{add_names, add_values};
pub use texts::Texts;
pub use vector::STALE;
