//! How a directory is served: everything that a configuration may say about it.
//!
//! Plain values with defaults that suit a folder of pages; [`Options::check`]
//! finds what could not be put in a header before any request does.

use super::answer::is_field_value;
use super::mime::Types;
use crate::h1::FieldBlock;
use http::HeaderName;
use std::time::Duration;

/// How a directory is served.
#[derive(Debug, Clone)]
pub struct Options {
    /// What the targets of this site start with, such as `/s/notes`; empty for all.
    pub prefix: String,
    /// What stands for a directory, in the order they are looked for.
    pub index: Vec<String>,
    /// Show what is in a directory without an index file; 404 otherwise.
    pub listing: bool,
    /// Serve names that start with a dot; 404 otherwise, but for `.well-known`.
    pub dotfiles: bool,
    /// Look for `name.zst`, `name.br` and `name.gz` beside `name`.
    pub precompressed: bool,
    /// Compress texts of up to 256 KiB that have no `name.gz` beside them, once
    /// per change, and keep the result in memory.
    pub compress: bool,
    /// The page of a single-page application, answered 200 where nothing is
    /// found, unless the name asked for is that of a known type of file: a
    /// missing script answered with a page would only confuse.
    pub fallback: Option<String>,
    /// (status, path beneath the root) of pages for errors.
    pub error_pages: Vec<(u16, String)>,
    /// The first rule that matches says `Cache-Control`.
    pub cache_rules: Vec<CacheRule>,
    /// `Cache-Control` where no rule matches. The default is `no-cache`: kept
    /// by browsers, but checked each time, so that a change shows at once.
    pub cache_control: Option<String>,
    /// Media types by extension, before the built-in ones.
    pub types: Types,
    /// Header lines for every answer with content.
    pub extra_fields: Vec<(String, String)>,
    /// What is kept open and in memory, by each event loop.
    pub keep: Keep,
}

/// Which paths get which `Cache-Control`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheRule {
    /// A path without its first slash: `*` stands for any part of a name, `**`
    /// for any part of a path. A pattern without a slash is for names in any directory.
    pub pattern: String,
    /// The value of the header field.
    pub value: String,
}

/// Bounds of what one [`Site`](super::Site) keeps.
#[derive(Debug, Clone)]
pub struct Keep {
    /// How many paths that lead to something.
    pub entries: usize,
    /// How many paths that lead to nothing.
    pub missing: usize,
    /// How many files may be held open.
    pub descriptors: usize,
    /// How many bytes of contents, header lines and listings.
    pub memory: usize,
    /// Files up to this size are kept in memory rather than open. One such file
    /// and its header fit into one write.
    pub small_file: u64,
    /// How long an answer is given without asking the file system again: the
    /// longest that a change stays unseen.
    ///
    /// A file that is replaced by rename is sent as it was until then. One that
    /// is written in place is sent with new bytes under its old tag meanwhile.
    pub age: Duration,
}

/// What a configuration cannot say.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum OptionsError {
    /// A header line would be broken by it.
    #[error("{what} {text:?} cannot stand in a header line: remove its control characters")]
    NotAFieldValue {
        /// What the text is for.
        what: &'static str,
        /// The text.
        text: String,
    },
    /// The connection writes it.
    #[error("header {0:?} is written by the connection: remove it")]
    Reserved(String),
    /// The prefix is not the start of a path.
    #[error("prefix {0:?} must be empty, or start with a slash and not end with one")]
    Prefix(String),
    /// Pages of such a status are never sent.
    #[error("error page for status {0}: use a status from 400 to 599")]
    ErrorStatus(u16),
}

impl Default for Options {
    fn default() -> Self {
        Self {
            prefix: String::new(),
            index: vec!["index.html".to_owned()],
            listing: false,
            dotfiles: false,
            precompressed: true,
            compress: true,
            fallback: None,
            error_pages: Vec::new(),
            cache_rules: Vec::new(),
            cache_control: Some("no-cache".to_owned()),
            types: Types::default(),
            extra_fields: Vec::new(),
            keep: Keep::default(),
        }
    }
}

