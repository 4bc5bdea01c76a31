//! The bounds of a connection: every length that a peer chooses has one here.
//!
//! It only names and defaults them; each is enforced where its bytes are read.
//! Read on in [`super::connection`].

/// How many header fields a request may have at most, whatever [`Limits`] says:
/// the size of [`super::HeaderSlots`], which lies on a driver's stack.
pub const MAX_HEADERS: usize = 100;

/// A longer method than any in use; RFC 9112 3: "A server that receives a method
/// longer than any that it implements SHOULD respond with a 501".
pub const METHOD_BYTES: usize = 32;

/// What one connection accepts. Small and `Copy`: each connection holds its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The request line with its CRLF; beyond it 414. RFC 9112 3 recommends to
    /// support 8000 octets at least.
    pub request_line_bytes: u32,
    /// The whole head, from the method to the empty line; beyond it 431. A driver's
    /// read buffer must be able to grow to this.
    pub head_bytes: u32,
    /// Header fields of a request, at most [`MAX_HEADERS`]; beyond it 431.
    pub headers: u16,
    /// The content of a request after decoding; beyond it 413. A route may set
    /// less, see [`super::Connection::limit_body`].
    pub body_bytes: u64,
    /// One chunk's size line with its extensions and CRLF; beyond it 400.
    pub chunk_line_bytes: u16,
    /// All chunk extensions of one body together; beyond it 400. They carry
    /// nothing that anyone reads, so a few are tolerated and a flood is not.
    pub chunk_extension_bytes: u32,
    /// The trailer section; beyond it 431. A driver's read buffer must be able to
    /// grow to this.
    pub trailer_bytes: u32,
    /// What is read and thrown away of a body that nobody wanted, so that the
    /// connection can go on; beyond it the connection is closed.
    pub drain_bytes: u64,
}

impl Limits {
    /// What most servers need.
    pub const DEFAULT: Self = Self {
        request_line_bytes: 8 * 1024,
        head_bytes: 32 * 1024,
        headers: MAX_HEADERS as u16,
        body_bytes: u64::MAX,
        chunk_line_bytes: 1024,
        chunk_extension_bytes: 16 * 1024,
        trailer_bytes: 8 * 1024,
        drain_bytes: 256 * 1024,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
