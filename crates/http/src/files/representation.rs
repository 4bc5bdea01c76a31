//! A file as it can be sent: its bytes, its validators, and its header lines
//! written once for all answers to come.
//!
//! The lines are ordered so that every answer takes a prefix of the block:
//!
//! ```text
//! ETag, Cache-Control, Vary, configured lines      all of a 304 (RFC 9110 section 15.4.5)
//! Last-Modified, Accept-Ranges, Content-Encoding   up to here what several ranges share
//! Content-Type                                     all of a 200, and of one range
//! ```
//! Which answer is given is decided in [`super::plan`].

use super::answer::{Body, FileRange, Part, push_field};
use super::conditions::Validators;
use super::etag::entity_tag;
use super::facts::Facts;
use super::negotiate::Coding;
use super::range::Span;
use crate::date::http_date;
use bytes::Bytes;
use std::fs::File;
use std::sync::Arc;

/// One coding of one file.
#[derive(Debug)]
pub struct Representation {
    coding: Coding,
    size: u64,
    modified: i64,
    etag: Box<str>,
    content: Content,
    block: Bytes,
    validators_end: usize,
    type_start: usize,
    has_ranges: bool,
}

/// All codings of one file; at least one.
#[derive(Debug)]
pub struct Variants {
    /// The original first, if there is one.
    pub(super) offers: Vec<Representation>,
    /// The media type that they share.
    pub(super) content_type: String,
}

/// Where the bytes of a file are.
#[derive(Debug, Clone)]
pub enum Content {
    /// Read already, because it is small; as many as the facts say.
    Memory(Bytes),
    /// In the open file.
    Disk(Arc<File>),
}

/// What the header lines say besides the facts.
#[derive(Debug, Clone, Copy)]
pub struct Description<'a> {
    /// `Content-Type`.
    pub content_type: &'a str,
    /// `Cache-Control`.
    pub cache_control: Option<&'a str>,
    /// Other codings exist, so that `Accept-Encoding` decides.
    pub varies: bool,
    /// Lines from the configuration.
    pub extra: &'a [(String, String)],
    /// Now, in seconds since the epoch.
    pub now: i64,
    /// Equal tags may have unequal bytes: the file may change again without its
    /// facts changing, or another compressor may pack it in another way.
    pub is_weak: bool,
}

impl Representation {
    /// Writes the header lines.
    pub fn new(facts: &Facts, coding: Coding, content: Content, says: &Description<'_>) -> Self {
        let etag = entity_tag(facts, coding, says.is_weak);
        let mut lines = Vec::with_capacity(256);
        push_field(&mut lines, "etag", etag.as_bytes());
        push_policy(&mut lines, says.cache_control, says.extra);
        if says.varies {
            push_field(&mut lines, "vary", b"Accept-Encoding");
        }
        let validators_end = lines.len();
        // A date in the future is replaced by the present one (RFC 9110 section 8.8.2.1).
        let modified = facts.modified.seconds().clamp(0, says.now.max(0));
        push_field(&mut lines, "last-modified", http_date(modified).as_bytes());
        let has_ranges = coding == Coding::Identity || !says.is_weak;
        if has_ranges {
            push_field(&mut lines, "accept-ranges", b"bytes");
        }
        if coding != Coding::Identity {
            push_field(&mut lines, "content-encoding", coding.name().as_bytes());
        }
        let type_start = lines.len();
        push_field(&mut lines, "content-type", says.content_type.as_bytes());
        Self {
            coding,
            size: facts.size,
            modified,
            etag: etag.into_boxed_str(),
            content,
            block: Bytes::from(lines),
            validators_end,
            type_start,
            has_ranges,
        }
    }

    /// How its bytes are coded.
    pub fn coding(&self) -> Coding {
        self.coding
    }

    /// How many bytes it has, as coded.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Whether parts of it may be sent: not where the parts of two answers might
    /// not fit together.
    pub fn has_ranges(&self) -> bool {
        self.has_ranges
    }

    /// Where its bytes are.
    pub fn content(&self) -> &Content {
        &self.content
    }

    /// How much memory it holds, in bytes.
    pub fn weight(&self) -> usize {
        let content = match &self.content {
            Content::Memory(bytes) => bytes.len(),
            Content::Disk(_) => 0,
        };
        size_of::<Self>() + self.block.len() + content
    }

    pub(super) fn validators(&self) -> Validators<'_> {
        Validators {
            etag: self.etag.as_bytes(),
            modified: self.modified,
        }
    }

    /// The lines of a 200.
    pub(super) fn all_lines(&self) -> Bytes {
        self.block.clone()
    }

    /// The lines of a 304.
    pub(super) fn validator_lines(&self) -> Bytes {
        self.block.slice(..self.validators_end)
    }

    /// The lines of a multipart 206 but for those of the content.
    pub(super) fn lines_of_parts(&self) -> &[u8] {
        &self.block[..self.type_start]
    }

    /// All bytes.
    pub(super) fn whole(&self) -> Body {
        match &self.content {
            Content::Memory(bytes) => Body::Bytes(bytes.clone()),
            Content::Disk(file) => Body::File(FileRange {
                file: Arc::clone(file),
                span: Span {
                    offset: 0,
                    length: self.size,
                },
                tally: None,
            }),
        }
    }

    /// Some bytes, which lie within the size.
    pub(super) fn part(&self, span: Span) -> Part {
        match &self.content {
            Content::Memory(bytes) => {
                Part::Bytes(bytes.slice(span.offset as usize..span.end() as usize))
            }
            Content::Disk(file) => Part::File(FileRange {
                file: Arc::clone(file),
                span,
                tally: None,
            }),
        }
    }
}

impl Variants {
    /// `offers` must not be empty; the original comes first.
    pub fn new(offers: Vec<Representation>, content_type: String) -> Option<Self> {
        (!offers.is_empty()).then_some(Self {
            offers,
            content_type,
        })
    }

    /// How much memory they hold, in bytes.
    pub fn weight(&self) -> usize {
        self.offers.iter().map(Representation::weight).sum()
    }
}

/// The lines that a configuration puts on every answer with content.
pub(super) fn push_policy(
    lines: &mut Vec<u8>,
    cache_control: Option<&str>,
    extra: &[(String, String)],
) {
    if let Some(value) = cache_control {
        push_field(lines, "cache-control", value.as_bytes());
    }
    for (name, value) in extra {
        push_field(lines, name, value.as_bytes());
    }
}
