//! Redirects: a target that has moved, and where to.
//!
//! ```text
//! /old          to  /new            that target alone
//! /blog/*       to  /articles/*     everything beneath, with the rest of its path
//! ```
//!
//! Targets are compared as they were sent, without their query, which is kept.

use http::StatusCode;

/// What has moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    /// A path; with `*` at its end, all that begin so.
    pub from: String,
    /// A path or an `http` or `https` URL; with `*` at its end, with what the `*`
    /// of `from` stood for. A URL names its whole host before the `*`.
    pub to: String,
    /// 301, 302, 303, 307 or 308.
    pub status: u16,
}

/// What ends the authority of a URL (RFC 3986, section 3.2).
const AUTHORITY_ENDS: [char; 3] = ['/', '?', '#'];

/// Why a redirect cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum RedirectError {
    /// Nothing begins so.
    #[error("redirect from {0:?}: a path begins with a slash, and has `*` only at its end")]
    From(String),
    /// It leads nowhere.
    #[error(
        "redirect to {0:?}: write a path or an http or https URL, of visible ASCII without \
         fragment, and `*` only at its end and where `from` has one"
    )]
    To(String),
    /// Whoever asks would say which host.
    #[error(
        "redirect to {0:?}: what the `*` stands for would become a part of the host; write a \
         slash between them, as in https://www.example.com/*"
    )]
    OpenHost(String),
    /// It leads to itself, at once or by others.
    #[error("redirect from {0:?}: what it leads to is redirected in its turn, without an end")]
    Endless(String),
    /// It does not redirect.
    #[error("redirect with status {0}: use 301, 302, 303, 307 or 308")]
    Status(u16),
}

/// Redirects after which browsers give up (Fetch standard, HTTP-redirect fetch).
const FOLLOWED: usize = 20;

/// The first of the `redirects` of a site that leads on without an end, if each stays on
/// the site; where another host leads, it alone can say.
pub(super) fn endless(redirects: &[Redirect]) -> Option<usize> {
    redirects.iter().position(|redirect| {
        let (from, has_rest) = without_star(&redirect.from);
        let mut path = format!("{from}{}", if has_rest { "x" } else { "" });
        (0..FOLLOWED).all(|_| {
            let next = redirects.iter().find_map(|one| one.location(&path, None));
            let next = next.filter(|next| next.starts_with('/'));
            path = next.unwrap_or_default();
            path.truncate(path.find('?').unwrap_or(path.len()));
            !path.is_empty()
        })
    })
}

impl Redirect {
    /// Refuses what could lead nowhere.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check(&self) -> Result<(), RedirectError> {
        let (from, has_rest) = without_star(&self.from);
        let (to, takes_rest) = without_star(&self.to);
        if !from.starts_with('/') || !is_plain(from) {
            return Err(RedirectError::From(self.from.clone()));
        }
        let is_path = to.starts_with('/') && !to.starts_with("//");
        let is_url = ["http://", "https://"].iter().any(|scheme| {
            to.strip_prefix(scheme)
                // Without a host, browsers take what follows the slash for one.
                .is_some_and(|rest| !rest.is_empty() && !rest.starts_with(AUTHORITY_ENDS))
        });
        if !(is_path || is_url) || !is_plain(to) || (takes_rest && !has_rest) {
            return Err(RedirectError::To(self.to.clone()));
        }
        if is_url && takes_rest && !has_whole_authority(to) {
            return Err(RedirectError::OpenHost(self.to.clone()));
        }
        match self.status {
            301 | 302 | 303 | 307 | 308 => Ok(()),
            status => Err(RedirectError::Status(status)),
        }
    }

    /// Where `path` has moved, with its query.
    pub(super) fn location(&self, path: &str, query: Option<&str>) -> Option<String> {
        let (from, has_rest) = without_star(&self.from);
        let rest = path.strip_prefix(from)?;
        if !rest.is_empty() && !has_rest {
            return None;
        }
        let (to, takes_rest) = without_star(&self.to);
        let mut location = to.to_owned();
        if takes_rest {
            // Two slashes at the start would name another host, and browsers read a
            // backslash, which HTTP/2 lets through, as one of them.
            let rest = match to == "/" {
                true => rest.trim_start_matches(['/', '\\']),
                false => rest,
            };
            location.push_str(rest);
        }
        if let Some(query) = query {
            location.push(if location.contains('?') { '&' } else { '?' });
            location.push_str(query);
        }
        Some(location)
    }

    pub(super) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::FOUND)
    }
}

fn without_star(pattern: &str) -> (&str, bool) {
    match pattern.strip_suffix('*') {
        Some(rest) => (rest, true),
        None => (pattern, false),
    }
}

