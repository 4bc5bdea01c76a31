//! Canonical texts: of queries that were written in other ways, and of trees that no
//! text has.

use metrics::promql::{
    Binary, BinaryOperator, Expr, ExprKind, Features, Matching, Number, Span, Unary, UnaryOperator,
    parse,
};

fn check(text: &str, expected: &str) {
    let printed = parse(text, Features::ALL).unwrap().to_string();
    assert_eq!(printed, expected, "{text}");
    let again = parse(&printed, Features::ALL).unwrap();
    assert_eq!(again.to_string(), expected, "{text}");
}

#[test]
fn one_text_for_each_meaning() {
    check("sum(a)by(b)", "sum by (b) (a)");
    check("SUM BY()(a)", "sum(a)");
    check("a AND ON(b)c", "a and on (b) c");
    check("a*on(b)group_left(c)d", "a * on (b) group_left (c) d");
    check("a==BOOL 0x10", "a == bool 16");
    check("{b='c',__name__='a'}", "a{b=\"c\"}");
    check("{b='c','a.d',}", "{\"a.d\", b=\"c\"}");
    check("{__name__='',b='c'}", "{__name__=\"\", b=\"c\"}");
    check("{'Inf'}", "{\"Inf\"}");
    check(
        "sum by ('a','inf','b:c')(x)",
        "sum by (a, \"inf\", \"b:c\") (x)",
    );
    check("a offset 1h @1.5", "a @ 1.500 offset 1h");
    check("a[90m:1000ms]@end()", "a[1h30m:1s] @ end()");
    check("a offset (1h+1m)", "a offset +(1h + 1m)");
    check("a offset -(1h+1m)*b", "a offset -(1h + 1m) * b");
    check("a[(1+2)*3-(4-5)]", "a[(1 + 2) * 3 - (4 - 5)]");
    check("a[2^(3^2)/(2^3)^2]", "a[2 ^ 3 ^ 2 / (2 ^ 3) ^ 2]");
    check("a[(-1)^2+step()*-1]", "a[(-1) ^ 2 + step() * -1]");
    check("a+fill_left(1)fill_right(1)b", "a + fill (1) b");
    check("'\\x00é'", "\"\\x00é\"");
    check("-1^+2", "-1 ^ 2");
    check("info(a,{})", "info(a, {})");
    check(
        "info(a,{b='c',__name__='d'}@5)",
        "info(a, {\"d\", b=\"c\"} @ 5.000)",
    );
}

#[test]
fn parentheses_keep_a_meaning() {
    let node = |kind| Expr::new(kind, Span::default());
    let number = |value| node(ExprKind::Number(Number::new(value)));
    let join = |operator, left, right| {
        node(ExprKind::Binary(Binary {
            operator,
            left,
            right,
            is_bool: false,
            matching: Matching::default(),
        }))
    };
    let minus = |expr| {
        node(ExprKind::Unary(Unary {
            operator: UnaryOperator::Minus,
            expr,
        }))
    };
    let sum = || join(BinaryOperator::Add, number(1.0), number(2.0));
    let power = || join(BinaryOperator::Power, number(1.0), number(2.0));
    let check = |expr: Expr, expected| assert_eq!(expr.to_string(), expected);
    check(
        join(BinaryOperator::Multiply, sum(), sum()),
        "(1 + 2) * (1 + 2)",
    );
    check(
        join(BinaryOperator::Subtract, sum(), sum()),
        "1 + 2 - (1 + 2)",
    );
    check(
        join(BinaryOperator::Power, power(), power()),
        "(1 ^ 2) ^ 1 ^ 2",
    );
    check(
        join(BinaryOperator::Power, number(-1.0), number(-2.0)),
        "(-1) ^ -2",
    );
    check(
        join(BinaryOperator::Multiply, number(-1.0), minus(power())),
        "-1 * -1 ^ 2",
    );
    check(minus(number(1.0)), "-(1)");
    check(minus(number(-1.0)), "-(-1)");
    check(minus(minus(sum())), "--(1 + 2)");
}
