//! What holds for every tree and every text. Each test prints the seed that replays it;
//! a failure also prints the input, shrunk.

use crate::seed;
use crate::shape::{bare, placeless};
use metrics::promql::{
    AggregateOperator, Aggregation, At, Binary, BinaryOperator, Boundary, Call, DurationExpr,
    DurationKind, DurationOperator, Expr, ExprKind, FUNCTIONS, Features, Fill, Function, Group,
    Grouping, LabelMatcher, MatchOperator, Matching, MatchingLabels, MatrixSelector, Number, Side,
    Span, Subquery, TIMESTAMP_MS, TimeModifiers, Unary, UnaryOperator, ValueType, VectorSelector,
    parse, parse_selector,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestRunner;
use std::thread;

/// Cases of a test of trees, which are slow to make.
const TREES: u32 = 1_000;

/// Bytes of stack: making a tree at random takes more of it, without optimisation, than
/// anything that is done with one.
const STACK: usize = 16 << 20;

/// Cases of a test of texts.
const TEXTS: u32 = 4_000;

/// Words and signs that mean something somewhere, to be strung together.
pub(crate) const SOUP: &[&str] = &[
    "a",
    "b:c",
    "sum",
    "topk",
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "bool",
    "offset",
    "and",
    "or",
    "unless",
    "atan2",
    "rate",
    "start",
    "end",
    "step",
    "max_of",
    "fill",
    "anchored",
    "Inf",
    "NaN",
    "(",
    ")",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "@",
    "=",
    "==",
    "!=",
    "=~",
    "!~",
    "<",
    "</",
    ">=",
    "+",
    "-",
    "*",
    "/",
    "%",
    "^",
    "1",
    "0x1f",
    "1e",
    "5m",
    "1h30m",
    "\"x\"",
    "'",
    "`",
    "\\",
    "#",
    "\n",
    "é",
];

fn at_nowhere(kind: ExprKind) -> Expr {
    Expr::new(kind, Span::default())
}

fn duration_at_nowhere(kind: DurationKind) -> DurationExpr {
    DurationExpr::new(kind, Span::default())
}

fn number() -> impl Strategy<Value = Number> {
    prop_oneof![
        any::<f64>().prop_map(Number::new),
        any::<i16>().prop_map(|value| Number::new(f64::from(value))),
        (0..10_000_000_000_i64).prop_map(Number::duration),
        (0..10_000_i64).prop_map(|seconds| Number::duration(seconds * 1000).negated()),
    ]
}

/// Durations that are positive, whatever the times of the query are known to be.
fn duration() -> impl Strategy<Value = DurationExpr> {
    let positive = prop_oneof![
        (1..10_000_000_000_i64).prop_map(Number::duration),
        (0.001..1e9).prop_map(Number::new),
    ];
    let literal = positive.prop_map(|number| duration_at_nowhere(DurationKind::Literal(number)));
    let computed = computed_duration();
    // What holds the query's step is only judged when that is known.
    let with_step = (duration_operator(), computed).prop_map(|(operator, right)| {
        let left = duration_at_nowhere(DurationKind::Step);
        joined(operator, left, right)
    });
    prop_oneof![literal, with_step]
}

fn computed_duration() -> impl Strategy<Value = DurationExpr> {
    let literal = prop_oneof![
        (1..10_000_000_i64).prop_map(Number::duration),
        (1..1000_u16).prop_map(|value| Number::new(f64::from(value))),
    ];
    let leaf = prop_oneof![
        3 => literal.prop_map(|number| duration_at_nowhere(DurationKind::Literal(number))),
        1 => Just(duration_at_nowhere(DurationKind::Step)),
        1 => Just(duration_at_nowhere(DurationKind::Range)),
    ];
    leaf.prop_recursive(4, 12, 2, |inner| {
        let pair = (inner.clone(), inner.clone());
        prop_oneof![
            3 => (duration_operator(), pair.clone())
                .prop_map(|(operator, (left, right))| joined(operator, left, right)),
            1 => inner.prop_map(|inner| inner.negated(Span::default())),
            1 => (any::<bool>(), pair).prop_map(|(is_least, (left, right))| {
                let (left, right) = (Box::new(left), Box::new(right));
                duration_at_nowhere(if is_least {
                    DurationKind::Minimum(left, right)
                } else {
                    DurationKind::Maximum(left, right)
                })
            }),
        ]
    })
}

fn duration_operator() -> impl Strategy<Value = DurationOperator> {
    select(vec![
        DurationOperator::Add,
        DurationOperator::Subtract,
        DurationOperator::Multiply,
        DurationOperator::Divide,
        DurationOperator::Modulo,
        DurationOperator::Power,
    ])
}

/// Two durations joined; what might be a constant zero divides nothing.
fn joined(operator: DurationOperator, left: DurationExpr, right: DurationExpr) -> DurationExpr {
    let divides = matches!(
        operator,
        DurationOperator::Divide | DurationOperator::Modulo
    );
    let is_literal = matches!(right.kind(), DurationKind::Literal(_));
    let right = match divides && !is_literal {
        true => duration_at_nowhere(DurationKind::Step),
        false => right,
    };
    let (left, right) = (Box::new(left), Box::new(right));
    duration_at_nowhere(DurationKind::Binary {
        operator,
        left,
        right,
    })
}

fn time() -> impl Strategy<Value = TimeModifiers> {
    let at = prop_oneof![
        (-TIMESTAMP_MS..=TIMESTAMP_MS).prop_map(At::Milliseconds),
        Just(At::Start),
        Just(At::End),
    ];
    let offset = prop_oneof![
        duration(),
        duration().prop_map(|duration| duration.negated(Span::default())),
    ];
    let time = (option::of(at), option::of(offset));
    let time = time.prop_map(|(at, offset)| TimeModifiers { at, offset });
    prop_oneof![2 => Just(TimeModifiers::default()), 1 => time]
}

fn name() -> impl Strategy<Value = String> {
    let keyword = select(vec![
        "sum",
        "BY",
        "without",
        "on",
        "bool",
        "offset",
        "and",
        "start",
        "step",
        "fill",
        "inf",
        "NaN",
        "atan2",
        "group_left",
        "anchored",
    ]);
    prop_oneof![
        3 => "[a-z_][a-z0-9_:]{0,4}",
        1 => keyword.prop_map(str::to_owned),
        1 => "\\PC{1,4}",
    ]
}

fn matcher() -> impl Strategy<Value = LabelMatcher> {
    let equal = (any::<bool>(), any::<String>()).prop_map(|(is_equal, value)| {
        let operator = if is_equal {
            MatchOperator::Equal
        } else {
            MatchOperator::NotEqual
        };
        (operator, value)
    });
    let pattern = (any::<bool>(), "[a-z|.*\n]{0,3}[a-z]").prop_map(|(is_match, value)| {
        let operator = if is_match {
            MatchOperator::Matches
        } else {
            MatchOperator::NotMatches
        };
        (operator, value)
    });
    let value = prop_oneof![equal, pattern];
    let label = prop_oneof![4 => name(), 1 => Just("__name__".to_owned())];
    (label, value).prop_filter_map("a pattern", |(name, (operator, value))| {
        LabelMatcher::new(name, operator, value).ok()
    })
}

fn selector() -> impl Strategy<Value = VectorSelector> {
    let boundary = select(vec![Boundary::Anchored, Boundary::Smoothed]);
    let boundary = prop_oneof![4 => Just(None), 1 => boundary.prop_map(Some)];
    let parts = (name(), vec(matcher(), 0..3), time(), boundary);
    parts.prop_map(|(name, mut matchers, time, boundary)| {
        matchers.push(LabelMatcher::of_name(name));
        let mut vector = VectorSelector::new(matchers);
        (vector.time, vector.boundary) = (time, boundary);
        vector
    })
}

fn labels() -> impl Strategy<Value = Vec<String>> {
    vec(name(), 0..3)
}

fn matching() -> impl Strategy<Value = Matching> {
    let many = select(vec![Side::Left, Side::Right]);
    let group = (many, labels()).prop_map(|(many, include)| Group { many, include });
    let fill = (option::of(number()), option::of(number()));
    let fill = fill.prop_map(|(left, right)| Fill { left, right });
    let parts = (any::<bool>(), labels(), option::of(group), fill);
    parts.prop_map(|(is_on, labels, mut group, fill)| {
        if let Some(group) = &mut group {
            // A label is matched or brought over, not both.
            group.include.retain(|label| !labels.contains(label));
        }
        let labels = if is_on {
            MatchingLabels::On(labels)
        } else {
            MatchingLabels::Ignoring(labels)
        };
        Matching {
            labels,
            group,
            fill,
        }
    })
}

/// A tree whose value is a number or an instant vector, as it is asked for.
pub(crate) fn tree() -> impl Strategy<Value = Expr> {
    (scalar(), vector()).prop_flat_map(|(scalar, vector)| prop_oneof![Just(scalar), Just(vector)])
}

fn scalar() -> impl Strategy<Value = Expr> {
    let leaf = prop_oneof![
        number().prop_map(|number| at_nowhere(ExprKind::Number(number))),
        Just(call("time", Vec::new())),
        selector().prop_map(|vector| call("scalar", vec![at_nowhere(ExprKind::Vector(vector))])),
    ];
    leaf.prop_recursive(4, 16, 2, |inner| {
        let pair = (inner.clone(), inner.clone());
        prop_oneof![
            4 => (operator(), pair).prop_filter_map("of numbers", |(operator, (left, right))| {
                let binary = Binary {
                    operator,
                    left,
                    right,
                    is_bool: operator.is_comparison(),
                    matching: Matching::default(),
                };
                (!operator.is_set()).then(|| at_nowhere(ExprKind::Binary(binary)))
            }),
            1 => signed(inner.clone()),
            1 => inner.prop_map(|inner| at_nowhere(ExprKind::Parenthesis(inner))),
        ]
    })
}

fn vector() -> impl Strategy<Value = Expr> {
    let leaf = selector().prop_map(|vector| at_nowhere(ExprKind::Vector(vector)));
    leaf.prop_recursive(5, 24, 3, |inner| {
        let inner = inner.boxed();
        prop_oneof![
            4 => joined_vectors(inner.clone()),
            3 => aggregated(inner.clone()),
            3 => called(inner.clone()),
            1 => signed(inner.clone()),
            1 => inner.prop_map(|inner| at_nowhere(ExprKind::Parenthesis(inner))),
        ]
    })
}

fn signed(inner: impl Strategy<Value = Expr>) -> impl Strategy<Value = Expr> {
    (any::<bool>(), inner).prop_map(|(is_minus, expr)| {
        let operator = if is_minus {
            UnaryOperator::Minus
        } else {
            UnaryOperator::Plus
        };
        at_nowhere(ExprKind::Unary(Unary { operator, expr }))
    })
}

fn joined_vectors(inner: BoxedStrategy<Expr>) -> impl Strategy<Value = Expr> {
    let parts = (operator(), inner.clone(), inner, matching(), any::<bool>());
    parts.prop_map(|(operator, left, right, mut matching, is_bool)| {
        if operator.is_set() {
            (matching.group, matching.fill) = (None, Fill::default());
        }
        let is_unsaid = matching.labels == MatchingLabels::default();
        if is_unsaid {
            matching.group = None;
        }
        at_nowhere(ExprKind::Binary(Binary {
            operator,
            left,
            right,
            is_bool: is_bool && operator.is_comparison(),
            matching,
        }))
    })
}

fn aggregated(inner: BoxedStrategy<Expr>) -> impl Strategy<Value = Expr> {
    let operator = select(AggregateOperator::ALL.to_vec());
    let parts = (
        operator,
        inner,
        scalar(),
        any::<Vec<u8>>(),
        labels(),
        any::<bool>(),
    );
    parts.prop_map(|(operator, expr, scalar, text, labels, is_by)| {
        let parameter = operator.parameter().map(|parameter| match parameter {
            ValueType::String => at_nowhere(ExprKind::String(text.into())),
            _ => scalar,
        });
        let grouping = if is_by {
            Grouping::By(labels)
        } else {
            Grouping::Without(labels)
        };
        at_nowhere(ExprKind::Aggregation(Aggregation {
            operator,
            parameter,
            expr,
            grouping,
        }))
    })
}

/// A call of any function that gives a vector, its arguments as it takes them.
fn called(inner: BoxedStrategy<Expr>) -> impl Strategy<Value = Expr> {
    let functions = FUNCTIONS.iter();
    let functions = functions.filter(|function| function.returns() == ValueType::InstantVector);
    // Its second argument is no vector but labels.
    let functions: Vec<_> = functions
        .filter(|function| function.name() != "info")
        .collect();
    select(functions).prop_flat_map(move |function: &Function| {
        let count = function.fewest()..=function.most().unwrap_or(function.fewest() + 2);
        let inner = inner.clone();
        count.prop_flat_map(move |count| {
            let types = (0..count).filter_map(|index| function.argument(index));
            let arguments: Vec<_> = types.map(|of| argument(of, inner.clone())).collect();
            arguments.prop_map(|arguments| call(function.name(), arguments))
        })
    })
}

fn argument(of: ValueType, vector: BoxedStrategy<Expr>) -> BoxedStrategy<Expr> {
    match of {
        ValueType::Scalar => scalar().boxed(),
        ValueType::String => any::<Vec<u8>>()
            .prop_map(|text| at_nowhere(ExprKind::String(text.into())))
            .boxed(),
        ValueType::InstantVector => vector,
        ValueType::RangeVector => prop_oneof![matrix(), subquery(vector)].boxed(),
    }
}

fn matrix() -> impl Strategy<Value = Expr> {
    (selector(), duration())
        .prop_map(|(vector, range)| at_nowhere(ExprKind::Matrix(MatrixSelector { vector, range })))
}

fn subquery(vector: BoxedStrategy<Expr>) -> impl Strategy<Value = Expr> {
    let parts = (vector, duration(), option::of(duration()), time());
    parts.prop_map(|(expr, range, step, time)| {
        at_nowhere(ExprKind::Subquery(Subquery {
            expr,
            range,
            step,
            time,
        }))
    })
}

fn call(name: &str, arguments: Vec<Expr>) -> Expr {
    let function = Function::named(name).unwrap();
    at_nowhere(ExprKind::Call(Call {
        function,
        arguments,
    }))
}

fn operator() -> impl Strategy<Value = BinaryOperator> {
    select(vec![
        BinaryOperator::Or,
        BinaryOperator::And,
        BinaryOperator::Unless,
        BinaryOperator::Equal,
        BinaryOperator::Less,
        BinaryOperator::GreaterOrEqual,
        BinaryOperator::TrimUpper,
        BinaryOperator::Add,
        BinaryOperator::Subtract,
        BinaryOperator::Multiply,
        BinaryOperator::Modulo,
        BinaryOperator::Atan2,
        BinaryOperator::Power,
    ])
}

pub(crate) fn check<S: Strategy>(
    cases: u32,
    strategy: impl Fn() -> S + Send,
    test: impl Fn(S::Value) -> Result<(), TestCaseError> + Send,
) {
    let run = move || {
        let outcome = TestRunner::new(seed::config(cases)).run(&strategy(), test);
        outcome.unwrap_or_else(|failure| panic!("{failure}"));
    };
    thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(STACK);
        let ended = thread.spawn_scoped(scope, run).unwrap().join();
        ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
}

/// What is read is printed once and for all, and every fault lies in the text.
fn check_text(text: &str) -> Result<(), TestCaseError> {
    drop(parse_selector(text));
    match parse(text, Features::ALL) {
        Ok(tree) => {
            let printed = tree.to_string();
            let again = parse(&printed, Features::ALL);
            let again =
                again.map_err(|error| TestCaseError::fail(format!("{printed}: {error}")))?;
            prop_assert_eq!(placeless(&again), placeless(&tree), "{}", &printed);
            prop_assert_eq!(again.to_string(), printed);
        }
        Err(error) => {
            let (start, end) = (error.span().start as usize, error.span().end as usize);
            prop_assert!(text.get(start..end).is_some(), "{error}");
        }
    }
    Ok(())
}

#[test]
fn what_is_printed_is_read_as_it_was() {
    check(TREES, tree, |tree| {
        let text = tree.to_string();
        let read = parse(&text, Features::ALL);
        let read = read.map_err(|error| TestCaseError::fail(format!("{text}\n{error}")))?;
        prop_assert_eq!(bare(&read), bare(&tree), "{}", &text);
        prop_assert_eq!(&read.to_string(), &text);
        prop_assert_eq!(read.value_type(), tree.value_type());
        prop_assert_eq!(parse(&read.to_string(), Features::ALL).unwrap(), read);
        Ok(())
    });
}

#[test]
fn a_damaged_text_is_answered() {
    let damaged = || (tree(), any::<proptest::sample::Index>(), select(SOUP));
    check(TREES, damaged, |(tree, index, word)| {
        let mut text = tree.to_string();
        let mut at = index.index(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        text.insert_str(at, word);
        check_text(&text)
    });
}

#[test]
fn any_bytes_are_answered() {
    check(
        TEXTS,
        || vec(any::<u8>(), 0..200),
        |bytes| check_text(&String::from_utf8_lossy(&bytes)),
    );
}

#[test]
fn any_words_are_answered() {
    let soup = || vec((select(SOUP), select(vec!["", " "])), 0..30);
    check(TEXTS, soup, |words| {
        let words = words.into_iter().flat_map(|(word, blank)| [word, blank]);
        check_text(&words.collect::<String>())
    });
}
