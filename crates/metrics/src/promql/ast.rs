//! The tree of a query: what each node is, where it stands in the text, and of what
//! type its value is.
//!
//! Trees are made by `parser`, judged by `check` and written by `print`. What lies in
//! brackets and behind `offset` is in `duration_expr`.

use super::duration_expr::DurationExpr;
use super::functions::Function;
use super::matcher::LabelMatcher;
use super::number::Number;
use super::operator::{AggregateOperator, BinaryOperator, UnaryOperator};
use super::string::StringLiteral;
use std::fmt;

/// A node of the tree, with all below it.
#[derive(Debug, Clone, PartialEq)]
pub struct Expr {
    /// Boxed, which keeps the stack of whoever recurses small.
    kind: Box<ExprKind>,
    span: Span,
    height: usize,
}

/// Bytes of a query, from `start` up to, but without, `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// Offset of the first byte.
    pub start: u32,
    /// Offset behind the last byte.
    pub end: u32,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq)]
pub enum ExprKind {
    /// `1.5`, `0x1f`, `Inf`, `1h30m`
    Number(Number),
    /// `"text"`
    String(StringLiteral),
    /// `up{job="node"}`
    Vector(VectorSelector),
    /// `up{job="node"}[5m]`
    Matrix(MatrixSelector),
    /// `rate(x[1m])[1h:5m]`
    Subquery(Subquery),
    /// `-x`
    Unary(Unary),
    /// `x + y`
    Binary(Binary),
    /// `sum by (job) (x)`
    Aggregation(Aggregation),
    /// `rate(x[5m])`
    Call(Call),
    /// `(x)`. Kept, because `(x)[5m]` is refused where `x[5m]` is not.
    Parenthesis(Expr),
}

/// The last value of each series that its matchers choose.
#[derive(Debug, Clone, PartialEq)]
pub struct VectorSelector {
    /// Sorted, the metric's name first.
    matchers: Vec<LabelMatcher>,
    /// When it looks.
    pub time: TimeModifiers,
    /// What happens at the ends of a range.
    pub boundary: Option<Boundary>,
}

/// The values of each chosen series over a range of time.
#[derive(Debug, Clone, PartialEq)]
pub struct MatrixSelector {
    /// Which series, and when; also holds what is written behind the range.
    pub vector: VectorSelector,
    /// How far it looks back; more than 0.
    pub range: DurationExpr,
}

/// An expression that is evaluated again and again over a range of time.
#[derive(Debug, Clone, PartialEq)]
pub struct Subquery {
    /// What is evaluated, an instant vector.
    pub expr: Expr,
    /// How far it looks back; more than 0.
    pub range: DurationExpr,
    /// The time from one evaluation to the next; where it is absent, the evaluator's
    /// default.
    pub step: Option<DurationExpr>,
    /// When it looks.
    pub time: TimeModifiers,
}

/// When a selector or a subquery looks, where that is not the time of evaluation.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TimeModifiers {
    /// `@`: the time that it is fixed to.
    pub at: Option<At>,
    /// `offset`: how long before that it looks; negative for later.
    pub offset: Option<DurationExpr>,
}

/// What stands behind `@`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// Milliseconds since 1970.
    Milliseconds(i64),
    /// `start()`: the start of the query's range.
    Start,
    /// `end()`: the end of the query's range.
    End,
}

/// `anchored` or `smoothed`: how a range treats its ends. Experimental.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Boundary {
    /// The sample before the range counts as its first.
    Anchored,
    /// Values at both ends are interpolated.
    Smoothed,
}

/// An expression behind a sign. A number behind a sign is a [`Number`] instead.
#[derive(Debug, Clone, PartialEq)]
pub struct Unary {
    /// The sign.
    pub operator: UnaryOperator,
    /// What it stands before.
    pub expr: Expr,
}

