//! Numbers in as few bytes as they need, and reading them back from bytes that may be
//! anything.

/// Bytes are not what they should be; what is wrong with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed(pub(super) &'static str);

/// Bytes that are read from the front.
#[derive(Debug, Clone, Copy)]
pub(super) struct Input<'a>(pub(super) &'a [u8]);

impl<'a> Input<'a> {
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let parts = self.0.split_at_checked(count);
        let (taken, rest) = parts.ok_or(Malformed("it ends too early"))?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let parts = self.0.split_first_chunk();
        let (taken, rest) = parts.ok_or(Malformed("it ends too early"))?;
        self.0 = rest;
        Ok(*taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8, Malformed> {
        Ok(self.array::<1>()?[0])
    }

    /// A number of at most ten bytes, each with seven bits of it, the lowest first; all but
    /// the last have their highest bit set.
    pub(super) fn number(&mut self) -> Result<u64, Malformed> {
        let mut number = 0;
        for (index, &byte) in self.0.iter().enumerate().take(10) {
            number |= u64::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                self.0 = &self.0[index + 1..];
                return Ok(number);
            }
        }
        Err(Malformed("a number does not end"))
    }

    /// A number that may be negative: -1 is 1, 1 is 2, -2 is 3, and so on.
    pub(super) fn signed(&mut self) -> Result<i64, Malformed> {
        self.number().map(unfold)
    }

    /// A number that counts bytes or things, at most `most`.
    pub(super) fn count(&mut self, most: usize) -> Result<usize, Malformed> {
        let count = usize::try_from(self.number()?).ok();
        let count = count.filter(|count| *count <= most);
        count.ok_or(Malformed("a length is too long"))
    }
}

pub(super) fn put_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

pub(super) fn put_signed(bytes: &mut Vec<u8>, number: i64) {
    put_number(bytes, fold(number));
}

/// A text that begins like the one before it: how many bytes are the same, how many follow,
/// and those.
pub(super) fn put_behind(bytes: &mut Vec<u8>, before: &[u8], text: &[u8]) {
    let pairs = before.iter().zip(text);
    let shared = pairs.take_while(|(one, other)| one == other).count();
    put_number(bytes, shared as u64);
    put_number(bytes, (text.len() - shared) as u64);
    bytes.extend_from_slice(&text[shared..]);
}

/// Turns the text that `text` is into the next one, of at most `most` bytes.
pub(super) fn take_behind(
    input: &mut Input<'_>,
    text: &mut Vec<u8>,
    most: usize,
) -> Result<(), Malformed> {
    let shared = input.count(text.len())?;
    let own = input.count(most - shared.min(most))?;
    text.truncate(shared);
    text.extend_from_slice(input.take(own)?);
    Ok(())
}

const fn fold(number: i64) -> u64 {
    (number << 1 ^ number >> 63).cast_unsigned()
}

const fn unfold(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        let numbers = [0, 1, -1, 63, -64, 64, 1 << 40, i64::MAX, i64::MIN];
        let mut bytes = Vec::new();
        for number in numbers {
            put_signed(&mut bytes, number);
            put_number(&mut bytes, number.cast_unsigned());
        }
        let mut input = Input(&bytes);
        for number in numbers {
            assert_eq!(input.signed(), Ok(number));
            assert_eq!(input.number(), Ok(number.cast_unsigned()));
        }
        assert!(input.is_empty());
    }

    #[test]
    fn what_is_no_number() {
        let check = |bytes: &[u8]| assert!(Input(bytes).number().is_err(), "{bytes:x?}");
        check(&[]);
        check(&[0x80]);
        check(&[0xff; 11]);
        assert!(Input(&[5]).count(4).is_err());
        assert!(Input(&[1, 2]).take(3).is_err());
    }

    #[test]
    fn texts_come_back() {
        let texts = ["", "abc", "abd", "ab", "xyz", "xyz"];
        let mut bytes = Vec::new();
        let mut before = "";
        for text in texts {
            put_behind(&mut bytes, before.as_bytes(), text.as_bytes());
            before = text;
        }
        let mut input = Input(&bytes);
        let mut text = Vec::new();
        for expected in texts {
            take_behind(&mut input, &mut text, 3).unwrap();
            assert_eq!(text, expected.as_bytes());
        }
        assert!(take_behind(&mut Input(&[4, 0]), &mut text, 3).is_err());
        assert!(take_behind(&mut Input(&[0, 4, 0, 0, 0, 0]), &mut text, 3).is_err());
    }
}