impl Default for Keep {
    fn default() -> Self {
        Self {
            entries: 4096,
            missing: 1024,
            // Of the 1024 that a process may open without asking for more.
            descriptors: 256,
            memory: 16 << 20,
            small_file: 16 << 10,
            age: Duration::from_secs(1),
        }
    }
}

impl Options {
    /// Refuses what would break a header line or can never be used.
    pub fn check(&self) -> Result<(), OptionsError> {
        let prefix = &self.prefix;
        let is_path = prefix.starts_with('/') && !prefix.ends_with('/') && prefix.is_ascii();
        if !prefix.is_empty() && !is_path {
            return Err(OptionsError::Prefix(self.prefix.clone()));
        }
        if let Some((status, _)) = self
            .error_pages
            .iter()
            .find(|page| !(400..600).contains(&page.0))
        {
            return Err(OptionsError::ErrorStatus(*status));
        }
        let rules = self.cache_rules.iter().map(|rule| &rule.value);
        for value in rules.chain(&self.cache_control) {
            check_value("cache rule", value)?;
        }
        for kind in self.types.overrides() {
            check_value("media type", kind)?;
        }
        for (name, value) in &self.extra_fields {
            match HeaderName::from_bytes(name.as_bytes()) {
                Ok(name) if FieldBlock::may_hold(&name) => {}
                Ok(_) => return Err(OptionsError::Reserved(name.clone())),
                Err(_) => return Err(not_a_field("header name", name)),
            }
            check_value("header value", value)?;
        }
        Ok(())
    }

    /// The `Cache-Control` of a path.
    pub fn cache_control_of(&self, path: &[u8]) -> Option<&str> {
        let rule = self.cache_rules.iter().find(|rule| rule.is_for(path));
        match rule {
            Some(rule) => Some(&rule.value),
            None => self.cache_control.as_deref(),
        }
    }

    /// The page for a status.
    pub fn error_page(&self, status: http::StatusCode) -> Option<&str> {
        let page = self
            .error_pages
            .iter()
            .find(|page| page.0 == status.as_u16());
        page.map(|page| page.1.trim_start_matches('/'))
    }
}

impl CacheRule {
    /// Whether the rule is for this path.
    pub fn is_for(&self, path: &[u8]) -> bool {
        let pattern = self.pattern.trim_start_matches('/').as_bytes();
        if pattern.contains(&b'/') || self.pattern.starts_with('/') {
            return matches(pattern, path);
        }
        let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or(path);
        matches(pattern, name)
    }
}

/// Whether `path` fits `pattern`. One star to go back to is enough: what an
/// earlier star could still take, the latest can too, except that `*` stops at a
/// slash and `**` does not, so each kind has its own.
fn matches(pattern: &[u8], path: &[u8]) -> bool {
    let (mut at, mut seen) = (0, 0);
    let (mut single, mut double) = (None, None);
    loop {
        if pattern[at..].starts_with(b"**") {
            at += 2;
            // `**/` also stands for nothing.
            let is_optional =
                pattern.get(at) == Some(&b'/') && (seen == 0 || path[seen - 1] == b'/');
            if is_optional && matches(&pattern[at + 1..], &path[seen..]) {
                return true;
            }
            (single, double) = (None, Some((at, seen)));
        } else if pattern.get(at) == Some(&b'*') {
            at += 1;
            single = Some((at, seen));
        } else if seen < path.len() && pattern.get(at) == Some(&path[seen]) {
            at += 1;
            seen += 1;
        } else if at == pattern.len() && seen == path.len() {
            return true;
        } else if let Some((after, taken)) =
            single.filter(|(_, taken)| path.get(*taken).is_some_and(|byte| *byte != b'/'))
        {
            single = Some((after, taken + 1));
            (at, seen) = (after, taken + 1);
        } else if let Some((after, taken)) = double.filter(|(_, taken)| *taken < path.len()) {
            (single, double) = (None, Some((after, taken + 1)));
            (at, seen) = (after, taken + 1);
        } else {
            return false;
        }
    }
}

