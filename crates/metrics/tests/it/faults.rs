//! What is refused, where, and in which words.

use metrics::promql::{Features, parse, parse_selector};

/// The message, without the words before it that are always the same.
fn refused(text: &str, features: Features) -> String {
    let error = parse(text, features).expect_err(text);
    let span = error.span();
    let marked = text.get(span.start as usize..span.end as usize);
    assert!(marked.is_some(), "{text}: {span:?}");
    error.to_string().replace(": parse error:", "")
}

fn check(text: &str, expected: &str) {
    assert_eq!(refused(text, Features::ALL), expected, "{text}");
}

#[test]
fn what_is_no_query() {
    check("", "1:1 no expression found in input");
    check("# just a comment\n\n", "3:1 no expression found in input");
    check("1+", "1:3 unexpected end of input");
    check("*1", "1:1 unexpected <op:*>");
    check("a\n+\n*1", "3:1 unexpected <op:*>");
    check("(1))", "1:4 unexpected right parenthesis ')'");
    check("((1)", "1:5 unclosed left parenthesis");
    check("sum(", "1:5 unclosed left parenthesis");
    check("@@", "1:1 unexpected <op:@>");
    check("-=", "1:2 unexpected \"=\"");
    check("++-+<", "1:5 unexpected <op:<>");
    check("a b", "1:3 unexpected identifier \"b\"");
    check("a:b c:d", "1:5 unexpected metric identifier \"c:d\"");
    check("a 5", "1:3 unexpected number \"5\"");
    check("a 'x'", "1:3 unexpected string \"'x'\"");
    check("a - on(b) ignoring(c) d", "1:11 unexpected <ignoring>");
    check("foo + group_left(baz) bar", "1:7 unexpected <group_left>");
    check("bool", "1:1 unexpected <bool>");
    check("NaN{}", "1:4 unexpected \"{\"");
    check("by(x)", "1:3 unexpected \"(\"");
    check("a:b(x)", "1:4 unexpected \"(\"");
    check("foo[5m]]", "1:8 unexpected character: ']'");
    check(
        "foo[5s x 5s]",
        "1:8 unexpected identifier \"x\" in subquery or range, expected \":\" or \"]\"",
    );
}

#[test]
fn selectors() {
    let nothing = "vector selector must contain at least one non-empty matcher";
    for text in [
        "{}",
        r#"{x=""}"#,
        r#"{x=~".*"}"#,
        r#"{x!~".+"}"#,
        r#"{x!="a"}"#,
        "{}[5m]",
    ] {
        check(text, &format!("1:1 {nothing}"));
    }
    check(
        "foo{__name__=\"bar\"}",
        "1:1 metric name must not be set twice: \"foo\" or \"bar\"",
    );
    check(
        "foo{a=b}",
        "1:7 unexpected identifier \"b\" in label matching, expected string",
    );
    check(
        "foo{gibberish}",
        "1:14 unexpected \"}\" in label matching, expected label matching operator",
    );
    check(
        "foo{,}",
        "1:5 unexpected \",\" in label matching, expected identifier or \"}\"",
    );
    check(
        "foo{a=\"b\" c}",
        "1:11 unexpected identifier \"c\" in label matching, expected \",\" or \"}\"",
    );
    check(
        "foo{a==\"b\"}",
        "1:7 unexpected \"=\" in label matching, expected string",
    );
    check("foo{1}", "1:5 unexpected character inside braces: '1'");
    check("some{", "1:6 unexpected end of input inside braces");
    check("foo{a=\"\\xff\"}", "1:7 the text is not UTF-8");
    let error = parse("foo{b=\"c\", a=~\"(\"}", Features::ALL).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("1:12: parse error: error parsing regexp \"(\": ")
    );
}

