//! One record per request, in the formats that log readers know.
//!
//! ```text
//! common    192.0.2.1 - alice [06/Nov/1994:08:49:37 +0000] "GET / HTTP/1.1" 200 2326
//! combined  the same, then "referer" "user agent"
//! JSON      one object per line
//! ```

use super::escape::{push_json, push_plain};
use super::time::{TimeText, push};
use std::net::IpAddr;
use std::time::Duration;

/// How access records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// The Common Log Format.
    Common,
    /// The same with referer and user agent.
    #[default]
    Combined,
    /// One JSON object per line, with everything.
    Json,
}

/// What is to be said of one request.
#[derive(Debug, Clone, Copy)]
pub struct Access<'a> {
    /// When it came, since the Unix epoch.
    pub since_epoch: Duration,
    /// Where it came from; `None` for a local socket.
    pub remote: Option<IpAddr>,
    /// Who asked, if that was proven.
    pub user: Option<&'a [u8]>,
    /// What was asked; `None` if it could not be understood.
    pub request: Option<RequestLine<'a>>,
    /// The host that was asked for.
    pub host: Option<&'a [u8]>,
    /// The status it was answered.
    pub status: u16,
    /// Bytes of the body that were sent.
    pub bytes: u64,
    /// From its first byte to the last of the answer.
    pub duration: Duration,
    /// The header field `Referer`.
    pub referer: Option<&'a [u8]>,
    /// The header field `User-Agent`.
    pub user_agent: Option<&'a [u8]>,
}

/// The line that a request begins with.
#[derive(Debug, Clone, Copy)]
pub struct RequestLine<'a> {
    /// The method.
    pub method: &'a [u8],
    /// The target as it was sent.
    pub target: &'a [u8],
    /// The version, such as `HTTP/1.1`.
    pub version: &'a str,
}

