//! The parameters of a request: pairs of its query string and of its form, decoded.
//!
//! What their values mean is in `parameter`.

/// Bytes of a query string and a form together: the longest query with each of its bytes
/// escaped, and as much again for the rest.
pub const FORM_BYTES: usize = 6 * crate::promql::QUERY_BYTES;

/// Pairs of a request. A dashboard sends ten, and some dozens where it selects by many
/// `match[]`.
pub const PARAMETERS: usize = 256;

/// Pairs in the order in which Go's `Request.Form` has them: those of the form first.
#[derive(Debug, Default)]
pub(super) struct Parameters(Vec<(String, String)>);

/// Why parameters cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormFault {
    /// More bytes than [`FORM_BYTES`].
    #[error("{0} bytes, and {FORM_BYTES} are read")]
    TooLong(usize),
    /// More pairs than [`PARAMETERS`].
    #[error("more than {PARAMETERS} parameters")]
    TooMany,
    /// A percent sign without two hexadecimal digits.
    #[error("invalid URL escape {0:?}")]
    Escape(String),
    /// What some separate pairs with, and others do not.
    #[error("invalid semicolon separator in query")]
    Semicolon,
    /// Bytes that are no text.
    #[error("the text is not UTF-8")]
    NotUtf8,
}

impl Parameters {
    /// Reads both, each of which may be empty.
    ///
    /// # Errors
    /// What cannot be read, even if nobody would have asked for it: a query that was cut
    /// short by a slip would have another answer.
    pub(super) fn read(form: &[u8], query_string: &[u8]) -> Result<Self, FormFault> {
        let bytes = form.len() + query_string.len();
        if bytes > FORM_BYTES {
            return Err(FormFault::TooLong(bytes));
        }
        let mut pairs = Vec::new();
        for source in [form, query_string] {
            let texts = source.split(|byte| *byte == b'&');
            for text in texts.filter(|text| !text.is_empty()) {
                if pairs.len() == PARAMETERS {
                    return Err(FormFault::TooMany);
                }
                pairs.push(pair(text)?);
            }
        }
        Ok(Self(pairs))
    }

    /// The first value of a parameter, empty if there is none.
    pub(super) fn first(&self, name: &str) -> &str {
        self.all(name).next().unwrap_or_default()
    }

    /// All values of a parameter.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        let pairs = self.0.iter().filter(move |(found, _)| found == name);
        pairs.map(|(_, value)| value.as_str())
    }
}

/// A part of a path, in which a `+` is one.
pub(super) fn decode_path(text: &str) -> Result<String, FormFault> {
    decode(text.as_bytes(), b'+')
}

fn pair(text: &[u8]) -> Result<(String, String), FormFault> {
    if text.contains(&b';') {
        return Err(FormFault::Semicolon);
    }
    let end = text.iter().position(|byte| *byte == b'=');
    let (name, value) = match end {
        Some(end) => (&text[..end], &text[end + 1..]),
        None => (text, &[][..]),
    };
    Ok((decode(name, b' ')?, decode(value, b' ')?))
}

fn decode(text: &[u8], plus: u8) -> Result<String, FormFault> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        match first {
            b'+' => decoded.push(plus),
            b'%' => {
                let (byte, behind) = escaped(behind).ok_or_else(|| fault(behind))?;
                decoded.push(byte);
                rest = behind;
            }
            other => decoded.push(*other),
        }
    }
    String::from_utf8(decoded).map_err(|_| FormFault::NotUtf8)
}

/// The byte of two hexadecimal digits, and what is behind them.
fn escaped(text: &[u8]) -> Option<(u8, &[u8])> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let (&[high, low], behind) = text.split_first_chunk()?;
    Some(((digit(high)? << 4 | digit(low)?) as u8, behind))
}

fn fault(behind: &[u8]) -> FormFault {
    let shown = &behind[..behind.len().min(2)];
    FormFault::Escape(format!("%{}", String::from_utf8_lossy(shown)))
}

#[cfg(test)]
mod tests {
    use super::{FORM_BYTES, FormFault, PARAMETERS, Parameters};

    fn read(form: &str, query: &str) -> Result<Vec<(String, String)>, FormFault> {
        Parameters::read(form.as_bytes(), query.as_bytes()).map(|read| read.0)
    }

    #[test]
    fn pairs_are_decoded() {
        let check = |form, query, expected: &[(&str, &str)]| {
            let read = read(form, query).unwrap();
            let pairs: Vec<_> = read.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            assert_eq!(pairs, expected);
        };
        check("", "", &[]);
        check("", "a=1&b=2", &[("a", "1"), ("b", "2")]);
        check("a=form", "a=query", &[("a", "form"), ("a", "query")]);
        check("", "&&a&=x&b==", &[("a", ""), ("", "x"), ("b", "=")]);
        check("", "m%5B%5d=a+b%2B%26%c3%A9", &[("m[]", "a b+&é")]);
    }

    #[test]
    fn what_cannot_be_read() {
        let check = |query: &str, expected: &str| {
            assert_eq!(read("", query).unwrap_err().to_string(), expected);
        };
        check("a=%zz", "invalid URL escape \"%zz\"");
        check("a=%4", "invalid URL escape \"%4\"");
        check("%=1", "invalid URL escape \"%\"");
        check("a=1;b=2", "invalid semicolon separator in query");
        check("a=%ff", "the text is not UTF-8");
        let pairs = "a&".repeat(PARAMETERS);
        assert_eq!(read("", &pairs).unwrap().len(), PARAMETERS);
        assert_eq!(read("a", &pairs), Err(FormFault::TooMany));
        let long = "a".repeat(FORM_BYTES);
        assert!(read("", &long).is_ok());
        assert_eq!(read("b", &long), Err(FormFault::TooLong(FORM_BYTES + 1)));
    }
}
