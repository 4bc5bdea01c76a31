//! Lines: what they mean, what is refused and why.

use super::parse;
use crate::ingest::told::told;
use crate::ingest::{Batch, Plain, Precision};

const NOW: i64 = 1_000;

/// `labels value@time` of the points, then the refusals, then how many texts were skipped.
fn outcome(body: &[u8], series: &mut Plain) -> Vec<String> {
    let mut batch = Batch::default();
    let skipped = parse(body, Precision::Nanoseconds, NOW, series, &mut batch);
    let mut lines = told(&batch, series, |labels, point| {
        let labels = labels.trim_start_matches("__name__=");
        format!("{labels} {:?}@{}", point.sample.value, point.sample.time)
    });
    lines.extend((skipped > 0).then(|| format!("{skipped} skipped")));
    lines
}

fn check(body: impl AsRef<[u8]>, expected: &[&str]) {
    let body = body.as_ref();
    let text = String::from_utf8_lossy(body);
    let mut series = Plain::default();
    assert_eq!(outcome(body, &mut series), expected, "{text}");
    assert_eq!(outcome(body, &mut series), expected, "known: {text}");
}

#[test]
fn fields_become_samples() {
    check(
        "cpu,host=a,cpu=0 usage=1.5,idle=-2e1,value=3 1700000000123456789",
        &[
            "cpu_usage,cpu=0,host=a 1.5@1700000000123",
            "cpu_idle,cpu=0,host=a -20.0@1700000000123",
            "cpu,cpu=0,host=a 3.0@1700000000123",
        ],
    );
    check("up value=1", &["up 1.0@1000"]);
}

#[test]
fn values_have_types() {
    check(
        "m a=1,b=-7i,c=18446744073709551615u,d=t,e=FALSE,f=.5,g=9007199254740993i,h=+1,i=007i",
        &[
            "m_a 1.0@1000",
            "m_b -7.0@1000",
            "m_c 1.8446744073709552e19@1000",
            "m_d 1.0@1000",
            "m_e 0.0@1000",
            "m_f 0.5@1000",
            "m_g 9007199254740992.0@1000",
            "m_h 1.0@1000",
            "m_i 7.0@1000",
        ],
    );
    for word in ["t", "T", "true", "True", "TRUE"] {
        check(format!("m value={word}"), &["m 1.0@1000"]);
    }
    for word in ["f", "F", "false", "False", "FALSE"] {
        check(format!("m value={word}"), &["m 0.0@1000"]);
    }
}

