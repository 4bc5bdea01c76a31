//! The words of random queries: selectors of `series`, functions, operators, durations.

/// Selectors of what only grows, but for resets.
pub const COUNTERS: &[&str] = &[
    "requests_total",
    "requests_total{job=\"api\"}",
    "requests_total{code!=\"200\",instance=\"1\"}",
    "requests_total{code=~\"4..|500\"}",
    "{__name__=~\"requests.*\",instance=~\"[12]\"}",
    "latency_bucket",
    "latency_bucket{le!=\"+Inf\"}",
    "latency_sum",
];

/// Counters of which seldom two are equal.
pub const UNLIKE: &[&str] = &[
    "requests_total",
    "requests_total{job=\"api\"}",
    "latency_sum",
];

/// Selectors of what goes up and down, and is finite.
pub const GAUGES: &[&str] = &[
    "up",
    "up{instance!~\"2|3\"}",
    "queue",
    "queue{job=\"web\"}",
    "temperature",
    "temperature{room=\"attic\"}",
    "build",
];

/// Selectors of anything else.
pub const OTHERS: &[&str] = &[
    "odd",
    "odd{instance=\"1\"}",
    "{__name__=~\"latency_sum|latency_count\",job=\"api\"}",
    "{job=\"api\",le=\"\",code!=\"200\"}",
    "absent_metric",
];

/// Functions of a counter's range.
pub const OF_COUNTER: &[&str] = &["rate", "increase"];

/// Functions that a difference in the last digit changes.
pub const EXACT: &[&str] = &["changes", "resets"];

/// Functions of any range.
pub const OVER_TIME: &[&str] = &[
    "delta",
    "irate",
    "idelta",
    "sum_over_time",
    "avg_over_time",
    "min_over_time",
    "max_over_time",
    "count_over_time",
    "last_over_time",
    "present_over_time",
    "stddev_over_time",
    "stdvar_over_time",
    "absent_over_time",
];

/// Functions of one vector.
pub const OF_VECTOR: &[&str] = &[
    "abs",
    "absent",
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atanh",
    "ceil",
    "cos",
    "cosh",
    "deg",
    "exp",
    "floor",
    "ln",
    "log10",
    "log2",
    "rad",
    "round",
    "sgn",
    "sin",
    "sinh",
    "sqrt",
    "tan",
    "tanh",
    "-",
    "+",
    "sort",
    "sort_desc",
];

/// Functions of times.
pub const DATES: &[&str] = &[
    "day_of_month",
    "day_of_week",
    "day_of_year",
    "days_in_month",
    "hour",
    "minute",
    "month",
    "year",
];

/// Aggregations without a parameter, whose results are exact for exact values.
pub const AGGREGATIONS: &[&str] = &["sum", "avg", "count", "min", "max", "group"];

/// What makes a group.
pub const GROUPINGS: &[&str] = &[
    "",
    "",
    "by (job)",
    "by (job, instance)",
    "by (code)",
    "without (instance)",
    "without ()",
    "by (le, job)",
    "by (nothing)",
    "without (code, room)",
];

/// Operators that compute.
pub const ARITHMETIC: &[&str] = &["+", "-", "*", "/", "%", "^"];

/// Operators that filter.
pub const COMPARISONS: &[&str] = &["==", "!=", "<", "<=", ">", ">="];

/// Operators on sets.
pub const SETS: &[&str] = &["and", "or", "unless"];

/// Labels that are matched, with what may be brought over.
pub const MATCHINGS: &[(&str, &[&str])] = &[
    ("", &[""]),
    (
        "on (job)",
        &[
            "",
            "group_left ()",
            "group_right ()",
            "group_left (version)",
        ],
    ),
    (
        "on (job, instance)",
        &["", "group_left ()", "group_right ()"],
    ),
    (
        "ignoring (code)",
        &["", "group_left ()", "group_right (code)"],
    ),
    (
        "ignoring (instance, code, le, room, version)",
        &["", "group_left ()"],
    ),
    ("on ()", &["", "group_left ()"]),
];

/// Steps of subqueries: whole seconds, so that evaluations lie at such.
pub const STEPS: &[&str] = &["", "15s", "30s", "47s", "1m", "2m"];

/// Ranges of subqueries: none ends at a whole second, where an evaluation might lie, and
/// each is longer than any step, since Prometheus, 3 too, evaluates what is the same at
/// each step even where there is none.
pub const SUBQUERY_RANGES: &[&str] = &["130250ms", "3m250ms", "5m250ms", "10m250ms"];

/// Ranges of selectors.
pub const RANGES: &[&str] = &["20s", "45s", "1m", "90s", "2m", "5m", "13m", "1h"];

/// Scalars.
pub const NUMBERS: &[&str] = &[
    "0", "1", "2", "-1", "0.5", "3.25", "10", "100", "1e3", "Inf", "-Inf", "NaN",
];
