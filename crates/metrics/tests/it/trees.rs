//! Which tree a text has. The texts follow the cases of Prometheus' documentation and
//! grammar; the trees are written as `shape` does.

use crate::shape::shape;
use metrics::promql::{Features, parse};

fn check(text: &str, expected: &str) {
    let tree = parse(text, Features::ALL).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(shape(&tree), expected, "{text}");
    let span = tree.span();
    assert_eq!(
        &text[span.start as usize..span.end as usize],
        text.trim(),
        "span of {text}"
    );
}

#[test]
fn numbers_and_texts() {
    check("1", "1");
    check("+Inf", "Inf");
    check("-inf", "-Inf");
    check("NaN", "NaN");
    check("-0755", "-493");
    check("+5.5e-3", "0.0055");
    check("1_000_000", "1000000");
    check("5m", "5m");
    check("-1h30m", "-1h30m");
    check("- - 1", "1");
    check(r#""a\n""#, r#""a\n""#);
    check("'a\"b'", r#""a\"b""#);
    check(r"`a\b`", r#""a\\b""#);
}

#[test]
fn operators_bind_as_documented() {
    check("a or b and c", "(or a (and b c))");
    check("a unless b and c", "(and (unless a b) c)");
    check("a and b == c", "(and a (== b c))");
    check("a == b != c", "(!= (== a b) c)");
    check("a < b + c", "(< a (+ b c))");
    check("a + b - c", "(- (+ a b) c)");
    check("a + b * c", "(+ a (* b c))");
    check("a atan2 b / c % d", "(% (/ (atan2 a b) c) d)");
    check("a * b ^ c", "(* a (^ b c))");
    check("a ^ b ^ c", "(^ a (^ b c))");
    check("(a ^ b) ^ c", "(^ (group (^ a b)) c)");
    check("a </ 5 >/ b", "(>/ (</ a 5) b)");
}

#[test]
fn signs_bind_as_products_do() {
    check("-a", "(- a)");
    check("+a", "(+ a)");
    check("-a ^ b", "(- (^ a b))");
    check("-1^2", "(- (^ 1 2))");
    check("-1*2", "(* -1 2)");
    check("-1+2", "(+ -1 2)");
    check("-1^-2", "(- (^ 1 -2))");
    check("+1 + -2 * 1", "(+ 1 (* -2 1))");
    check("2 ^ -1 * 3", "(* (^ 2 -1) 3)");
    check("a ^ -b ^ c", "(^ a (- (^ b c)))");
    check("--a", "(- (- a))");
    check("-(1)", "(- (group 1))");
    check("-a @ 5 offset 1m", "(- (offset (@ a 5.000) 1m))");
    check("1 + 2/(3*1)", "(+ 1 (/ 2 (group (* 3 1))))");
}

#[test]
fn modifiers_of_operators() {
    check("a == bool b", "(== bool a b)");
    check("1 < BOOL 2", "(< bool 1 2)");
    check("a * on(b, c) d", "(* on (b, c) a d)");
    check("a * on() d", "(* on () a d)");
    check("a * ignoring() d", "(* a d)");
    check("a * ignoring(x,) d", "(* ignoring (x) a d)");
    check("a * on(b) group_left d", "(* on (b) group_left () a d)");
    check(
        "a / ignoring(b) group_right(c) d",
        "(/ ignoring (b) group_right (c) a d)",
    );
    check(
        "a == bool on(b) group_left(c) d",
        "(== bool on (b) group_left (c) a d)",
    );
    check("a and on(\"b c\") d", "(and on (\"b c\") a d)");
    check("a + fill(0) b", "(+ fill (0) a b)");
    check("a + on(x) fill_left(-1) b", "(+ on (x) fill_left (-1) a b)");
    check(
        "a + fill_right(1) fill_left(2) b",
        "(+ fill_left (2) fill_right (1) a b)",
    );
    check(
        "a + fill_left(2) fill_right(1) b",
        "(+ fill_left (2) fill_right (1) a b)",
    );
    check("fill + fill", "(+ fill fill)");
    check(
        "bar + on(foo) bla / on(baz, buz) group_right(test) blub",
        "(+ on (foo) bar (/ on (baz, buz) group_right (test) bla blub))",
    );
}

#[test]
fn selectors() {
    check("foo", "foo");
    check("foo:bar", "foo:bar");
    check(":foo", ":foo");
    check("foo{}", "foo");
    check("foo{a=\"bc\",}", "foo{a=\"bc\"}");
    check(r#"{"foo"}"#, "foo");
    check(r#"{__name__="foo"}"#, "foo");
    check(r#"{"a.b", "x.y"="z"}"#, r#"{"a.b", "x.y"="z"}"#);
    check(
        r#"{'foo\'bar', `a\dos`="boo"}"#,
        r#"{"foo'bar", "a\\dos"="boo"}"#,
    );
    check(r#"{b!="x", "foo", a=~"y"}"#, r#"foo{a=~"y", b!="x"}"#);
    check(r#"foo{NaN='bc', on="x"}"#, r#"foo{NaN="bc", on="x"}"#);
    check(
        r#"{__name__=~"a", __name__!~"b"}"#,
        r#"{__name__=~"a", __name__!~"b"}"#,
    );
    check(
        r#"{"bar", __name__="baz"}"#,
        r#"{__name__="bar", __name__="baz"}"#,
    );
    check(r#"{"on"}"#, r#"{"on"}"#);
    check("foo{a='}'}", r#"foo{a="}"}"#);
}

#[test]
fn keywords_may_name_metrics_and_labels() {
    check("sum", "sum");
    check("sum(sum)", "(sum sum)");
    check("foo * sum", "(* foo sum)");
    check("SUM + By", "(+ SUM By)");
    check(
        r#"offset{step="1s"}[5m]"#,
        r#"(range offset{step="1s"} 5m)"#,
    );
    check(r#"start{end="foo"}"#, r#"start{end="foo"}"#);
    check("foo unless on(start) bar", "(unless on (start) foo bar)");
    check("and and and", "(and and and)");
    check("anchored + smoothed", "(+ anchored smoothed)");
    check("step - range", "(- step range)");
    check("rate(avg[1m])", "(rate (range avg 1m))");
    check(
        "sum without(and, by, avg, count, alert, on, offset)(some_metric)",
        "(sum without (and, by, avg, count, alert, on, offset) some_metric)",
    );
    check(r#"sum by ("without")(x)"#, r#"(sum by ("without") x)"#);
}

#[test]
fn times_of_selectors() {
    check("foo offset 5m", "(offset foo 5m)");
    check("foo OFFSET 1h30m", "(offset foo 1h30m)");
    check("foo offset -7m", "(offset foo -7m)");
    check("foo offset 3600", "(offset foo 3600)");
    check("foo offset 5s-8", "(- (offset foo 5s) 8)");
    check("foo offset -1^1", "(^ (offset foo -1) 1)");
    check("foo offset (5s-8)", "(offset foo (- 5s 8))");
    check("foo offset -(1^2)", "(offset foo (- (^ 1 2)))");
    check("foo offset (-1^2)", "(offset foo (- (^ 1 2)))");
    check("foo offset +(5) * 2", "(* (offset foo 5) 2)");
    check("foo offset (5) * 2", "(offset foo (* 5 2))");
    check("foo offset - -5 * 2", "(offset foo (* 5 2))");
    check("foo offset step() + 1", "(+ (offset foo step()) 1)");
    check(
        "foo offset -min_of(5s,step()+8s)",
        "(offset foo (- (min_of 5s (+ step() 8s))))",
    );
    check("foo @ 1603774568", "(@ foo 1603774568.000)");
    check("foo @ -100", "(@ foo -100.000)");
    check("foo @ 3.3335", "(@ foo 3.334)");
    check("foo @ 0xA", "(@ foo 10.000)");
    check("foo[5m] @ 1m", "(@ (range foo 5m) 60.000)");
    check("foo @ start()", "(@ foo start())");
    check("foo @ END ( )", "(@ foo end())");
    check("foo offset 1m @ 5", "(offset (@ foo 5.000) 1m)");
    check("foo[5m] offset 1w", "(offset (range foo 5m) 1w)");
    check("foo smoothed", "foo smoothed");
    check(
        "rate(foo[5m] anchored offset 1m)",
        "(rate (offset (range foo anchored 5m) 1m))",
    );
}

#[test]
fn ranges_and_subqueries() {
    check("foo[5m]", "(range foo 5m)");
    check("foo[300]", "(range foo 300)");
    check("foo[ 5m ]", "(range foo 5m)");
    check(
        "foo[11s+10s-5*2^2]",
        "(range foo (- (+ 11s 10s) (* 5 (^ 2 2))))",
    );
    check("foo[-(10s-5s)+20s]", "(range foo (+ (- (- 10s 5s)) 20s))");
    check("foo[-10s+15s]", "(range foo (+ -10s 15s))");
    check("foo[(5s)]", "(range foo 5s)");
    check("foo[-2^2+9]", "(range foo (+ (- (^ 2 2)) 9))");
    check("foo[  -  step  (  )  ]", "(range foo (- step()))");
    check("foo[2m/range()]", "(range foo (/ 2m range()))");
    check("foo[max_of(step(),5s)]", "(range foo (max_of step() 5s))");
    check("foo[10m:]", "(subquery foo 10m default)");
    check("foo[10m:6s]", "(subquery foo 10m 6s)");
    check("foo[4s+4s:1s*2]", "(subquery foo (+ 4s 4s) (* 1s 2))");
    check(
        "min_over_time(rate(foo[2s])[5m:] offset 4m)[4m:3s]",
        "(subquery (min_over_time (offset (subquery (rate (range foo 2s)) 5m default) 4m)) 4m 3s)",
    );
    check(
        "foo offset 1m [10m:5s]",
        "(subquery (offset foo 1m) 10m 5s)",
    );
    check(
        "foo @ 123 [10m:5s] @ 5",
        "(@ (subquery (@ foo 123.000) 10m 5s) 5.000)",
    );
    check("(a + b)[5m:]", "(subquery (group (+ a b)) 5m default)");
}

#[test]
fn aggregations_and_calls() {
    check("sum(a)", "(sum a)");
    check("sum by (foo)(a)", "(sum by (foo) a)");
    check("sum (a) by (foo,)", "(sum by (foo) a)");
    check("AVG WITHOUT () (a)", "(avg without () a)");
    check("sum by () (a)", "(sum a)");
    check("topk(5, a)", "(topk 5 a)");
    check(
        "count_values without (b) (\"v\", a)",
        "(count_values without (b) \"v\" a)",
    );
    check(
        "sum by (\"foo bar\", 'b', c:d) (a)",
        "(sum by (\"foo bar\", b, \"c:d\") a)",
    );
    check("(sum(foo) by (bar))", "(group (sum by (bar) foo))");
    check("time()", "(time )");
    check("round(a, 5)", "(round a 5)");
    check("hour()", "(hour )");
    check("label_join(a, \"b\", \",\")", "(label_join a \"b\" \",\")");
    check("start() + step()", "(+ (start ) (step ))");
    check("max_of(1, 2)", "(max_of 1 2)");
    check("info(a, {b=\"\"})", "(info a {b=\"\"})");
    check("limitk(2, a)", "(limitk 2 a)");
}

#[test]
fn blanks_and_comments_mean_nothing() {
    check("  sum # all\n\tby(a) # of it\r\n(b)  ", "(sum by (a) b)");
    check("a# b {\n+c", "(+ a c)");
    check("foo[5m # minutes\n]", "(range foo 5m)");
}
