//! The functions: what they take and what they give. What they do is the evaluator's.
//!
//! The list of <https://prometheus.io/docs/prometheus/latest/querying/functions/>, with
//! those that are experimental marked so.

use super::ast::ValueType;

/// What is known of a function.
#[derive(Debug, PartialEq, Eq)]
pub struct Function {
    name: &'static str,
    /// The types of its arguments; the last is also that of all further ones.
    arguments: &'static [ValueType],
    fewest: usize,
    most: Option<usize>,
    returns: ValueType,
    is_experimental: bool,
}

const SCALAR: ValueType = ValueType::Scalar;
const TEXT: ValueType = ValueType::String;
const VECTOR: ValueType = ValueType::InstantVector;
const RANGE: ValueType = ValueType::RangeVector;

/// All functions, by name.
pub static FUNCTIONS: &[Function] = &[
    function("abs", &[VECTOR], VECTOR),
    function("absent", &[VECTOR], VECTOR),
    function("absent_over_time", &[RANGE], VECTOR),
    function("acos", &[VECTOR], VECTOR),
    function("acosh", &[VECTOR], VECTOR),
    function("asin", &[VECTOR], VECTOR),
    function("asinh", &[VECTOR], VECTOR),
    function("atan", &[VECTOR], VECTOR),
    function("atanh", &[VECTOR], VECTOR),
    function("avg_over_time", &[RANGE], VECTOR),
    function("ceil", &[VECTOR], VECTOR),
    function("changes", &[RANGE], VECTOR),
    function("clamp", &[VECTOR, SCALAR, SCALAR], VECTOR),
    function("clamp_max", &[VECTOR, SCALAR], VECTOR),
    function("clamp_min", &[VECTOR, SCALAR], VECTOR),
    function("cos", &[VECTOR], VECTOR),
    function("cosh", &[VECTOR], VECTOR),
    function("count_over_time", &[RANGE], VECTOR),
    function("day_of_month", &[VECTOR], VECTOR).last_repeats(Some(1)),
    function("day_of_week", &[VECTOR], VECTOR).last_repeats(Some(1)),
    function("day_of_year", &[VECTOR], VECTOR).last_repeats(Some(1)),
    function("days_in_month", &[VECTOR], VECTOR).last_repeats(Some(1)),
    function("deg", &[VECTOR], VECTOR),
    function("delta", &[RANGE], VECTOR),
    function("deriv", &[RANGE], VECTOR),
    function(
        "double_exponential_smoothing",
        &[RANGE, SCALAR, SCALAR],
        VECTOR,
    )
    .experimental(),
    function("end", &[], SCALAR).experimental(),
    function("exp", &[VECTOR], VECTOR),
    function("first_over_time", &[RANGE], VECTOR),
    function("floor", &[VECTOR], VECTOR),
    function("histogram_avg", &[VECTOR], VECTOR),
    function("histogram_count", &[VECTOR], VECTOR),
    function("histogram_fraction", &[SCALAR, SCALAR, VECTOR], VECTOR),
    function("histogram_quantile", &[SCALAR, VECTOR], VECTOR),
    function(
        "histogram_quantiles",
        &[VECTOR, TEXT, SCALAR, SCALAR],
        VECTOR,
    )
    .last_repeats(Some(9))
    .experimental(),
    function("histogram_stddev", &[VECTOR], VECTOR),
    function("histogram_stdvar", &[VECTOR], VECTOR),
    function("histogram_sum", &[VECTOR], VECTOR),
    function("hour", &[VECTOR], VECTOR).last_repeats(Some(1)),
    function("idelta", &[RANGE], VECTOR),
    function("increase", &[RANGE], VECTOR),
    function("info", &[VECTOR, VECTOR], VECTOR)
        .last_repeats(Some(1))
        .experimental(),
    function("irate", &[RANGE], VECTOR),
    function("label_join", &[VECTOR, TEXT, TEXT, TEXT], VECTOR).last_repeats(None),
    function("label_replace", &[VECTOR, TEXT, TEXT, TEXT, TEXT], VECTOR),
    function("last_over_time", &[RANGE], VECTOR),
    function("ln", &[VECTOR], VECTOR),
    function("log10", &[VECTOR], VECTOR),
    function("log2", &[VECTOR], VECTOR),
    function("mad_over_time", &[RANGE], VECTOR).experimental(),
    function("max_of", &[SCALAR, SCALAR], SCALAR).experimental(),
    function("max_over_time", &[RANGE], VECTOR),
    function("min_of", &[SCALAR, SCALAR], SCALAR).experimental(),
    function("min_over_time", &[RANGE], VECTOR),
    function("minute", &[VECTOR], VECTOR).last_repeats(Some(1)),
    function("month", &[VECTOR], VECTOR).last_repeats(Some(1)),
    function("pi", &[], SCALAR),
    function("predict_linear", &[RANGE, SCALAR], VECTOR),
    function("present_over_time", &[RANGE], VECTOR),
    function("quantile_over_time", &[SCALAR, RANGE], VECTOR),
    function("rad", &[VECTOR], VECTOR),
    function("range", &[], SCALAR).experimental(),
    function("rate", &[RANGE], VECTOR),
    function("resets", &[RANGE], VECTOR),
    function("round", &[VECTOR, SCALAR], VECTOR).last_repeats(Some(1)),
    function("scalar", &[VECTOR], SCALAR),
    function("sgn", &[VECTOR], VECTOR),
    function("sin", &[VECTOR], VECTOR),
    function("sinh", &[VECTOR], VECTOR),
    function("sort", &[VECTOR], VECTOR),
    function("sort_by_label", &[VECTOR, TEXT], VECTOR)
        .last_repeats(None)
        .experimental(),
    function("sort_by_label_desc", &[VECTOR, TEXT], VECTOR)
        .last_repeats(None)
        .experimental(),
    function("sort_desc", &[VECTOR], VECTOR),
    function("sqrt", &[VECTOR], VECTOR),
    function("start", &[], SCALAR).experimental(),
    function("start_timestamp", &[VECTOR], VECTOR).experimental(),
    function("stddev_over_time", &[RANGE], VECTOR),
    function("stdvar_over_time", &[RANGE], VECTOR),
    function("step", &[], SCALAR).experimental(),
    function("sum_over_time", &[RANGE], VECTOR),
    function("tan", &[VECTOR], VECTOR),
    function("tanh", &[VECTOR], VECTOR),
    function("time", &[], SCALAR),
    function("timestamp", &[VECTOR], VECTOR),
    function("ts_of_first_over_time", &[RANGE], VECTOR).experimental(),
    function("ts_of_last_over_time", &[RANGE], VECTOR).experimental(),
    function("ts_of_max_over_time", &[RANGE], VECTOR).experimental(),
    function("ts_of_min_over_time", &[RANGE], VECTOR).experimental(),
    function("vector", &[SCALAR], VECTOR),
    function("year", &[VECTOR], VECTOR).last_repeats(Some(1)),
];