#[test]
fn texts_are_skipped_and_counted() {
    check(
        r#"m a="x, y=1 \" z",b=1 5000000"#,
        &["m_b 1.0@5", "1 skipped"],
    );
    check(r#"m a="\\",b="""#, &["2 skipped"]);
    check(
        "m a=\"two\nlines\",b=1\nm b=x\nm c=2",
        &[
            "m_b 1.0@1000",
            "m_c 2.0@1000",
            "3: the value of the field \"b\" is no number, boolean or text in quotes",
            "1 skipped",
        ],
    );
}

#[test]
fn lines_may_be_spaced_empty_and_comments() {
    check(
        "# a comment\n\n   \r\n \t m value=1 \n\t# another, with a=1 b=2\r\nm   value=2   7000000  \r\nm value=3\r\nm value=4\r",
        &["m 1.0@1000", "m 2.0@7", "m 3.0@1000", "m 4.0@1000"],
    );
    check("", &[]);
    check("\n\n", &[]);
}

#[test]
fn escapes_are_undone() {
    for (line, expected) in [
        (r"a\,b\ c value=1", "a,b c 1.0@1000"),
        (
            r"a\=b,k\ \,\=e=v\ \,\=v value=1",
            r"a\=b,k ,=e=v ,=v 1.0@1000",
        ),
        (r"m f\ \,\=g=1", "m_f ,=g 1.0@1000"),
        (
            r"a\b\\c,k=C:\dir\ x f\=1=1",
            r"a\b\\c_f=1,k=C:\dir x 1.0@1000",
        ),
        (r"a\\,k=v value=1", r"a\,k=v 1.0@1000"),
        (r#"a"b=c,k="v" value=1"#, r#"a"b=c,k="v" 1.0@1000"#),
        ("é,ü=ß π=1", "é_π,ü=ß 1.0@1000"),
        (r"m\é value=1", r"m\é 1.0@1000"),
    ] {
        check(line, &[expected]);
    }
}

#[test]
fn each_refusal_has_its_reason() {
    let long = format!("{} value=1", "m".repeat(256));
    for (line, reason) in [
        (",a=b f=1", "the measurement is missing"),
        ("m", "the fields are missing"),
        ("m ", "the fields are missing"),
        ("m,a=b\r", "the fields are missing"),
        ("m 1", "a field must be key=value, with neither empty"),
        ("m f", "a field must be key=value, with neither empty"),
        ("m =1", "a field must be key=value, with neither empty"),
        ("m f=", "a field must be key=value, with neither empty"),
        ("m f= 1", "a field must be key=value, with neither empty"),
        ("m f=1,", "a field must be key=value, with neither empty"),
        (
            "m f=1,,g=2",
            "a field must be key=value, with neither empty",
        ),
        (
            "m f=NaN",
            "the value of the field \"f\" is no number, boolean or text in quotes",
        ),
        (
            "m f=-inf",
            "the value of the field \"f\" is no number, boolean or text in quotes",
        ),
        (
            "m f=tRue",
            "the value of the field \"f\" is no number, boolean or text in quotes",
        ),
        (
            "m f='a'",
            "the value of the field \"f\" is no number, boolean or text in quotes",
        ),
        (
            "m f=-",
            "the value of the field \"f\" is no number, boolean or text in quotes",
        ),
        (
            "m f=1e",
            "the value of the field \"f\" is no number, boolean or text in quotes",
        ),
        ("m f=1e999", "the value of the field \"f\" must be finite"),
        (
            "m f=1.5i",
            "the value of the field \"f\" is no integer of 64 bits",
        ),
        (
            "m f=9223372036854775808i",
            "the value of the field \"f\" is no integer of 64 bits",
        ),
        (
            "m f=-1u",
            "the value of the field \"f\" is no integer of 64 bits",
        ),
        (
            "m f=18446744073709551616u",
            "the value of the field \"f\" is no integer of 64 bits",
        ),
        ("m f=1x", "something follows the value of the field \"f\""),
        ("m f=1ii", "something follows the value of the field \"f\""),
        (
            "m f=true1",
            "something follows the value of the field \"f\"",
        ),
        (
            "m f=\"a\"b",
            "something follows the value of the field \"f\"",
        ),
        ("m f=1 x", "the timestamp must be a whole number of 64 bits"),
        (
            "m f=1 1.5",
            "the timestamp must be a whole number of 64 bits",
        ),
        (
            "m f=1 1 1",
            "the timestamp must be a whole number of 64 bits",
        ),
        (
            "m f=1 99999999999999999999",
            "the timestamp must be a whole number of 64 bits",
        ),
        ("m, f=1", "a tag must be key=value, with neither empty"),
        ("m,a f=1", "a tag must be key=value, with neither empty"),
        ("m,a= f=1", "a tag must be key=value, with neither empty"),
        ("m,=b f=1", "a tag must be key=value, with neither empty"),
        ("m,a=b=c f=1", "a tag must be key=value, with neither empty"),
        (
            "m,a=b,,c=d f=1",
            "a tag must be key=value, with neither empty",
        ),
        ("m,a=b,a=c f=1", "the label \"a\" is given twice"),
        (
            "m,__name__=b f=1",
            "the label \"__name__\" begins with \"__\", which is reserved",
        ),
        (
            "m\u{1} f=1",
            "the metric's name has the control character '\\u{1}'",
        ),
        (&long, "the metric's name has 256 bytes, and may have 255"),
    ] {
        let refused = format!("2: {reason}");
        let body = format!("x value=0\n{line}\ny value=2");
        check(body, &["x 0.0@1000", "y 2.0@1000", &refused]);
    }
}

#[test]
fn a_text_that_is_not_closed_ends_with_its_line() {
    check(
        "m f=1,g=\"open\nm f=2\nm f=3",
        &[
            "m_f 2.0@1000",
            "m_f 3.0@1000",
            "1: the text of the field \"g\" has no closing quote",
        ],
    );
}

#[test]
fn names_must_be_utf8_and_skipped_texts_need_not() {
    check(
        b"m\xff value=1\nm f=\"\xff\",value=1\nm,a=\xff value=1\nm \xff=1",
        &[
            "m 1.0@1000",
            "1: a name or a tag is not UTF-8",
            "3: a name or a tag is not UTF-8",
            "4: a name or a tag is not UTF-8",
            "1 skipped",
        ],
    );
}

#[test]
fn precision_is_the_requests() {
    let mut batch = Batch::default();
    let body = b"m value=1 5\nm value=1 9223372036854775807";
    parse(
        body,
        Precision::Hours,
        NOW,
        &mut Plain::default(),
        &mut batch,
    );
    assert_eq!(batch.points[0].sample.time, 18_000_000);
    assert_eq!(
        batch.listed()[0].reason.to_string(),
        "the timestamp is further from 1970 than 2^51 milliseconds"
    );
}

#[test]
fn a_line_is_taken_whole_or_not_at_all() {
    let mut batch = Batch::default();
    let mut series = Plain::with_limit(1);
    let body = b"m a=1,b=2\nm a=3";
    parse(body, Precision::Seconds, NOW, &mut series, &mut batch);
    assert_eq!(batch.points.len(), 1);
    assert_eq!(batch.points[0].sample.value, 3.0);
    assert_eq!(batch.listed()[0].place, 1);
}
