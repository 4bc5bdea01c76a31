//! Basic authentication (RFC 7617): who may see a site.
//!
//! What a client must send is made once for each user; nothing of a client's is
//! decoded. It travels in the clear unless the connection is encrypted.

use std::fmt;

/// Users and their passwords.
#[derive(Clone, Default)]
pub struct Users {
    users: Vec<User>,
}

#[derive(Clone)]
struct User {
    name: String,
    /// Behind `Basic `.
    credentials: Vec<u8>,
}

/// Why a user cannot be known.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum UserError {
    /// A colon ends the name (RFC 7617 section 2).
    #[error("user {0:?}: a name is not empty, and has no colon and no control character")]
    Name(String),
    /// A site whose last user was taken out must not become everybody's.
    #[error("users are nobody: name one with a password, or leave `users` out to let everybody in")]
    Nobody,
    /// Anybody could guess it, or nobody could type it.
    #[error("the password of user {0:?} is empty or has a control character")]
    Password(String),
}

impl Users {
    /// Users from (name, password) pairs.
    ///
    /// # Errors
    /// There is none, or the first name or password that cannot be used.
    pub fn new<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, UserError> {
        let users = pairs.into_iter().map(|(name, password)| {
            if name.is_empty() || name.contains(|c: char| c == ':' || c.is_control()) {
                return Err(UserError::Name(name.to_owned()));
            }
            if password.is_empty() || password.contains(char::is_control) {
                return Err(UserError::Password(name.to_owned()));
            }
            Ok(User {
                name: name.to_owned(),
                credentials: base64(format!("{name}:{password}").as_bytes()),
            })
        });
        let users = users.collect::<Result<Vec<_>, _>>()?;
        match users.is_empty() {
            true => Err(UserError::Nobody),
            false => Ok(Self { users }),
        }
    }

    /// Whether nobody is asked who they are.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    /// Whose credentials an `Authorization` field holds.
    pub(super) fn prove(&self, authorization: Option<&[u8]>) -> Option<&str> {
        let (scheme, credentials) = authorization?.split_at_checked("Basic ".len())?;
        if !scheme.eq_ignore_ascii_case(b"Basic ") {
            return None;
        }
        let credentials = credentials.trim_ascii();
        // All of them, so that the time does not tell who is among them.
        let mut proven = None;
        for user in &self.users {
            if is_equal(&user.credentials, credentials) {
                proven = Some(user.name.as_str());
            }
        }
        proven
    }
}

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.users.iter().map(|user| &user.name);
        f.debug_list().entries(names).finish()
    }
}

/// Takes as long whatever the bytes are; only a length can be told by time.
fn is_equal(a: &[u8], b: &[u8]) -> bool {
    let differing = a.iter().zip(b).fold(0, |sum, (a, b)| sum | (a ^ b));
    a.len() == b.len() && std::hint::black_box(differing) == 0
}

/// RFC 4648 section 4, with padding.
fn base64(bytes: &[u8]) -> Vec<u8> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = Vec::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let digit = (bits >> (18 - 6 * place)) as usize % 64;
            out.push(if place <= chunk.len() {
                ALPHABET[digit]
            } else {
                b'='
            });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{UserError, Users, base64};

    #[test]
    fn rfc_4648_section_10() {
        for (bytes, expected) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(bytes.as_bytes()), expected.as_bytes());
        }
    }

    #[test]
    fn rfc_7617_section_2() {
        let users = Users::new([("Aladdin", "open sesame"), ("b", "x")]).unwrap();
        for (sent, expected) in [
            ("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", Some("Aladdin")),
            ("basic  QWxhZGRpbjpvcGVuIHNlc2FtZQ==", Some("Aladdin")),
            ("Basic Yjp4", Some("b")),
            ("Basic Yjp5", None),
            ("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ", None),
            ("Bearer QWxhZGRpbjpvcGVuIHNlc2FtZQ==", None),
            ("Basic", None),
            ("Basic ", None),
            ("", None),
        ] {
            assert_eq!(users.prove(Some(sent.as_bytes())), expected, "{sent}");
        }
        assert_eq!(users.prove(None), None);
        assert_eq!(format!("{users:?}"), "[\"Aladdin\", \"b\"]");
    }

    #[test]
    fn names_end_at_a_colon() {
        let check = |name, password| Users::new([(name, password)]).unwrap_err();
        assert_eq!(check("a:b", "x"), UserError::Name("a:b".to_owned()));
        assert_eq!(check("", "x"), UserError::Name(String::new()));
        assert_eq!(check("a", ""), UserError::Password("a".to_owned()));
        assert_eq!(check("a", "\n"), UserError::Password("a".to_owned()));
    }
}
