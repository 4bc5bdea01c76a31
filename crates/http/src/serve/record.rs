//! What is told of each response: who asked for what, and what came of it.
//!
//! A handler that wants records says so ([`Handler::records`]); nothing here costs
//! anything otherwise. How records are written is [`crate::log`]'s, what they are
//! counted for is the handler's.
//!
//! [`Handler::records`]: super::Handler::records

use crate::files::Moment;
use crate::h1::{self, RequestHead, RequestLine};
use http::{StatusCode, Version};
use std::net::SocketAddr;
use std::time::Duration;

/// One response, when its last byte was written, or when it broke off.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// Who asked.
    pub peer: SocketAddr,
    /// What was asked; `None` if it could not be understood. Of a request that was
    /// refused for its fields, what its first line says.
    pub asked: Option<Asked<'a>>,
    /// What it was answered.
    pub status: StatusCode,
    /// Bytes of content that were given to the socket.
    pub bytes: u64,
    /// When the request came, since the Unix epoch.
    pub since_epoch: Duration,
    /// From the read that brought the end of its head to the end of the response.
    pub duration: Duration,
}

/// What a request asked; of a field that came several times, the first.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The method.
    pub method: &'a str,
    /// The target as it was sent.
    pub target: &'a str,
    /// The version.
    pub version: Version,
    /// The host it was for; empty when there was none.
    pub host: &'a str,
    /// `Referer`
    pub referer: Option<&'a [u8]>,
    /// `User-Agent`
    pub user_agent: Option<&'a [u8]>,
    /// `Authorization`: no proof of anything.
    pub authorization: Option<&'a [u8]>,
}

/// The same beyond the buffer that the request lay in, until its response ends.
#[derive(Debug)]
pub(super) struct Kept {
    method: Box<str>,
    target: Box<str>,
    version: Version,
    host: Box<str>,
    referer: Option<Box<[u8]>>,
    user_agent: Option<Box<[u8]>>,
    authorization: Option<Box<[u8]>>,
    pub(super) begun: Moment,
}

impl<'a> Asked<'a> {
    pub(super) fn of(head: &RequestHead<'_, 'a>) -> Self {
        let mut asked = Self {
            host: head.host(),
            ..Self::of_line(RequestLine {
                method: head.method(),
                target: head.target().raw(),
                version: head.version(),
            })
        };
        for (name, value) in head.fields() {
            // The length sorts out nearly every other field for one comparison.
            match name.len() {
                7 if name.eq_ignore_ascii_case("referer") => asked.referer.get_or_insert(value),
                10 if name.eq_ignore_ascii_case("user-agent") => {
                    asked.user_agent.get_or_insert(value)
                }
                13 if name.eq_ignore_ascii_case("authorization") => {
                    asked.authorization.get_or_insert(value)
                }
                _ => continue,
            };
        }
        asked
    }

    /// What is known of a request that was refused for its fields.
    pub(super) fn of_line(line: RequestLine<'a>) -> Self {
        Self {
            method: line.method,
            target: line.target,
            version: match line.version {
                h1::Version::Http10 => Version::HTTP_10,
                h1::Version::Http11 => Version::HTTP_11,
            },
            host: "",
            referer: None,
            user_agent: None,
            authorization: None,
        }
    }

    pub(super) fn keep(&self, begun: Moment) -> Kept {
        Kept {
            method: self.method.into(),
            target: self.target.into(),
            version: self.version,
            host: self.host.into(),
            referer: self.referer.map(Into::into),
            user_agent: self.user_agent.map(Into::into),
            authorization: self.authorization.map(Into::into),
            begun,
        }
    }
}

impl Kept {
    pub(super) fn asked(&self) -> Asked<'_> {
        Asked {
            method: &self.method,
            target: &self.target,
            version: self.version,
            host: &self.host,
            referer: self.referer.as_deref(),
            user_agent: self.user_agent.as_deref(),
            authorization: self.authorization.as_deref(),
        }
    }
}
