//! Where in a query its error is: the line it is on, and a caret below the place.

/// The two lines, where what the server says of `query` names a place as `line:column:`,
/// both from 1 and the column in bytes.
pub fn below(query: &str, error: &str) -> Option<[String; 2]> {
    let (line, column) = place(error)?;
    let text = query.lines().nth(line.checked_sub(1)?)?;
    // A place at the end of the query is behind its last byte.
    let before = text.get(..column.checked_sub(1)?)?;
    let indent = " ".repeat(before.chars().count());
    Some([
        format!("  {}", text.replace('\t', " ")),
        format!("  {indent}^"),
    ])
}

/// The first `line:column:` in a message.
fn place(error: &str) -> Option<(usize, usize)> {
    let mut words = error.split_whitespace();
    words.find_map(|word| {
        let (line, column) = word.strip_suffix(':')?.split_once(':')?;
        Some((line.parse().ok()?, column.parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caret_is_below_the_place() {
        let error = r#"invalid parameter "query": 1:4: parse error: unexpected ")""#;
        for (query, error, expected) in [
            ("up ) 1", error, Some(["  up ) 1", "     ^"])),
            ("a\n\tb", "2:2: x", Some(["   b", "   ^"])),
            ("ü)", "1:3: x", Some(["  ü)", "   ^"])),
            ("up", "1:3: x", Some(["  up", "    ^"])),
            ("up", "1:9: x", None),
            ("up", "7:1: x", None),
            ("ü", "1:2: x", None),
            ("up", "0:0: x", None),
            ("up", "query timed out: 5s", None),
        ] {
            let expected = expected.map(|lines| lines.map(str::to_owned));
            assert_eq!(below(query, error), expected, "{query}: {error}");
        }
    }
}
