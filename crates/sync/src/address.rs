//! Where a node is, and the certificate by which it is known there.
//!
//! What a token is for, and that it goes to one address alone, is decided in
//! `join`; who is believed over TLS, in [`crate::tls`].

use base::Fingerprint;
use std::fmt;

/// A node as its clients reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    url: String,
    fingerprint: Option<Fingerprint>,
}

/// What is no address of a node.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It does not say how, or not where.
    #[error(
        "`{0}` is no address of a node: write it as https://HOST:PORT or http://HOST:PORT, such \
         as http://127.0.0.1:8080"
    )]
    Malformed(String),
    /// A certificate where none is shown.
    #[error(
        "{0} is not encrypted, so no certificate with a fingerprint is shown there: copy the \
         whole `atoll sync …` line, or leave out --fingerprint"
    )]
    NoCertificate(String),
}

impl Address {
    /// The node at `url`, `https://host:port` or `http://host:port`. One that is
    /// encrypted is believed by the `fingerprint` of its certificate or, without one,
    /// by the authorities that vouch for it.
    pub fn new(url: &str, fingerprint: Option<Fingerprint>) -> Self {
        Self {
            url: url.trim_end_matches('/').to_owned(),
            fingerprint,
        }
    }

    /// The same, if it can be one.
    ///
    /// # Errors
    /// [`AddressError`] says what is wrong with it.
    pub fn checked(self) -> Result<Self, AddressError> {
        let Some((scheme, host)) = self.url.split_once("://") else {
            return Err(AddressError::Malformed(self.url));
        };
        // In any case (RFC 3986 section 3.1).
        let is = |known: &str| scheme.eq_ignore_ascii_case(known);
        if host.trim_matches('/').is_empty() || !(is("https") || is("http")) {
            return Err(AddressError::Malformed(self.url));
        }
        if is("http") && self.fingerprint.is_some() {
            return Err(AddressError::NoCertificate(self.url));
        }
        Ok(self)
    }

    /// With how it is reached, and without a `/` at the end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Of the certificate that alone is believed there.
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        self.fingerprint
    }

    /// Whether both are written alike and known by the same certificate. Two that
    /// differ may still be one node; whoever knows so joins again. So may `localhost`
    /// and `127.0.0.1`, but a resolver says what the former is, and at the same port of
    /// `[::1]` another user's program may listen for the token.
    pub fn is_same(&self, other: &Self) -> bool {
        self.is_at(&other.url) && self.fingerprint == other.fingerprint
    }

    /// Whether it is written like `url`.
    pub fn is_at(&self, url: &str) -> bool {
        let url = url.trim_end_matches('/');
        self.url.eq_ignore_ascii_case(url)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.url)?;
        match self.fingerprint {
            Some(fingerprint) => write!(out, " (certificate {fingerprint})"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(url: &str, certificate: Option<&str>) -> Address {
        let of = |text: &str| Fingerprint::of(text.as_bytes());
        Address::new(url, certificate.map(of))
    }

    #[test]
    fn what_is_no_address_is_said_so() {
        let malformed = |url: &str| Err(AddressError::Malformed(url.to_owned()));
        for url in ["reef", "127.0.0.1:80", "ftp://reef", "http:", "HTTPS:", ""] {
            let checked = address(url, None).checked().map(drop);
            assert_eq!(checked, malformed(url), "{url}");
        }
        for url in ["http://reef", "HTTPS://reef:1", "https://[::1]:1"] {
            assert!(address(url, None).checked().is_ok(), "{url}");
        }
        assert!(address("https://reef", Some("a")).checked().is_ok());
        let plain = address("http://reef", Some("a")).checked();
        let reason = AddressError::NoCertificate("http://reef".to_owned());
        assert_eq!(plain, Err(reason));
    }

    #[test]
    fn one_place_is_written_in_several_ways() {
        let home = address("https://Reef.local:80", Some("a"));
        for (url, certificate, expected) in [
            ("https://reef.LOCAL:80/", Some("a"), true),
            ("https://reef.local:80", Some("b"), false),
            ("https://reef.local:80", None, false),
            ("http://reef.local:80", Some("a"), false),
            ("https://reef.local:81", Some("a"), false),
        ] {
            let other = address(url, certificate);
            assert_eq!(home.is_same(&other), expected, "{other}");
        }
        let here = address("http://127.0.0.1:8080", None);
        for url in ["http://localhost:8080", "http://[::1]:8080"] {
            assert!(!here.is_same(&address(url, None)), "{url}");
        }
    }
}
