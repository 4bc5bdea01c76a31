//! Header fields written once and sent many times, for what is answered alike
//! each time, such as a file in a cache.

use http::{HeaderName, HeaderValue, header};

use super::response::write_field;

/// Lines of header fields that were checked when they were put together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldBlock {
    lines: Vec<u8>,
}

/// A field that a block cannot hold, because the connection decides it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the field {0} is decided by the connection and cannot be written beforehand")]
pub struct ReservedField(pub HeaderName);

impl FieldBlock {
    /// A block of `fields`.
    ///
    /// # Errors
    /// When one frames the message or steers the connection, or is the date.
    pub fn new<'f>(
        fields: impl IntoIterator<Item = (&'f HeaderName, &'f HeaderValue)>,
    ) -> Result<Self, ReservedField> {
        let mut lines = Vec::new();
        for (name, value) in fields {
            if !Self::may_hold(name) {
                return Err(ReservedField(name.clone()));
            }
            write_field(&mut lines, name.as_str().as_bytes(), value.as_bytes());
        }
        lines.shrink_to_fit();
        Ok(Self { lines })
    }

    /// Whether the field called `name` is left to whoever writes a response.
    #[must_use]
    pub fn may_hold(name: &HeaderName) -> bool {
        ![
            header::CONNECTION,
            header::CONTENT_LENGTH,
            header::DATE,
            header::TRANSFER_ENCODING,
        ]
        .contains(name)
            && !matches!(name.as_str(), "keep-alive" | "proxy-connection")
    }

    /// The lines as they are sent.
    #[must_use]
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        &self.lines
    }
}