/// Two expressions and what joins them.
#[derive(Debug, Clone, PartialEq)]
pub struct Binary {
    /// What joins them.
    pub operator: BinaryOperator,
    /// Left of the operator.
    pub left: Expr,
    /// Right of the operator.
    pub right: Expr,
    /// `bool`: a comparison that answers 0 and 1 instead of filtering.
    pub is_bool: bool,
    /// Which series of the two sides belong together; of no effect unless both are
    /// vectors.
    pub matching: Matching,
}

/// Which series of two vectors belong together.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Matching {
    /// The labels that are compared.
    pub labels: MatchingLabels,
    /// Where several series of one side may belong to one of the other.
    pub group: Option<Group>,
    /// Values for series without a partner. Experimental.
    pub fill: Fill,
}

/// The labels by which series are matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MatchingLabels {
    /// `on (…)`: these alone.
    On(Vec<String>),
    /// `ignoring (…)`: all but these.
    Ignoring(Vec<String>),
}

/// `group_left (…)` or `group_right (…)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The side with several series to one of the other.
    pub many: Side,
    /// Labels that the result takes from the side that has one.
    pub include: Vec<String>,
}

/// A side of a binary operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Before the operator.
    Left,
    /// Behind the operator.
    Right,
}

/// The values that series missing on a side are taken to have.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Fill {
    /// For series that the left side lacks.
    pub left: Option<Number>,
    /// For series that the right side lacks.
    pub right: Option<Number>,
}

/// One series from each group of series.
#[derive(Debug, Clone, PartialEq)]
pub struct Aggregation {
    /// What is made of a group.
    pub operator: AggregateOperator,
    /// The k of `topk`, the φ of `quantile`, the label of `count_values`.
    pub parameter: Option<Expr>,
    /// What is grouped, an instant vector.
    pub expr: Expr,
    /// What makes a group.
    pub grouping: Grouping,
}

/// What makes a group of series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grouping {
    /// Equal values of these labels, which are kept; without labels, all are one group.
    By(Vec<String>),
    /// Equal values of all labels but these.
    Without(Vec<String>),
}

/// A function and its arguments.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The function.
    pub function: &'static Function,
    /// As many as it takes, of the types that it takes.
    pub arguments: Vec<Expr>,
}

/// The type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueType {
    /// A number.
    Scalar,
    /// Text.
    String,
    /// One value for each of some series.
    InstantVector,
    /// Several values, over a range of time, for each of some series.
    RangeVector,
}

impl Expr {
    /// A node.
    pub fn new(kind: ExprKind, span: Span) -> Self {
        let below = kind.children().map(Self::height);
        let durations = kind.durations().map(DurationExpr::height);
        let height = 1 + below.chain(durations).max().unwrap_or(0);
        Self {
            kind: Box::new(kind),
            span,
            height,
        }
    }

    /// What it is.
    pub fn kind(&self) -> &ExprKind {
        &self.kind
    }

    /// What it is, without where it stood.
    pub fn into_kind(self) -> ExprKind {
        *self.kind
    }

    /// Where it stands, in bytes of the query.
    pub const fn span(&self) -> Span {
        self.span
    }

    /// Nodes from here down to the lowest, both counted. The parser makes no tree of
    /// more than [`DEPTH`](super::DEPTH), so whoever walks one may recurse.
    pub const fn height(&self) -> usize {
        self.height
    }

    /// The expressions directly below, in the order of the text.
    pub fn children(&self) -> impl Iterator<Item = &Self> {
        self.kind.children()
    }

    /// The type of its value, if it has passed the checks.
    pub fn value_type(&self) -> ValueType {
        match self.kind() {
            ExprKind::Number(_) => ValueType::Scalar,
            ExprKind::String(_) => ValueType::String,
            ExprKind::Vector(_) | ExprKind::Aggregation(_) => ValueType::InstantVector,
            ExprKind::Matrix(_) | ExprKind::Subquery(_) => ValueType::RangeVector,
            ExprKind::Call(call) => call.function.returns(),
            ExprKind::Unary(Unary { expr, .. }) | ExprKind::Parenthesis(expr) => expr.value_type(),
            ExprKind::Binary(binary) => binary.value_type(),
        }
    }