impl Function {
    /// The function of this name; upper and lower case differ.
    pub fn named(name: &str) -> Option<&'static Self> {
        let found = FUNCTIONS.binary_search_by_key(&name, |function| function.name);
        found.ok().map(|index| &FUNCTIONS[index])
    }

    /// Its name.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The type that an argument must have, the first being 0.
    pub fn argument(&self, index: usize) -> Option<ValueType> {
        let is_one = self.most.is_none_or(|most| index < most);
        let argument = self.arguments.get(index).or(self.arguments.last());
        argument.copied().filter(|_| is_one)
    }

    /// Whether an argument is a selector in braces that stands for its labels: `info`
    /// brings those over that its second argument matches.
    pub fn takes_labels(&self, index: usize) -> bool {
        self.name == "info" && index == 1
    }

    /// The fewest arguments that it takes.
    pub const fn fewest(&self) -> usize {
        self.fewest
    }

    /// The most arguments that it takes, if there is a limit.
    pub const fn most(&self) -> Option<usize> {
        self.most
    }

    /// The type of what it gives.
    pub const fn returns(&self) -> ValueType {
        self.returns
    }

    /// Whether Prometheus calls it experimental.
    pub const fn is_experimental(&self) -> bool {
        self.is_experimental
    }

    /// The last argument may be left out, or be given up to so many times.
    const fn last_repeats(self, times: Option<usize>) -> Self {
        let fewest = self.arguments.len() - 1;
        let most = match times {
            Some(times) => Some(fewest + times),
            None => None,
        };
        Self {
            fewest,
            most,
            ..self
        }
    }

    const fn experimental(self) -> Self {
        Self {
            is_experimental: true,
            ..self
        }
    }
}

/// A function that takes exactly these arguments.
const fn function(
    name: &'static str,
    arguments: &'static [ValueType],
    returns: ValueType,
) -> Function {
    Function {
        name,
        arguments,
        fewest: arguments.len(),
        most: Some(arguments.len()),
        returns,
        is_experimental: false,
    }
}

#[cfg(test)]
mod tests {
    use super::{FUNCTIONS, Function};

    #[test]
    fn every_function_is_found_by_its_name() {
        for function in FUNCTIONS {
            let found = Function::named(function.name());
            assert_eq!(found, Some(function), "the table is sorted");
        }
        assert_eq!(Function::named("Rate"), None);
    }

    #[test]
    fn how_many_arguments_they_take() {
        let check = |name: &str, fewest, most| {
            let function = Function::named(name).unwrap();
            assert_eq!((function.fewest(), function.most()), (fewest, most));
            let beyond = most.and_then(|most| function.argument(most));
            assert_eq!(beyond, None, "{name}");
        };
        check("time", 0, Some(0));
        check("hour", 0, Some(1));
        check("round", 1, Some(2));
        check("clamp", 3, Some(3));
        check("label_join", 3, None);
        check("histogram_quantiles", 3, Some(12));
    }
}
