//! What a client is told about its limit.
//!
//! The header fields are those of draft-ietf-httpapi-ratelimit-headers-10:
//!
//! ```text
//! ratelimit-policy: "metrics";q=100;w=60     100 in each 60 seconds
//! ratelimit: "metrics";r=40;t=12             40 left; all of them in 12 seconds
//! retry-after: 3                             only when refused (RFC 9110 section 10.2.3)
//! ```

use http::{HeaderMap, HeaderName, HeaderValue};
use std::io::Write;
use std::time::Duration;

/// Whether a request may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It may; no rule is about it.
    Unlimited,
    /// It may, and was counted.
    Allowed(Allowance),
    /// It may not, and was not counted: 429.
    Refused {
        /// How the client stands.
        allowance: Allowance,
        /// The same request would be allowed after this time.
        retry_after: Duration,
    },
}

/// How a client stands with one limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// How many are allowed in each period.
    pub count: u32,
    /// The period.
    pub period: Duration,
    /// How many are left now.
    pub remaining: u32,
    /// When all will be left again, if nothing is asked until then.
    pub reset: Duration,
}

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const STATE: HeaderName = HeaderName::from_static("ratelimit");

impl Decision {
    /// Whether the request may go on.
    pub fn is_allowed(&self) -> bool {
        !matches!(self, Self::Refused { .. })
    }

    /// Appends the header lines for the limit called `name`, as they go on the wire.
    pub fn write_lines(&self, name: &str, out: &mut Vec<u8>) {
        self.each_field(name, |field, value| {
            out.extend_from_slice(field.as_str().as_bytes());
            out.extend_from_slice(b": ");
            out.extend_from_slice(value);
            out.extend_from_slice(b"\r\n");
        });
    }

    /// The same, into a map of headers.
    pub fn put_fields(&self, name: &str, headers: &mut HeaderMap) {
        self.each_field(name, |field, value| {
            if let Ok(value) = HeaderValue::from_bytes(value) {
                headers.insert(field, value);
            }
        });
    }

    fn each_field(&self, name: &str, mut put: impl FnMut(HeaderName, &[u8])) {
        let (allowance, retry_after) = match self {
            Self::Unlimited => return,
            Self::Allowed(allowance) => (allowance, None),
            Self::Refused {
                allowance,
                retry_after,
            } => (allowance, Some(*retry_after)),
        };
        let mut text = Vec::with_capacity(64);
        let mut field = |field: HeaderName, parts: std::fmt::Arguments<'_>| {
            text.clear();
            text.write_fmt(parts)
                .expect("a vector takes all that is written");
            put(field, &text);
        };
        let (count, period) = (allowance.count, whole_seconds(allowance.period));
        let (remaining, reset) = (allowance.remaining, whole_seconds(allowance.reset));
        field(POLICY, format_args!("\"{name}\";q={count};w={period}"));
        field(STATE, format_args!("\"{name}\";r={remaining};t={reset}"));
        if let Some(retry_after) = retry_after {
            let seconds = whole_seconds(retry_after).max(1);
            field(http::header::RETRY_AFTER, format_args!("{seconds}"));
        }
    }
}

/// Rounded up: who comes back after that many seconds does not come too early.
fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::{Allowance, Decision};
    use http::HeaderMap;
    use std::time::Duration;

    #[test]
    fn lines_and_fields_say_the_same() {
        let allowance = Allowance {
            count: 100,
            period: Duration::from_secs(60),
            remaining: 0,
            reset: Duration::from_millis(12_001),
        };
        let refused = Decision::Refused {
            allowance,
            retry_after: Duration::from_millis(1),
        };
        let check = |decision: Decision, expected: &str| {
            let (mut lines, mut headers) = (Vec::new(), HeaderMap::new());
            decision.write_lines("x", &mut lines);
            decision.put_fields("x", &mut headers);
            assert_eq!(String::from_utf8(lines).unwrap(), expected);
            for (name, value) in &headers {
                assert!(expected.contains(&format!("{name}: {}\r\n", value.to_str().unwrap())));
            }
            assert_eq!(headers.len(), expected.lines().count());
        };
        let told = "ratelimit-policy: \"x\";q=100;w=60\r\nratelimit: \"x\";r=0;t=13\r\n";
        check(Decision::Unlimited, "");
        check(Decision::Allowed(allowance), told);
        check(refused, &format!("{told}retry-after: 1\r\n"));
    }
}