    /// This, without the parentheses around it.
    pub fn without_parentheses(&self) -> &Self {
        let mut expr = self;
        while let ExprKind::Parenthesis(inner) = expr.kind() {
            expr = inner;
        }
        expr
    }
}

impl ExprKind {
    fn children(&self) -> impl Iterator<Item = &Expr> {
        let (first, second, others): (_, _, &[Expr]) = match self {
            Self::Number(_) | Self::String(_) | Self::Vector(_) | Self::Matrix(_) => {
                (None, None, &[])
            }
            Self::Subquery(Subquery { expr, .. })
            | Self::Unary(Unary { expr, .. })
            | Self::Parenthesis(expr) => (Some(expr), None, &[]),
            Self::Binary(Binary { left, right, .. }) => (Some(left), Some(right), &[]),
            Self::Aggregation(Aggregation {
                parameter, expr, ..
            }) => (parameter.as_ref(), Some(expr), &[]),
            Self::Call(call) => (None, None, &call.arguments),
        };
        first.into_iter().chain(second).chain(others)
    }

    fn durations(&self) -> impl Iterator<Item = &DurationExpr> {
        let (range, step, offset) = match self {
            Self::Vector(vector) => (None, None, vector.time.offset.as_ref()),
            Self::Matrix(matrix) => {
                let offset = matrix.vector.time.offset.as_ref();
                (Some(&matrix.range), None, offset)
            }
            Self::Subquery(subquery) => {
                let (step, offset) = (subquery.step.as_ref(), subquery.time.offset.as_ref());
                (Some(&subquery.range), step, offset)
            }
            _ => (None, None, None),
        };
        range.into_iter().chain(step).chain(offset)
    }
}

impl VectorSelector {
    /// A selector of the series that all of these match. Their order means nothing;
    /// they are sorted, so that equal selectors are equal.
    pub fn new(mut matchers: Vec<LabelMatcher>) -> Self {
        matchers.sort();
        Self {
            matchers,
            time: TimeModifiers::default(),
            boundary: None,
        }
    }

    /// What a series must match, its name among them, which comes first.
    pub fn matchers(&self) -> &[LabelMatcher] {
        &self.matchers
    }

    /// The one name that it asks for, if it does.
    pub fn metric_name(&self) -> Option<&str> {
        let mut names = self.matchers.iter().filter(|m| m.is_about_name());
        match (names.next(), names.next()) {
            (Some(only), None) => only.equal_value().filter(|name| !name.is_empty()),
            _ => None,
        }
    }
}

impl Binary {
    fn value_type(&self) -> ValueType {
        let scalar = |expr: &Expr| expr.value_type() == ValueType::Scalar;
        if scalar(&self.left) && scalar(&self.right) {
            ValueType::Scalar
        } else {
            ValueType::InstantVector
        }
    }
}

impl Default for MatchingLabels {
    fn default() -> Self {
        Self::Ignoring(Vec::new())
    }
}

impl Default for Grouping {
    fn default() -> Self {
        Self::By(Vec::new())
    }
}

impl Span {
    /// Offsets in a query, which fit 32 bits by its limit.
    pub(super) const fn new(start: usize, end: usize) -> Self {
        Self {
            start: start as u32,
            end: end as u32,
        }
    }

    /// From the start of this to the end of `other`.
    pub(super) const fn to(self, other: Self) -> Self {
        Self {
            start: self.start,
            end: other.end,
        }
    }
}

impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scalar => "scalar",
            Self::String => "string",
            Self::InstantVector => "instant vector",
            Self::RangeVector => "range vector",
        })
    }
}

impl fmt::Display for Boundary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Anchored => "anchored",
            Self::Smoothed => "smoothed",
        })
    }
}
