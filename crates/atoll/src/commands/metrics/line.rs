//! Samples as lines of text: `NAME VALUE tag=value…`.
//!
//! Words are kept apart by blanks; a value of a tag that has blanks itself stands in `"`,
//! where `\` makes `"` and `\` mean themselves. Empty lines, and those that begin with `#`,
//! hold nothing.

use std::iter::Peekable;
use std::str::Chars;

/// A sample as somebody wrote it. What it may be called is for the server to say.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    pub name: String,
    pub value: f64,
    pub tags: Vec<(String, String)>,
}

/// Why a line is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineFault {
    /// A name alone.
    #[error("there is no value behind the name: write it as `NAME VALUE tag=value`")]
    NoValue,
    /// Not a number.
    #[error("{0:?} is no finite number")]
    NoNumber(String),
    /// Not a tag.
    #[error("{0:?} is no tag: write it as name=value")]
    NoTag(String),
    /// Half a text.
    #[error("a `\"` has no other")]
    Unclosed,
}

/// Reads a line; `None` for one that holds nothing.
///
/// # Errors
/// [`LineFault`].
pub fn read(line: &str) -> Result<Option<Written>, LineFault> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let mut words = words(line)?.into_iter();
    let name = words.next().unwrap_or_default();
    let value = number(&words.next().ok_or(LineFault::NoValue)?)?;
    let tags = words.map(|word| tag(&word)).collect::<Result<_, _>>()?;
    Ok(Some(Written { name, value, tags }))
}

/// A value, which has to be finite.
///
/// # Errors
/// [`LineFault::NoNumber`].
pub fn number(text: &str) -> Result<f64, LineFault> {
    let number = text.parse().ok().filter(|number: &f64| number.is_finite());
    number.ok_or_else(|| LineFault::NoNumber(text.to_owned()))
}

/// A tag, whose value may hold anything.
///
/// # Errors
/// [`LineFault::NoTag`].
pub fn tag(text: &str) -> Result<(String, String), LineFault> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(LineFault::NoTag(text.to_owned())),
    }
}

fn words(line: &str) -> Result<Vec<String>, LineFault> {
    let mut characters = line.chars().peekable();
    let mut words = Vec::new();
    while characters.peek().is_some() {
        match characters.next_if(|c| c.is_whitespace()) {
            Some(_) => {}
            None => words.push(word(&mut characters)?),
        }
    }
    Ok(words)
}

fn word(characters: &mut Peekable<Chars<'_>>) -> Result<String, LineFault> {
    let mut word = String::new();
    let mut is_quoted = false;
    while let Some(character) = characters.next_if(|c| is_quoted || !c.is_whitespace()) {
        match character {
            '"' => is_quoted = !is_quoted,
            '\\' if is_quoted => word.push(characters.next().ok_or(LineFault::Unclosed)?),
            other => word.push(other),
        }
    }
    match is_quoted {
        true => Err(LineFault::Unclosed),
        false => Ok(word),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A name, a value and tags.
    type Expected<'a> = (&'a str, f64, &'a [(&'a str, &'a str)]);

    #[track_caller]
    fn check(line: &str, expected: Result<Option<Expected<'_>>, LineFault>) {
        let expected = expected.map(|written| {
            written.map(|(name, value, tags)| Written {
                name: name.to_owned(),
                value,
                tags: tags
                    .iter()
                    .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                    .collect(),
            })
        });
        assert_eq!(read(line), expected, "{line:?}");
    }

    #[test]
    fn lines_are_read() {
        check("up 1", Ok(Some(("up", 1.0, &[]))));
        check(
            "  a\t-1.5e3  x=y  z=1=2 ",
            Ok(Some(("a", -1500.0, &[("x", "y"), ("z", "1=2")]))),
        );
        check(
            r#"a 1 x="b c" y="\"\\" z="#,
            Ok(Some(("a", 1.0, &[("x", "b c"), ("y", "\"\\"), ("z", "")]))),
        );
        for nothing in ["", "   ", "# up 1"] {
            check(nothing, Ok(None));
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        check("up", Err(LineFault::NoValue));
        check("up high", Err(LineFault::NoNumber("high".to_owned())));
        check("up NaN", Err(LineFault::NoNumber("NaN".to_owned())));
        check("up inf", Err(LineFault::NoNumber("inf".to_owned())));
        check("up 1 tag", Err(LineFault::NoTag("tag".to_owned())));
        check("up 1 =x", Err(LineFault::NoTag("=x".to_owned())));
        check("up 1 a=\"x", Err(LineFault::Unclosed));
        check("up 1 a=\"x\\", Err(LineFault::Unclosed));
    }

    proptest! {
        #[test]
        fn any_value_of_a_tag_can_be_written(value in "[^\u{0}]{0,20}") {
            let escaped = value.replace('\\', "\\\\").replace('"', "\\\"");
            let written = read(&format!("a 1 x=\"{escaped}\"")).unwrap().unwrap();
            prop_assert_eq!(written.tags, [("x".to_owned(), value)]);
        }
    }
}
