//! PromQL, the query language of Prometheus 3: from a text to a tree that means
//! something, and back to one canonical line. It evaluates nothing.
//!
//! ```text
//! text ─lexer─▶ tokens ─parser─▶ Expr ─check─▶ Expr of a known type
//!                                 │
//!  ▲                              │
//!  └─────────── print ◀───────────┘
//! ```
//!
//! ```
//! use metrics::promql::{Features, ValueType, parse};
//!
//! let query = parse("sum(rate(requests_total[5m])) by(job)", Features::STABLE)?;
//! assert_eq!(query.value_type(), ValueType::InstantVector);
//! assert_eq!(query.to_string(), "sum by (job) (rate(requests_total[5m]))");
//! # Ok::<(), metrics::promql::ParseError>(())
//! ```
//!
//! What is decided here, Prometheus' documentation decides
//! (<https://prometheus.io/docs/prometheus/latest/querying/basics/>), and its grammar
//! where the documentation is silent. Numbers are floats: there are no native
//! histograms, only the functions and operators that are about them.
//!
//! Read `ast` first, then `parser`; `check` says which trees mean something.

mod ast;
mod check;
pub(crate) mod duration;
mod duration_expr;
mod error;
mod functions;
mod keyword;
mod lexer;
mod matcher;
mod number;
mod operator;
mod parser;
mod print;
mod string;

pub use ast::{
    Aggregation, At, Binary, Boundary, Call, Expr, ExprKind, Fill, Group, Grouping, Matching,
    MatchingLabels, MatrixSelector, Side, Span, Subquery, TimeModifiers, Unary, ValueType,
    VectorSelector,
};
pub use duration_expr::{DurationExpr, DurationFault, DurationKind, DurationOperator, QueryTimes};
pub use error::{Context, Fault, ParseError};
pub use functions::{FUNCTIONS, Function};
pub use matcher::{LabelMatcher, METRIC_NAME, MatchOperator, anchored};
pub use number::Number;
pub use operator::{AggregateOperator, BinaryOperator, UnaryOperator};
pub use parser::{DEPTH, Features, PATTERNS, QUERY_BYTES, TIMESTAMP_MS, parse, parse_selector};
pub use string::StringLiteral;
pub(crate) use string::quote;
