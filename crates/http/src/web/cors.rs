//! Which other sites' scripts may read this one (the CORS protocol of the Fetch
//! standard, section 3.3), for a server of files: GET and HEAD, never credentials.

use crate::files::push_field;
use std::time::Duration;

/// Who may read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cors {
    /// Origins such as `https://a.example`, or `*` for any.
    pub origins: Vec<String>,
    /// Request header fields that may be sent beside the usual ones.
    pub headers: Vec<String>,
    /// How long a browser may keep the answer to its question.
    pub max_age: Duration,
}

/// Why a rule cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CorsError {
    /// No browser has such an origin.
    #[error("origin {0:?}: write a scheme, a host and maybe a port, or \"*\"")]
    Origin(String),
    /// No field has such a name.
    #[error("header {0:?} is no name of a field")]
    Header(String),
}

impl Cors {
    /// Refuses what no browser could match.
    ///
    /// # Errors
    /// The first origin or header that is wrong.
    pub fn check(&self) -> Result<(), CorsError> {
        if let Some(origin) = self.origins.iter().find(|origin| !is_origin(origin)) {
            return Err(CorsError::Origin(origin.clone()));
        }
        let is_name = |name: &str| http::HeaderName::from_bytes(name.as_bytes()).is_ok();
        match self.headers.iter().find(|name| !is_name(name)) {
            Some(name) => Err(CorsError::Header(name.clone())),
            None => Ok(()),
        }
    }

    /// The header lines of any answer to a request of `origin`.
    pub(super) fn lines(&self, origin: Option<&[u8]>) -> Vec<u8> {
        let mut lines = Vec::new();
        let is_for_all = self.origins.iter().any(|known| known == "*");
        if is_for_all {
            push_field(&mut lines, "access-control-allow-origin", b"*");
            return lines;
        }
        if let Some(origin) = origin.and_then(|origin| self.known(origin)) {
            push_field(&mut lines, "access-control-allow-origin", origin.as_bytes());
        }
        // Also to others, or a cache would give one origin's answer to another.
        push_field(&mut lines, "vary", b"origin");
        lines
    }

    /// What the answer to a preflight says beside them.
    pub(super) fn preflight_lines(&self) -> Vec<u8> {
        let mut lines = Vec::new();
        push_field(&mut lines, "access-control-allow-methods", b"GET, HEAD");
        if !self.headers.is_empty() {
            let headers = self.headers.join(", ");
            push_field(
                &mut lines,
                "access-control-allow-headers",
                headers.as_bytes(),
            );
        }
        let age = self.max_age.as_secs().to_string();
        push_field(&mut lines, "access-control-max-age", age.as_bytes());
        lines
    }

    fn known(&self, origin: &[u8]) -> Option<&str> {
        let known = self.origins.iter().find(|known| known.as_bytes() == origin);
        known.map(String::as_str)
    }
}

/// `scheme://host[:port]` in lower case, as browsers write it.
fn is_origin(origin: &str) -> bool {
    let rest = ["http://", "https://"]
        .iter()
        .find_map(|scheme| origin.strip_prefix(scheme));
    let is_host = |host: &str| {
        !host.is_empty()
            && host.bytes().all(|byte| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-:[]".contains(&byte)
            })
    };
    origin == "*" || rest.is_some_and(is_host)
}

#[cfg(test)]
mod tests {
    use super::{Cors, CorsError};
    use std::time::Duration;

    fn cors(origins: &[&str]) -> Cors {
        Cors {
            origins: origins.iter().map(|origin| (*origin).to_owned()).collect(),
            headers: vec!["X-Token".to_owned()],
            max_age: Duration::from_secs(60),
        }
    }

    #[test]
    fn an_origin_is_told_of_itself_only() {
        let named = cors(&["https://a.example", "http://b.example:8080"]);
        let vary = "vary: origin\r\n";
        for (cors, origin, expected) in [
            (
                &named,
                Some("https://a.example"),
                format!("access-control-allow-origin: https://a.example\r\n{vary}"),
            ),
            (&named, Some("https://c.example"), vary.to_owned()),
            (&named, Some("null"), vary.to_owned()),
            (&named, None, vary.to_owned()),
            (
                &cors(&["*"]),
                Some("https://c.example"),
                "access-control-allow-origin: *\r\n".to_owned(),
            ),
        ] {
            let lines = cors.lines(origin.map(str::as_bytes));
            assert_eq!(String::from_utf8(lines).unwrap(), expected, "{origin:?}");
        }
    }

    #[test]
    fn a_preflight_is_told_what_may_be_asked() {
        let lines = cors(&["*"]).preflight_lines();
        assert_eq!(
            String::from_utf8(lines).unwrap(),
            "access-control-allow-methods: GET, HEAD\r\n\
             access-control-allow-headers: X-Token\r\n\
             access-control-max-age: 60\r\n"
        );
    }

    #[test]
    fn what_no_browser_sends_is_refused() {
        for origin in [
            "",
            "a.example",
            "https://",
            "https://A",
            "https://a/",
            "null",
        ] {
            let expected = Err(CorsError::Origin(origin.to_owned()));
            assert_eq!(cors(&[origin]).check(), expected);
        }
        let headers = vec!["a b".to_owned()];
        let wrong = Cors {
            headers,
            ..cors(&["*"])
        };
        assert_eq!(wrong.check(), Err(CorsError::Header("a b".to_owned())));
        assert_eq!(cors(&["*", "http://[::1]:80"]).check(), Ok(()));
    }
}