#[test]
fn times() {
    let other = "modifier must be preceded by an instant vector selector or range vector selector or a subquery";
    check("1 offset 1d", &format!("1:1 offset {other}"));
    check("rate(a[5m]) @ 1", &format!("1:1 @ {other}"));
    check("(a) offset 1d", &format!("1:1 offset {other}"));
    check(
        "foo offset 1s offset 2s",
        "1:1 offset may not be set multiple times",
    );
    check(
        "foo @ 1 @ 2",
        "1:1 @ <timestamp> may not be set multiple times",
    );
    check(
        "foo @ start() @ 2",
        "1:1 @ <timestamp> may not be set multiple times",
    );
    check(
        "foo @ +Inf",
        "1:7 timestamp out of bounds for @ modifier: Inf",
    );
    check(
        "foo @ NaN",
        "1:7 timestamp out of bounds for @ modifier: NaN",
    );
    check(
        "foo @ 9e15",
        "1:7 timestamp out of bounds for @ modifier: 9000000000000000",
    );
    check(
        "foo @",
        "1:6 unexpected end of input in @, expected timestamp",
    );
    check(
        "foo @ start",
        "1:12 unexpected end of input in @, expected timestamp",
    );
    check(
        "foo offset 1m[5m]",
        "1:14 no offset modifiers allowed before range",
    );
    check(
        "foo @ 1234 [5m]",
        "1:12 no @ modifiers allowed before range",
    );
    check(
        "(foo + bar)[5m]",
        "1:12 ranges only allowed for vector selectors",
    );
    check(
        "foo[5m][5m]",
        "1:8 ranges only allowed for vector selectors",
    );
    check(
        "foo offset",
        "1:11 unexpected end of input in offset, expected number, duration, step(), or range()",
    );
    check("foo offset NaN", "1:12 duration is NaN or infinite");
    check("foo offset 9.5e10", "1:12 duration out of range");
    check(
        "foo smoothed anchored",
        "1:1 anchored and smoothed modifiers cannot be used together",
    );
    check(
        "foo[5m:] anchored",
        "1:1 anchored modifier is only supported for vector and range selectors",
    );
}

#[test]
fn durations() {
    check(
        "foo[]",
        "1:5 unexpected \"]\" in subquery or range selector, expected number, duration, step(), or range()",
    );
    check(
        "foo[step]",
        "1:9 unexpected \"]\" in subquery or range selector, expected number, duration, step(), or range()",
    );
    check(
        "foo[5m",
        "1:7 unexpected end of input in duration expression",
    );
    check(
        "foo[(5m]",
        "1:8 unexpected \"]\" in subquery or range selector, expected number, duration, step(), or range()",
    );
    check(
        "foo[5m:1m",
        "1:10 unexpected end of input in duration expression",
    );
    check(
        "foo[5m:1m:]",
        "1:10 unexpected \":\" in subquery selector, expected \"]\"",
    );
    check("foo[0m]", "1:5 duration must be greater than 0");
    check("foo[-1]", "1:5 duration must be greater than 0");
    check("foo[0.0001]", "1:5 duration must be greater than 0");
    check("foo[5m:0s]", "1:8 duration must be greater than 0");
    check("foo[2 ^ 100]", "1:5 duration out of range");
    check("foo[2 ^ 10000]", "1:5 duration is NaN or infinite");
    check("foo[step()/0d]", "1:5 division by zero");
    check("foo[step() + 5s%0d]", "1:5 modulo by zero");
    check("foo offset (4d/0)", "1:12 division by zero");
    check(
        "foo[5s s 5s]",
        "1:8 unexpected identifier \"s\" in subquery or range, expected \":\" or \"]\"",
    );
}

#[test]
fn types() {
    check(
        "-\"string\"",
        "1:1 unary expression only allowed on expressions of type scalar or instant vector, got \"string\"",
    );
    check(
        "-test[5m]",
        "1:1 unary expression only allowed on expressions of type scalar or instant vector, got \"range vector\"",
    );
    check(
        "a + b[5m]",
        "1:5 binary expression must contain only scalar and instant vector types",
    );
    check(
        "\"a\" == b",
        "1:1 binary expression must contain only scalar and instant vector types",
    );
    check(
        "1 == 1",
        "1:3 comparisons between scalars must use BOOL modifier",
    );
    check(
        "a +bool b",
        "1:3 bool modifier can only be used on comparison operators",
    );
    check(
        "a and bool b",
        "1:3 bool modifier can only be used on comparison operators",
    );
    check(
        "1 and 1",
        "1:1 set operator \"and\" not allowed in binary scalar expression",
    );
    check(
        "a or 1",
        "1:1 set operator \"or\" not allowed in binary scalar expression",
    );
    check(
        "a == on(b) 10",
        "1:1 vector matching only allowed between instant vectors",
    );
    check(
        "a + fill(1) 10",
        "1:1 filling in missing series only allowed between instant vectors",
    );
    check(
        "a and on(b) group_left(c) d",
        "1:1 no grouping allowed for \"and\" operation",
    );
    check(
        "a or fill(1) d",
        "1:1 filling in missing series not allowed for set operators",
    );
    check(
        "a + on(b) group_left(c,b) d",
        "1:3 label \"b\" must not occur in ON and GROUP clause at once",
    );
    check(
        "a[5m][5m:]",
        "1:1 subquery is only allowed on instant vector, got range vector instead",
    );
    check(
        "1[5m:]",
        "1:1 subquery is only allowed on instant vector, got scalar instead",
    );
}