/// Whether nothing that is added to `url` becomes a part of its authority.
fn has_whole_authority(url: &str) -> bool {
    let (_, rest) = url.split_once("://").unwrap_or_default();
    rest.contains(AUTHORITY_ENDS)
}

fn is_plain(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'*' && byte != b'#' && byte != b'\\')
}

#[cfg(test)]
mod tests {
    use super::{Redirect, RedirectError, endless};

    fn redirect(from: &str, to: &str) -> Redirect {
        Redirect {
            from: from.to_owned(),
            to: to.to_owned(),
            status: 301,
        }
    }

    #[test]
    fn what_has_moved_is_found() {
        let check = |from, to, path: &str, expected: Option<&str>| {
            let redirect = redirect(from, to);
            assert_eq!(redirect.check(), Ok(()), "{from} {to}");
            let (path, query) = match path.split_once('?') {
                Some((path, query)) => (path, Some(query)),
                None => (path, None),
            };
            let found = redirect.location(path, query);
            assert_eq!(found.as_deref(), expected, "{from} {to} {path}");
        };
        check("/old", "/new", "/old", Some("/new"));
        check("/old", "/new", "/old?a=1", Some("/new?a=1"));
        check("/old", "/new?b=2", "/old?a=1", Some("/new?b=2&a=1"));
        check("/old", "/new", "/older", None);
        check("/old", "/new", "/", None);
        check("/blog/*", "/articles/*", "/blog/a/b", Some("/articles/a/b"));
        check("/blog/*", "/articles/*", "/blog/", Some("/articles/"));
        check("/blog/*", "/gone", "/blog/a", Some("/gone"));
        check(
            "/*",
            "https://b.example/*",
            "/a?q",
            Some("https://b.example/a?q"),
        );
        check(
            "/old*",
            "https://b.example/new*",
            "/old.evil.example",
            Some("https://b.example/new.evil.example"),
        );
        check(
            "/find/*",
            "https://b.example?q=*",
            "/find/@c.example",
            Some("https://b.example?q=@c.example"),
        );
        // Never another host.
        check("/old*", "/*", "/old//evil.example", Some("/evil.example"));
        check("/old*", "/*", "/old\\evil.example", Some("/evil.example"));
        check("/old*", "/*", "/old", Some("/"));
    }

    #[test]
    fn what_leads_nowhere_is_refused() {
        let from = |text: &str| RedirectError::From(text.to_owned());
        let to = |text: &str| RedirectError::To(text.to_owned());
        let open_host = |text: &str| RedirectError::OpenHost(text.to_owned());
        for (redirect, expected) in [
            (redirect("old", "/new"), from("old")),
            (redirect("/a*b", "/new"), from("/a*b")),
            (redirect("/a", "new"), to("new")),
            (redirect("/a", "//b.example/"), to("//b.example/")),
            (redirect("/a", "https://"), to("https://")),
            (redirect("/*", "https:///*"), to("https:///*")),
            (redirect("/a", "/new/*"), to("/new/*")),
            // Else `/old.evil.example` would lead to another host, and `/old:81` to
            // another port.
            (
                redirect("/old*", "https://new.example*"),
                open_host("https://new.example*"),
            ),
            (
                redirect("/old*", "http://new.example:8*"),
                open_host("http://new.example:8*"),
            ),
            (redirect("/@*", "https://a*"), open_host("https://a*")),
            (redirect("/a", "/b c"), to("/b c")),
            (redirect("/a", "/b\r\nx: y"), to("/b\r\nx: y")),
            (
                redirect("/a", "javascript:alert(1)"),
                to("javascript:alert(1)"),
            ),
            (
                Redirect {
                    status: 200,
                    ..redirect("/a", "/b")
                },
                RedirectError::Status(200),
            ),
        ] {
            assert_eq!(redirect.check(), Err(expected));
        }
    }

    #[test]
    fn what_leads_to_itself_has_no_end() {
        let check = |pairs: &[(&str, &str)], expected| {
            let redirects: Vec<_> = pairs.iter().map(|(from, to)| redirect(from, to)).collect();
            assert_eq!(endless(&redirects), expected, "{pairs:?}");
        };
        check(&[("/a", "/b"), ("/b", "/c"), ("/c", "/d")], None);
        check(&[("/a", "/a")], Some(0));
        check(&[("/a", "/a?b")], Some(0));
        check(&[("/x", "/y"), ("/a", "/b"), ("/b", "/a")], Some(1));
        check(&[("/*", "/new/*")], Some(0));
        check(&[("/old/*", "/old/index.html")], Some(0));
        check(&[("/old/*", "/new/*"), ("/new/*", "/old/*")], Some(0));
        // What comes first counts.
        check(&[("/old/x", "/new"), ("/old/*", "/old/x")], None);
        check(&[("/a*", "/*"), ("/b/*", "/c/*")], None);
        check(&[("/*", "https://b.example/*")], None);
    }
}
