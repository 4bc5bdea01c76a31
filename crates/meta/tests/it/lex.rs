//! Texts and their tokens, one word each: `>` opens a block, `<` closes it, `;`
//! ends a line, `-` is a dash, `k` a key, `t` a text, `n` a number, `#` a
//! comment behind something, `##` one that has its line, `---` a break.

use meta::text::{Lexer, Problems, Source, TokenKind};

fn check(text: &str, expected: &str) {
    check_with(text, expected, &[]);
}

fn check_with(text: &str, expected: &str, faults: &[&str]) {
    let source = Source::new(text.as_bytes()).unwrap();
    let mut lexer = Lexer::new(source);
    let mut problems = Problems::default();
    let mut words = Vec::new();
    loop {
        let token = lexer.next_token(&mut problems);
        let bytes = &text[token.span.start as usize..token.span.end as usize];
        words.push(match token.kind {
            TokenKind::End => break,
            TokenKind::Indent => ">".to_owned(),
            TokenKind::Dedent => "<".to_owned(),
            TokenKind::Newline => ";".to_owned(),
            TokenKind::Key(_) => format!("k{bytes}"),
            TokenKind::Text(_) => format!("t{bytes}"),
            TokenKind::Number => format!("n{bytes}"),
            TokenKind::CommentLine => format!("#{bytes}"),
            _ => bytes.to_owned(),
        });
    }
    assert_eq!(words.join(" "), expected, "{text:?}");
    let (found, _) = problems.locate(source);
    let found: Vec<String> = found
        .iter()
        .map(|it| format!("{}:{} {}", it.line, it.column, it.fault.code()))
        .collect();
    assert_eq!(found, faults, "{text:?}");
}

#[test]
fn lines() {
    check("", "");
    check("\n \n\t\n", "");
    check("a: 1", "ka n1 ;");
    check("\u{feff}a: 1\r\nb:true\r\n", "ka n1 ; kb ttrue ;");
    check(
        "a : \"x\" # c  \n",
        "ka t\"x\" #c ;".replace("#c", "# c").as_str(),
    );
    check("a: []\nb: {}\nc: [", "ka [] ; kb {} ; kc [ ;");
    check(": x", ": tx ;");
}

#[test]
fn blocks() {
    check(
        "a:\n  b:\n    c: 1\nd: 2",
        "ka ; > kb ; > kc n1 ; < < kd n2 ;",
    );
    check("a:\n\n  b: 1\n\n\n  c: 2\n", "ka ; > kb n1 ; kc n2 ; <");
    check("  a: 1\n", "> ka n1 ; <");
}

#[test]
fn dashes() {
    check("- 1\n-\n  - 2", "- > n1 ; < - ; > - > n2 ; < <");
    check(
        "- a: 1\n  b: 2\n- - 3",
        "- > ka n1 ; kb n2 ; < - > - > n3 ; < <",
    );
    check("- # c\n  a: 1", "- # c ; > ka n1 ; <");
    check("a: -1\nb: -x\nc: - x", "ka n-1 ; kb t-x ; kc t- tx ;");
    check(
        "---\na: 1\n---  # c\n--- x\n----",
        "--- ; ka n1 ; --- # c ; --- tx ; t---- ;",
    );
    check("a:\n  ---\n", "ka ; > t--- ; <");
}

#[test]
fn comments_stay_in_the_block_they_are_indented_for() {
    check("# x\n  # y\na: 1", "## x ## y ka n1 ;");
    check(
        "a:\n# x\n  b: 1\n  # y\n# z\nc: 2",
        "ka ; > ## x kb n1 ; ## y < ## z kc n2 ;",
    );
    check("a:\n  b: 1\n# x\n  c: 2", "ka ; > kb n1 ; ## x kc n2 ; <");
    check(
        "a:\n  b:\n    c: 1\n   # x\n # y",
        "ka ; > kb ; > kc n1 ; < ## x < ## y",
    );
    check("a: 1 #", "ka n1 # ;");
}

#[test]
fn scalars() {
    check(
        "t: 2026-11-20T15:30:00.5+01:00\nn: 1.5e-3",
        "kt n2026-11-20T15:30:00.5+01:00 ; kn n1.5e-3 ;",
    );
    check("8080: 1\n1a/b: 2", "k8080 n1 ; k1a/b n2 ;");
    check(r#""a\"b": "c\\""#, r#"k"a\"b" t"c\\" ;"#);
    check("a: \"x\\\r\n\"é", "ka t\"x\\ ; t\"é ;");
    check("größe: é", "kgröße té ;");
    check("a: \r b", "ka t\r tb ;");
}

#[test]
fn wrong_layout() {
    check_with("a:\n\tb: 1\n", "ka ; > kb n1 ; <", &["2:1 tab"]);
    check_with(
        "a:\n    b: 1\n  c: 2\n    d: 3",
        "ka ; > kb n1 ; kc n2 ; > kd n3 ; < <",
        &["3:1 misaligned"],
    );
    check_with(
        "# a\u{1b}[31m",
        "## a\u{1b}[31m",
        &["1:4 control-character"],
    );
}
