//! One loop's way into the access log: records are written as they come and handed
//! over at intervals, so that a busy loop wakes the log's thread seldom.

use crate::log::{Access, Format, Lines, RequestLine, TimeText};
use crate::serve::Record;
use http::Version;
use std::time::Duration;

/// A record waits no longer than this when another follows, and no longer than
/// [`crate::serve::Handler::tick`] comes otherwise.
const HAND_OVER_EVERY: Duration = Duration::from_millis(100);

/// See the module.
#[derive(Debug)]
pub(super) struct Journal {
    lines: Lines,
    format: Format,
    time: TimeText,
    /// Since the Unix epoch.
    handed_over: Duration,
}

impl Journal {
    pub(super) fn new(lines: Lines, format: Format) -> Self {
        Self {
            lines,
            format,
            time: TimeText::default(),
            handed_over: Duration::ZERO,
        }
    }

    /// Writes down one response, which `user` asked for, if that was proven.
    pub(super) fn write(&mut self, record: &Record<'_>, user: Option<&[u8]>) {
        let asked = record.asked.as_ref();
        let access = Access {
            since_epoch: record.since_epoch,
            remote: Some(record.peer.ip()),
            user,
            request: asked.map(|asked| RequestLine {
                method: asked.method.as_bytes(),
                target: asked.target.as_bytes(),
                version: match asked.version {
                    Version::HTTP_10 => "HTTP/1.0",
                    Version::HTTP_2 => "HTTP/2.0",
                    _ => "HTTP/1.1",
                },
            }),
            host: asked
                .map(|asked| asked.host.as_bytes())
                .filter(|host| !host.is_empty()),
            status: record.status.as_u16(),
            bytes: record.bytes,
            duration: record.duration,
            referer: asked.and_then(|asked| asked.referer),
            user_agent: asked.and_then(|asked| asked.user_agent),
        };
        let Self {
            lines,
            format,
            time,
            ..
        } = self;
        lines.record(|out| access.write(*format, time, out));
        let now = record.since_epoch + record.duration;
        // A clock that was set back must not stop it.
        if now.abs_diff(self.handed_over) >= HAND_OVER_EVERY {
            self.handed_over = now;
            self.lines.hand_over();
        }
    }

    /// Hands over what waits.
    pub(super) fn hand_over(&mut self) {
        self.lines.hand_over();
    }
}
