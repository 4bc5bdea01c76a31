//! When a server that has no room now is asked again.

use anyhow::Result;
use std::thread;
use std::time::Duration;
use ureq::Body;
use ureq::http::{Response, header};

/// Times that a request is sent at most.
const ATTEMPTS: u32 = 8;

/// What a server says of when to come again is believed up to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The first pause where the server does not say; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// Does `send` until its answer is another one than that there is no room, or it was done
/// as often as it may be.
pub fn until_there_is_room(
    mut send: impl FnMut() -> Result<Response<Body>>,
) -> Result<Response<Body>> {
    for attempts in 1.. {
        let response = send()?;
        let after = response.headers().get(header::RETRY_AFTER);
        let after = after.and_then(|value| value.to_str().ok());
        match pause(response.status().as_u16(), after, attempts) {
            Some(pause) => thread::sleep(pause),
            None => return Ok(response),
        }
    }
    unreachable!("there is a last attempt")
}

/// How long to wait before a request that was answered with `status` is sent again, after
/// `attempts` of it; `None` where it is not. `after` is what the server says (`Retry-After`,
/// RFC 9110 10.2.3, in seconds; a date there counts as nothing said).
fn pause(status: u16, after: Option<&str>, attempts: u32) -> Option<Duration> {
    let has_no_room = matches!(status, 429 | 503);
    if !has_no_room || attempts >= ATTEMPTS {
        return None;
    }
    let told = after
        .and_then(|text| text.trim().parse().ok())
        .map(Duration::from_secs);
    let usual = || FIRST_PAUSE * 2_u32.saturating_pow(attempts.saturating_sub(1));
    Some(told.unwrap_or_else(usual).min(LONGEST_PAUSE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_server_is_asked_again_some_times() {
        let ms = Duration::from_millis;
        for (status, after, attempts, expected) in [
            (503, Some("2"), 1, Some(ms(2000))),
            (429, None, 1, Some(ms(250))),
            (
                429,
                Some("Mon, 30 Nov 2026 00:00:00 GMT"),
                3,
                Some(ms(1000)),
            ),
            (503, Some("86400"), 1, Some(LONGEST_PAUSE)),
            (503, Some("0"), 7, Some(ms(0))),
            (503, Some("1"), ATTEMPTS, None),
            (400, Some("1"), 1, None),
            (200, None, 1, None),
        ] {
            assert_eq!(
                pause(status, after, attempts),
                expected,
                "{status} {after:?}"
            );
        }
    }
}