#[test]
fn aggregations() {
    check(
        "sum()",
        "1:1 no arguments for aggregate expression provided",
    );
    check(
        "sum(1)",
        "1:5 expected type instant vector in aggregation expression, got scalar",
    );
    check(
        "topk(a)",
        "1:1 wrong number of arguments for aggregate expression provided, expected 2, got 1",
    );
    check(
        "sum(a, b)",
        "1:1 wrong number of arguments for aggregate expression provided, expected 1, got 2",
    );
    check(
        "topk(a, b)",
        "1:6 expected type scalar in aggregation parameter, got instant vector",
    );
    check(
        "count_values(5, a)",
        "1:14 expected type string in aggregation parameter, got scalar",
    );
    check(
        "topk(a,)",
        "1:7 trailing commas not allowed in function call args",
    );
    check(
        "sum without(==)(a)",
        "1:13 unexpected <op:==> in grouping opts, expected label",
    );
    check(
        "sum without(,)(a)",
        "1:13 unexpected \",\" in grouping opts, expected label",
    );
    check(
        "sum by (a b)(a)",
        "1:11 unexpected identifier \"b\" in grouping opts, expected \",\" or \")\"",
    );
    check(
        "sum by (without)(a)",
        "1:9 unexpected <without> in grouping opts, expected label",
    );
    check(
        "sum by (\"\")(a)",
        "1:9 invalid label name for grouping: \"\"",
    );
    check(
        "sum(a) by b",
        "1:11 unexpected identifier \"b\" in grouping opts, expected \"(\"",
    );
    check("sum a by (b)", "1:5 unexpected identifier \"a\"");
    check(
        "sum by (a) b",
        "1:12 unexpected identifier \"b\" in aggregation",
    );
    check("sum by (a) (b) by (c)", "1:16 unexpected <by>");
}

#[test]
fn calls() {
    check(
        "floor()",
        "1:1 expected 1 argument(s) in call to \"floor\", got 0",
    );
    check(
        "floor(a, 1)",
        "1:1 expected 1 argument(s) in call to \"floor\", got 2",
    );
    check(
        "hour(a, b, c)",
        "1:1 expected at most 1 argument(s) in call to \"hour\", got 3",
    );
    check(
        "label_join(a)",
        "1:1 expected at least 3 argument(s) in call to \"label_join\", got 1",
    );
    check(
        "floor(1)",
        "1:7 expected type instant vector in call to function \"floor\", got scalar",
    );
    check(
        "label_join(a, \"b\", \"c\", 1)",
        "1:25 expected type string in call to function \"label_join\", got scalar",
    );
    check(
        "rate(avg)",
        "1:6 expected type range vector in call to function \"rate\", got instant vector",
    );
    check("nothing()", "1:1 unknown function with name \"nothing\"");
    check("Rate(a[5m])", "1:1 unknown function with name \"Rate\"");
    check("START()", "1:1 unknown function with name \"START\"");
    check("info(a, b + c)", "1:9 expected label selectors only");
    check("info(a, ({b=\"c\"}))", "1:9 expected label selectors only");
    check(
        "info(a, b{c=\"d\"})",
        "1:9 expected label selectors only, got vector selector instead",
    );
    check(
        "info(a, 1)",
        "1:9 expected type instant vector in call to function \"info\", got scalar",
    );
}

#[test]
fn what_is_experimental() {
    let check = |text: &str, expected: &str| {
        assert_eq!(refused(text, Features::STABLE), expected, "{text}");
    };
    check("start()", "1:1 function \"start\" is not enabled");
    check(
        "1 + mad_over_time(a[5m])",
        "1:5 function \"mad_over_time\" is not enabled",
    );
    check(
        "limitk(1, a)",
        "1:1 limitk() is experimental and not enabled",
    );
    check(
        "a[5m] anchored",
        "1:1 anchored modifier is experimental and not enabled",
    );
    check(
        "a + fill(1) b",
        "1:5 binop fill modifiers are experimental and not enabled",
    );
    assert!(parse("foo[step() + 1m]", Features::STABLE).is_ok());
    assert!(parse("start + fill", Features::STABLE).is_ok());
}

#[test]
fn selectors_alone() {
    let refused = |text: &str| parse_selector(text).unwrap_err().to_string();
    assert_eq!(parse_selector(r#"up{a="b"}"#).unwrap().matchers().len(), 2);
    assert!(refused("{}").ends_with("at least one non-empty matcher"));
    assert!(refused("up[5m]").ends_with("unexpected \"[\""));
    assert!(refused("up offset 5m").ends_with("unexpected <offset>"));
    assert!(refused("1").ends_with("unexpected number \"1\""));
    assert!(refused("").ends_with("unexpected end of input"));
}
