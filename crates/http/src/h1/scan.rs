//! Where a head or a trailer section ends: each byte is looked at once, however
//! the bytes arrive.
//!
//! It knows lines and nothing else; what the lines say is [`super::head`]'s. What
//! it decides depends on the position of bytes alone, so that a split section is
//! refused exactly as a whole one.

/// How far a section was searched for its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Scan {
    scanned: u32,
    line_start: u32,
}

/// How long a section and its first line may be, line ends included.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) first_line: u32,
    pub(super) whole: u32,
}

/// Why a section is refused before it is parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ScanError {
    /// LF without CR. RFC 9112 2.2 lets a recipient accept it; two recipients that
    /// differ here disagree on where a message ends, so this one does not.
    BareLineFeed,
    FirstLineTooLong,
    TooLong,
}

impl Scan {
    /// Whether no byte of the section was seen so far.
    pub(super) fn is_fresh(&self) -> bool {
        self.scanned == 0
    }

    /// Searches on in `section`, which starts where it started before and has only
    /// grown; gives the length of the section with its empty line once it is there.
    pub(super) fn advance(
        &mut self,
        section: &[u8],
        bounds: Bounds,
    ) -> Result<Option<usize>, ScanError> {
        let seen = &section[..section.len().min(bounds.whole as usize)];
        while let Some(offset) = seen[self.scanned as usize..]
            .iter()
            .position(|&byte| byte == b'\n')
        {
            let line_feed = self.scanned as usize + offset;
            if self.line_start == 0 && line_feed >= bounds.first_line as usize {
                return Err(ScanError::FirstLineTooLong);
            }
            if line_feed == 0 || seen[line_feed - 1] != b'\r' {
                return Err(ScanError::BareLineFeed);
            }
            let empty = line_feed == self.line_start as usize + 1;
            self.scanned = line_feed as u32 + 1;
            self.line_start = self.scanned;
            if empty {
                return Ok(Some(line_feed + 1));
            }
        }
        self.scanned = seen.len() as u32;
        if self.line_start == 0 && self.scanned >= bounds.first_line {
            return Err(ScanError::FirstLineTooLong);
        }
        if self.scanned >= bounds.whole {
            return Err(ScanError::TooLong);
        }
        Ok(None)
    }
}

/// Whether a line feed in `bytes` has no carriage return before it. One pass
/// without branches, which the compiler turns into vector instructions.
pub(super) fn has_bare_line_feed(bytes: &[u8]) -> bool {
    let bare = bytes
        .iter()
        .zip(bytes.iter().skip(1))
        .fold(false, |bare, (&before, &byte)| {
            bare | ((byte == b'\n') & (before != b'\r'))
        });
    bare | (bytes.first() == Some(&b'\n'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds {
        first_line: 8,
        whole: 16,
    };

    fn check(section: &[u8], expected: Result<Option<usize>, ScanError>) {
        let whole = Scan::default().advance(section, BOUNDS);
        assert_eq!(whole, expected, "{}", section.escape_ascii());
        let mut scan = Scan::default();
        let bytewise = (0..=section.len())
            .map(|length| scan.advance(&section[..length], BOUNDS))
            .find(|found| !matches!(found, Ok(None)))
            .unwrap_or(Ok(None));
        assert_eq!(bytewise, expected, "{} by bytes", section.escape_ascii());
    }

    #[test]
    fn a_section_ends_at_its_first_empty_line() {
        check(b"", Ok(None));
        check(b"a\r\n", Ok(None));
        check(b"a\r\n\r", Ok(None));
        check(b"a\r\n\r\n", Ok(Some(5)));
        check(b"\r\n", Ok(Some(2)));
        check(b"a\r\nb\r\n\r\nmore", Ok(Some(8)));
        check(b"a\n", Err(ScanError::BareLineFeed));
        check(b"\n", Err(ScanError::BareLineFeed));
        check(b"a\r\n\n", Err(ScanError::BareLineFeed));
        check(b"123456\r\n\r\n", Ok(Some(10)));
        check(b"1234567\r\n\r\n", Err(ScanError::FirstLineTooLong));
        check(b"12345678", Err(ScanError::FirstLineTooLong));
        check(b"12345678\n", Err(ScanError::FirstLineTooLong));
        check(b"1\r\n345678901\r\n\r\n", Ok(Some(16)));
        check(b"1\r\n3456789012\r\n\r\n", Err(ScanError::TooLong));
        check(b"1\r\n3456789012345", Err(ScanError::TooLong));
    }

    #[test]
    fn a_bare_line_feed_is_found_wherever_it_is() {
        assert!(!has_bare_line_feed(b""));
        assert!(!has_bare_line_feed(b"\r\n\r\n"));
        assert!(has_bare_line_feed(b"\n"));
        assert!(has_bare_line_feed(b"a\n"));
        assert!(has_bare_line_feed(b"0123456789abcdef0123456789\r\n\nx\r\n"));
    }
}
