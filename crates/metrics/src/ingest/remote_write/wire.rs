//! The wire format of Protocol Buffers: a message is fields, one behind the other, each a
//! number, a type and a value (protobuf.dev, "Encoding").
//!
//! It knows no message; `remote_write` says which field is what.

/// The fields of one message.
#[derive(Debug, Clone)]
pub(super) struct Fields<'a> {
    /// All bytes of the outermost message, so that offsets are those of the request.
    message: &'a [u8],
    at: usize,
    end: usize,
}

/// One field.
#[derive(Debug, Clone)]
pub(super) struct Field<'a> {
    pub(super) number: u64,
    pub(super) value: Value<'a>,
    /// Where it begins and ends in the outermost message.
    pub(super) start: usize,
    pub(super) end: usize,
}

/// What a field holds, by its wire type.
#[derive(Debug, Clone)]
pub(super) enum Value<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32,
    /// A text, bytes, or a message; which, the reader knows.
    Length(Fields<'a>),
}

/// What is no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no valid protobuf at byte {offset}: {problem}")]
pub struct Malformed {
    /// Where, in the decompressed request, counted from 0.
    pub offset: usize,
    /// What stands there.
    pub problem: Problem,
}

/// What a message does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The message ends within a field.
    #[error("a field goes on beyond the end of its message")]
    Truncated,
    /// A number of more than 64 bits.
    #[error("a number has more than 64 bits")]
    VarintLong,
    /// A field with the number 0.
    #[error("a field has the number 0")]
    FieldZero,
    /// A wire type that is not used any more, or never was.
    #[error("a field has the wire type {0}, which is unknown")]
    WireType(u8),
    /// A field that we know with another type.
    #[error("a known field has another wire type")]
    OtherType,
    /// Text that is none.
    #[error("a text is not UTF-8")]
    NotUtf8,
}

impl<'a> Fields<'a> {
    pub(super) const fn new(message: &'a [u8]) -> Self {
        Self {
            message,
            at: 0,
            end: message.len(),
        }
    }

    /// Those from the one that begins at `start` on.
    pub(super) const fn from(self, start: usize) -> Self {
        Self { at: start, ..self }
    }

    /// The next field; `None` at the end.
    #[inline]
    pub(super) fn next(&mut self) -> Result<Option<Field<'a>>, Malformed> {
        if self.at == self.end {
            return Ok(None);
        }
        let start = self.at;
        let tag = self.varint()?;
        let number = tag >> 3;
        if number == 0 {
            return Err(malformed(start, Problem::FieldZero));
        }
        let value = match (tag & 7) as u8 {
            0 => Value::Varint(self.varint()?),
            1 => Value::Fixed64(u64::from_le_bytes(self.fixed()?)),
            2 => Value::Length(self.inner()?),
            5 => {
                self.fixed::<4>()?;
                Value::Fixed32
            }
            other => return Err(malformed(start, Problem::WireType(other))),
        };
        Ok(Some(Field {
            number,
            value,
            start,
            end: self.at,
        }))
    }

    /// What is left of it as a text.
    pub(super) fn text(&self) -> Result<&'a str, Malformed> {
        let bytes = &self.message[self.at..self.end];
        std::str::from_utf8(bytes)
            .map_err(|error| malformed(self.at + error.valid_up_to(), Problem::NotUtf8))
    }

    #[inline]
    fn inner(&mut self) -> Result<Self, Malformed> {
        let start = self.at;
        let length = usize::try_from(self.varint()?).unwrap_or(usize::MAX);
        if length > self.end - self.at {
            return Err(malformed(start, Problem::Truncated));
        }
        let inner = Self {
            message: self.message,
            at: self.at,
            end: self.at + length,
        };
        self.at = inner.end;
        Ok(inner)
    }

    #[inline]
    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let bytes = self.message[self.at..self.end].first_chunk();
        let bytes = bytes.ok_or(malformed(self.at, Problem::Truncated))?;
        self.at += N;
        Ok(*bytes)
    }

    /// Most numbers are less than 128 and one byte.
    #[inline]
    fn varint(&mut self) -> Result<u64, Malformed> {
        match self.message[self.at..self.end].first() {
            Some(byte @ 0..0x80) => {
                self.at += 1;
                Ok(u64::from(*byte))
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64, Malformed> {
        let start = self.at;
        let mut number = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let [byte] = self.fixed()?;
            let bits = u64::from(byte & 0x7f);
            // The tenth byte has one bit left.
            if shift == 63 && bits > 1 {
                break;
            }
            number |= bits << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(malformed(start, Problem::VarintLong))
    }
}

impl<'a> Field<'a> {
    /// The field, if it has the type that we know it with.
    pub(super) fn varint(&self) -> Result<u64, Malformed> {
        match self.value {
            Value::Varint(number) => Ok(number),
            _ => Err(malformed(self.start, Problem::OtherType)),
        }
    }

    /// The bits of a double.
    pub(super) fn fixed64(&self) -> Result<u64, Malformed> {
        match self.value {
            Value::Fixed64(bits) => Ok(bits),
            _ => Err(malformed(self.start, Problem::OtherType)),
        }
    }

    /// A message or a text.
    pub(super) fn length(self) -> Result<Fields<'a>, Malformed> {
        match self.value {
            Value::Length(inner) => Ok(inner),
            _ => Err(malformed(self.start, Problem::OtherType)),
        }
    }
}

const fn malformed(offset: usize, problem: Problem) -> Malformed {
    Malformed { offset, problem }
}