fn check_value(what: &'static str, text: &str) -> Result<(), OptionsError> {
    match is_field_value(text.as_bytes()) {
        true => Ok(()),
        false => Err(not_a_field(what, text)),
    }
}

fn not_a_field(what: &'static str, text: &str) -> OptionsError {
    OptionsError::NotAFieldValue {
        what,
        text: text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{CacheRule, Options, OptionsError, Types, matches};
    use proptest::prelude::*;

    #[test]
    fn patterns() {
        let check = |pattern: &str, path: &str, expected| {
            let rule = CacheRule {
                pattern: pattern.to_owned(),
                value: String::new(),
            };
            assert_eq!(rule.is_for(path.as_bytes()), expected, "{pattern} {path}");
        };
        check("*.css", "a.css", true);
        check("*.css", "deep/down/a.css", true);
        check("*.css", "a.css.map", false);
        check("/*.css", "a.css", true);
        check("/*.css", "deep/a.css", false);
        check("assets/**", "assets/a/b.js", true);
        check("assets/**", "other/assets/b.js", false);
        check("**/app.*.js", "app.1.js", true);
        check("**/app.*.js", "x/y/app.12ab.js", true);
        check("**/app.*.js", "x/app.1/b.js", false);
        check("a/*/c", "a/b/c", true);
        check("a/*/c", "a/b/b/c", false);
        check("a/**/c", "a/c", true);
        check("a/**/c", "a/b/b/c", true);
        check("**", "", true);
        check("*", "", true);
        check("a*b*c", "aXbXbc", true);
    }

    proptest! {
        /// Against the obvious recursion.
        #[test]
        fn patterns_agree_with_recursion(pattern in "[ab*/]{0,7}", path in "[ab/]{0,8}") {
            fn plain(pattern: &[u8], path: &[u8]) -> bool {
                match pattern {
                    [] => path.is_empty(),
                    [b'*', b'*', rest @ ..] => (0..=path.len()).any(|n| plain(rest, &path[n..])),
                    [b'*', rest @ ..] => {
                        let name = path.iter().position(|b| *b == b'/').unwrap_or(path.len());
                        (0..=name).any(|n| plain(rest, &path[n..]))
                    }
                    [byte, rest @ ..] => path.first() == Some(byte) && plain(rest, &path[1..]),
                }
            }
            prop_assume!(!pattern.contains("**/"));
            prop_assert_eq!(matches(pattern.as_bytes(), path.as_bytes()), plain(pattern.as_bytes(), path.as_bytes()));
        }
    }

    #[test]
    fn what_breaks_headers_is_refused() {
        let check = |options: Options, expected: &str| {
            let message = options.check().map_err(|error| error.to_string());
            assert!(
                message.as_ref().unwrap_err().contains(expected),
                "{message:?}"
            );
        };
        let text = || "a\r\nSet-Cookie: b".to_owned();
        check(
            Options {
                cache_control: Some(text()),
                ..Options::default()
            },
            "cache rule",
        );
        check(
            Options {
                extra_fields: vec![("X".to_owned(), text())],
                ..Options::default()
            },
            "header value",
        );
        check(
            Options {
                extra_fields: vec![(text(), String::new())],
                ..Options::default()
            },
            "header name",
        );
        let length = vec![("Content-Length".to_owned(), "0".to_owned())];
        check(
            Options {
                extra_fields: length,
                ..Options::default()
            },
            "written by the connection",
        );
        let types = Types::new([("x".to_owned(), text())]);
        check(
            Options {
                types,
                ..Options::default()
            },
            "media type",
        );
        check(
            Options {
                prefix: "s/".to_owned(),
                ..Options::default()
            },
            "prefix",
        );
        let page = Options {
            error_pages: vec![(200, String::new())],
            ..Options::default()
        };
        assert_eq!(page.check(), Err(OptionsError::ErrorStatus(200)));
        assert_eq!(Options::default().check(), Ok(()));
    }
}
