//! The bytes of a request, made once and sent many times.

use super::target::Target;
use http::{HeaderName, HeaderValue, Method, header};

/// A request as it travels.
#[derive(Clone, Debug)]
pub struct Request {
    bytes: Vec<u8>,
    is_head: bool,
}

/// What a request says beside its target.
#[derive(Clone, Debug)]
pub struct Content<'a> {
    /// What is asked.
    pub method: &'a Method,
    /// Fields of its head; a `Host` among them takes the place of the target's.
    pub fields: &'a [(HeaderName, HeaderValue)],
    /// Its body, if it has one.
    pub body: Option<&'a [u8]>,
    /// Whether the connection is for more than this request.
    pub keeps_connection: bool,
}

/// A field that only this client may write, since it says where a request ends or what
/// becomes of its connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the field {0} is written by the client itself: leave it out")]
pub struct OwnField(pub HeaderName);

impl Request {
    /// Fields that say where a request ends, or what becomes of its connection.
    const OWN: [HeaderName; 3] = [
        header::CONTENT_LENGTH,
        header::TRANSFER_ENCODING,
        header::CONNECTION,
    ];

    /// What asks `target` for `content`.
    ///
    /// # Errors
    /// [`OwnField`] where one of its fields cannot be meant.
    pub fn new(target: &Target, content: &Content<'_>) -> Result<Self, OwnField> {
        let names = || content.fields.iter().map(|(name, _)| name);
        if let Some(own) = names().find(|name| Self::OWN.contains(name)) {
            return Err(OwnField(own.clone()));
        }
        let method = content.method;
        let mut bytes = format!("{method} {} HTTP/1.1\r\n", target.path()).into_bytes();
        let mut field = |name: &HeaderName, value: &[u8]| {
            let parts = [name.as_str().as_bytes(), b": ", value, b"\r\n"];
            parts
                .into_iter()
                .for_each(|part| bytes.extend_from_slice(part));
        };
        if !names().any(|name| name == header::HOST) {
            field(&header::HOST, target.authority().as_bytes());
        }
        for (name, value) in content.fields {
            field(name, value.as_bytes());
        }
        if !content.keeps_connection {
            field(&header::CONNECTION, b"close");
        }
        if let Some(body) = content.body {
            field(&header::CONTENT_LENGTH, body.len().to_string().as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(content.body.unwrap_or_default());
        let is_head = method == Method::HEAD;
        Ok(Self { bytes, is_head })
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn is_head(&self) -> bool {
        self.is_head
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn request(content: &Content<'_>) -> Result<String, OwnField> {
        let target = Target::find("http://127.0.0.1:8/a?b", Duration::ZERO).unwrap();
        let request = Request::new(&target, content)?;
        Ok(String::from_utf8(request.bytes).unwrap())
    }

    #[test]
    fn requests_are_written_as_they_travel() {
        let host = [(header::HOST, HeaderValue::from_static("example.org"))];
        let get = Content {
            method: &Method::GET,
            fields: &[],
            body: None,
            keeps_connection: true,
        };
        let post = Content {
            method: &Method::POST,
            fields: &host,
            body: Some(b"hello"),
            keeps_connection: false,
        };
        assert_eq!(
            request(&get).unwrap(),
            "GET /a?b HTTP/1.1\r\nhost: 127.0.0.1:8\r\n\r\n"
        );
        assert_eq!(
            request(&post).unwrap(),
            "POST /a?b HTTP/1.1\r\nhost: example.org\r\nconnection: close\r\n\
             content-length: 5\r\n\r\nhello"
        );
        let own = [(header::CONTENT_LENGTH, HeaderValue::from_static("7"))];
        let refused = request(&Content {
            fields: &own,
            ..get
        });
        assert_eq!(refused, Err(OwnField(header::CONTENT_LENGTH)));
    }
}
