//! What the bytes of an answer mean: its status, where it ends, and whether the
//! connection goes on (RFC 9112 6.3, 9.3). Its content is counted and thrown away.
//!
//! Pure: whoever drives it gives it what came and keeps what it did not consume. A head is
//! bounded by [`HEAD_BYTES`]; content may be as long as it likes, for nothing keeps it.

use crate::h1::chunked::{Chunk, Chunked};
use crate::h1::{Limits, MAX_HEADERS, Reject};

/// The longest head of an answer: as long as the longest that this server takes of a
/// client.
pub const HEAD_BYTES: usize = Limits::DEFAULT.head_bytes as usize;

/// Most informational answers (1xx) before one answer: a server that sends them without
/// end would never be found out otherwise.
const INFORMATIONAL: u8 = 16;

/// One answer that came whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// 200 to 999.
    pub status: u16,
    /// Length of its content, without framing.
    pub content_bytes: u64,
    /// Whether the next request may be sent on the same connection.
    pub keeps_connection: bool,
}

/// What some bytes came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Read {
    /// So many of them are done with; the others are to be given again, with more.
    pub consumed: usize,
    /// The answer, if this was the end of it.
    pub answer: Option<Answer>,
}

/// Bytes that are no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Not the syntax of a head.
    #[error("the answer is not HTTP/1.1: {0}")]
    Head(#[from] httparse::Error),
    /// A head without end.
    #[error("the head of the answer is longer than {HEAD_BYTES} bytes")]
    LongHead,
    /// A status that is none, or that nobody asked for.
    #[error("the answer has status {0}, which nothing asked for")]
    Status(u16),
    /// A length that is no number, or several.
    #[error("the Content-Length of the answer is not one number")]
    Length,
    /// The chunked coding, not as it should be.
    #[error("the content of the answer is not chunked as it says: {0}")]
    Chunks(&'static str),
    /// The connection ended.
    #[error("the connection ended in the middle of an answer")]
    Cut,
    /// The connection ended.
    #[error("the connection ended before an answer")]
    Nothing,
}

/// Reads the answer to one request.
#[derive(Debug)]
pub struct Reader {
    /// A HEAD request: there is no content, whatever the head says (RFC 9110 9.3.2).
    is_head_request: bool,
    informational: u8,
    stage: Stage,
    answer: Answer,
}

#[derive(Debug)]
enum Stage {
    Head,
    /// So many bytes are left.
    Sized(u64),
    Chunked(Chunked),
    /// Until the connection ends.
    Unbounded,
}

/// What the fields of a head say.
#[derive(Default)]
struct Framing {
    length: Option<u64>,
    has_coding: bool,
    is_chunked: bool,
    closes: bool,
    keeps: bool,
}

impl Reader {
    /// Expects the answer to a request, which asked with HEAD or not.
    pub fn new(is_head_request: bool) -> Self {
        Self {
            is_head_request,
            informational: 0,
            stage: Stage::Head,
            answer: Answer {
                status: 0,
                content_bytes: 0,
                keeps_connection: false,
            },
        }
    }

    /// Goes over `bytes`, which begin where the last ones were consumed.
    ///
    /// # Errors
    /// [`Malformed`]; nothing that follows on the connection means anything then.
    pub fn read(&mut self, bytes: &[u8]) -> Result<Read, Malformed> {
        let mut consumed = 0;
        loop {
            let rest = &bytes[consumed..];
            let (length, is_done) = match &mut self.stage {
                Stage::Head => match self.head(rest)? {
                    Some(length) => (length, matches!(self.stage, Stage::Sized(0))),
                    None => {
                        return Ok(Read {
                            consumed,
                            answer: None,
                        });
                    }
                },
                Stage::Sized(left) => {
                    let here = (rest.len() as u64).min(*left);
                    *left -= here;
                    self.answer.content_bytes += here;
                    (here as usize, *left == 0)
                }
                Stage::Chunked(_) => self.chunks(rest)?,
                Stage::Unbounded => {
                    self.answer.content_bytes += rest.len() as u64;
                    (rest.len(), false)
                }
            };
            consumed += length;
            if is_done {
                let answer = Some(self.answer);
                return Ok(Read { consumed, answer });
            }
            if length == 0 || consumed == bytes.len() {
                return Ok(Read {
                    consumed,
                    answer: None,
                });
            }
        }
    }

    /// The connection ended, with `unread` bytes not consumed.
    ///
    /// # Errors
    /// [`Malformed`], unless the answer was one that ends so.
    pub fn end(&self, unread: usize) -> Result<Answer, Malformed> {
        match self.stage {
            Stage::Unbounded => Ok(self.answer),
            Stage::Head if unread == 0 => Err(Malformed::Nothing),
            _ => Err(Malformed::Cut),
        }
    }

    /// Reads heads up to that of the answer; gives the length of one.
    fn head(&mut self, bytes: &[u8]) -> Result<Option<usize>, Malformed> {
        let mut fields = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut head = httparse::Response::new(&mut fields);
        let length = match head.parse(bytes)? {
            httparse::Status::Complete(length) if length <= HEAD_BYTES => length,
            httparse::Status::Partial if bytes.len() <= HEAD_BYTES => return Ok(None),
            _ => return Err(Malformed::LongHead),
        };
        let status = head.code.unwrap_or_default();
        match status {
            // Nobody asked to switch (RFC 9110 15.2.2).
            100..=199 if status != 101 && self.informational < INFORMATIONAL => {
                self.informational += 1;
                return Ok(Some(length));
            }
            200..=999 => {}
            _ => return Err(Malformed::Status(status)),
        }
        let framing = Framing::of(head.headers)?;
        self.answer.status = status;
        self.stage = match &framing {
            _ if self.is_head_request || matches!(status, 204 | 304) => Stage::Sized(0),
            Framing {
                is_chunked: true, ..
            } => Stage::Chunked(Chunked::new(u64::MAX)),
            Framing {
                has_coding: true, ..
            } => Stage::Unbounded,
            Framing {
                length: Some(length),
                ..
            } => Stage::Sized(*length),
            Framing { .. } => Stage::Unbounded,
        };
        let persists = match head.version {
            Some(0) => framing.keeps,
            _ => true,
        };
        // Both at once may be an attempt at smuggling (RFC 9112 6.3).
        let is_sure = !(framing.has_coding && framing.length.is_some());
        self.answer.keeps_connection =
            persists && is_sure && !framing.closes && !matches!(self.stage, Stage::Unbounded);
        Ok(Some(length))
    }

    /// Reads chunks; gives how many bytes that were, and whether the last was among them.
    fn chunks(&mut self, bytes: &[u8]) -> Result<(usize, bool), Malformed> {
        let Stage::Chunked(decoder) = &mut self.stage else {
            return Ok((0, false));
        };
        let mut consumed = 0;
        loop {
            let chunk = decoder.decode(&bytes[consumed..], &Limits::DEFAULT);
            match chunk.map_err(|Reject { reason, .. }| Malformed::Chunks(reason))? {
                Chunk::NeedMore { consumed: more } => return Ok((consumed + more, false)),
                Chunk::Data(content) => {
                    self.answer.content_bytes += content.len() as u64;
                    consumed += content.end;
                }
                Chunk::End(trailers) => return Ok((consumed + trailers.end, true)),
            }
        }
    }
}

impl Framing {
    fn of(fields: &[httparse::Header<'_>]) -> Result<Self, Malformed> {
        let mut framing = Self::default();
        for field in fields {
            let is = |name: &str| field.name.eq_ignore_ascii_case(name);
            if is("content-length") {
                framing.add_length(field.value)?;
            } else if is("transfer-encoding") {
                framing.has_coding = true;
                // Only the last one frames the content (RFC 9112 6.3).
                framing.is_chunked = tokens(field.value)
                    .next_back()
                    .is_some_and(|last| last.eq_ignore_ascii_case(b"chunked"));
            } else if is("connection") {
                for token in tokens(field.value) {
                    framing.closes |= token.eq_ignore_ascii_case(b"close");
                    framing.keeps |= token.eq_ignore_ascii_case(b"keep-alive");
                }
            }
        }
        Ok(framing)
    }

    /// Several are allowed if they are equal (RFC 9110 8.6).
    fn add_length(&mut self, value: &[u8]) -> Result<(), Malformed> {
        for number in tokens(value) {
            let digits = number.iter().all(u8::is_ascii_digit);
            let length = str::from_utf8(number)
                .ok()
                .and_then(|text| text.parse().ok());
            let (true, Some(length)) = (digits, length) else {
                return Err(Malformed::Length);
            };
            if self
                .length
                .replace(length)
                .is_some_and(|before| before != length)
            {
                return Err(Malformed::Length);
            }
        }
        Ok(())
    }
}

/// The members of a comma-separated list.
fn tokens(value: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii)
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