impl Access<'_> {
    /// Appends the record, one line.
    pub fn write(&self, format: Format, time: &mut TimeText, out: &mut Vec<u8>) {
        match format {
            Format::Common => self.write_common(time, out),
            Format::Combined => {
                self.write_common(time, out);
                for text in [self.referer, self.user_agent] {
                    out.extend_from_slice(b" \"");
                    push_plain(text.unwrap_or(b"-"), false, out);
                    out.push(b'"');
                }
            }
            Format::Json => self.write_json(time, out),
        }
        out.push(b'\n');
    }

    fn write_common(&self, time: &mut TimeText, out: &mut Vec<u8>) {
        match self.remote {
            Some(remote) => push(out, format_args!("{remote}")),
            None => out.push(b'-'),
        }
        out.extend_from_slice(b" - ");
        push_plain(self.user.unwrap_or(b"-"), true, out);
        out.extend_from_slice(b" [");
        out.extend_from_slice(time.clf(self.since_epoch));
        out.extend_from_slice(b"] \"");
        match &self.request {
            Some(request) => {
                // A space within the target would move the version.
                push_plain(request.method, true, out);
                out.push(b' ');
                push_plain(request.target, true, out);
                push(out, format_args!(" {}", request.version));
            }
            None => out.push(b'-'),
        }
        push(out, format_args!("\" {} {}", self.status, self.bytes));
    }

    fn write_json(&self, time: &mut TimeText, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"time\":\"");
        time.push_rfc3339(self.since_epoch, out);
        out.push(b'"');
        if let Some(remote) = self.remote {
            push(out, format_args!(",\"remote\":\"{remote}\""));
        }
        let request = self.request.as_ref();
        for (name, text) in [
            ("user", self.user),
            ("method", request.map(|request| request.method)),
            ("target", request.map(|request| request.target)),
            ("version", request.map(|request| request.version.as_bytes())),
            ("host", self.host),
            ("referer", self.referer),
            ("user_agent", self.user_agent),
        ] {
            if let Some(text) = text {
                push(out, format_args!(",\"{name}\":"));
                push_json(text, out);
            }
        }
        let micros = self.duration.as_micros();
        push(
            out,
            format_args!(
                ",\"status\":{},\"bytes\":{},\"duration_us\":{micros}}}",
                self.status, self.bytes
            ),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::{Access, Format, RequestLine};
    use crate::log::{MAX_TEXT, TimeText};
    use proptest::prelude::*;
    use std::time::Duration;

    fn record<'a>(target: &'a [u8], user: Option<&'a [u8]>, agent: Option<&'a [u8]>) -> Access<'a> {
        Access {
            since_epoch: Duration::from_millis(784_111_777_042),
            remote: Some([192, 0, 2, 1].into()),
            user,
            request: Some(RequestLine {
                method: b"GET",
                target,
                version: "HTTP/1.1",
            }),
            host: Some(b"example.org"),
            status: 200,
            bytes: 2326,
            duration: Duration::from_micros(1234),
            referer: None,
            user_agent: agent,
        }
    }

    fn text(record: &Access<'_>, format: Format) -> String {
        let mut out = Vec::new();
        record.write(format, &mut TimeText::default(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_three_formats() {
        let plain = record(b"/a?b", Some(b"alice"), Some(b"curl/8"));
        let common =
            "192.0.2.1 - alice [06/Nov/1994:08:49:37 +0000] \"GET /a?b HTTP/1.1\" 200 2326";
        assert_eq!(text(&plain, Format::Common), format!("{common}\n"));
        assert_eq!(
            text(&plain, Format::Combined),
            format!("{common} \"-\" \"curl/8\"\n")
        );
        assert_eq!(
            text(&plain, Format::Json),
            "{\"time\":\"1994-11-06T08:49:37.042Z\",\"remote\":\"192.0.2.1\",\"user\":\"alice\",\
             \"method\":\"GET\",\"target\":\"/a?b\",\"version\":\"HTTP/1.1\",\"host\":\"example.org\",\
             \"user_agent\":\"curl/8\",\"status\":200,\"bytes\":2326,\"duration_us\":1234}\n"
        );
        let nothing = Access {
            request: None,
            remote: None,
            ..record(b"", None, None)
        };
        assert_eq!(
            text(&nothing, Format::Common),
            "- - - [06/Nov/1994:08:49:37 +0000] \"-\" 200 2326\n"
        );
    }

    #[test]
    fn what_a_client_sends_stays_in_its_field() {
        let agent = b"x\" 200 1\n192.0.2.9 - \x1b[2J\\ \xff\xc3\xa4";
        let nasty = record(b"/a b\"\r\n", Some(b"a b"), Some(agent));
        let combined = text(&nasty, Format::Combined);
        assert!(combined.ends_with(
            "- a\\x20b [06/Nov/1994:08:49:37 +0000] \"GET /a\\x20b\\x22\\x0d\\x0a HTTP/1.1\" 200 2326 \
             \"-\" \"x\\x22 200 1\\x0a192.0.2.9 - \\x1b[2J\\x5c \\xff\\xc3\\xa4\"\n"
        ), "{combined}");
        let json = text(&nasty, Format::Json);
        assert!(
            json.contains(
                "\"user_agent\":\"x\\\" 200 1\\u000a192.0.2.9 - \\u001b[2J\\\\ \u{fffd}ä\""
            ),
            "{json}"
        );
        let long = vec![b'a'; MAX_TEXT + 1];
        let json = text(&record(&long, None, None), Format::Json);
        assert!(json.contains("aaa...\","));
    }

    proptest! {
        /// Whatever bytes come: one line, printable, with as many fields as there are.
        #[test]
        fn a_record_is_one_line(
            target in proptest::collection::vec(any::<u8>(), 0..60),
            agent in proptest::collection::vec(any::<u8>(), 0..60),
        ) {
            let record = record(&target, Some(&target), Some(&agent));
            let combined = text(&record, Format::Combined);
            prop_assert_eq!(combined.matches('\n').count(), 1);
            prop_assert_eq!(combined.matches('"').count(), 6);
            prop_assert!(combined.trim_end().bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()));
            let json = text(&record, Format::Json);
            prop_assert_eq!(json.matches('\n').count(), 1);
            prop_assert!(json.trim_end().chars().all(|c| !c.is_control()));
            // Eight texts with their names, and the names of three numbers.
            let bare = json.replace("\\\\", "").replace("\\\"", "");
            prop_assert_eq!(bare.matches('"').count(), 38);
        }
    }
}
