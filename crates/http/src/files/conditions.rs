//! Preconditions in the order of RFC 9110 section 13.2.2.
//!
//! Only asked of what would be answered 200: an answer of another status is
//! given whatever the conditions say (section 13.2.1). Which ranges are then
//! sent is decided in [`super::range`].

use super::etag;
use super::request::{Method, Wanted};
use crate::date::parse_http_date;

/// What the chosen representation is compared by.
#[derive(Debug, Clone, Copy)]
pub struct Validators<'a> {
    /// Its entity tag, quotes included.
    pub etag: &'a [u8],
    /// Its `Last-Modified`, in seconds since the epoch.
    pub modified: i64,
}

/// What the conditions make of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Answer it; a `Range` counts only where said.
    Proceed {
        /// `If-Range` lets the range count, or was not sent.
        range_counts: bool,
    },
    /// 304: the client has it.
    NotModified,
    /// 412: the client wants something else than there is.
    Failed,
}

/// How old, in seconds, a modification must be before its date is a strong
/// validator: younger ones may share their second with another change (RFC 9110
/// section 8.8.2.2).
const STRONG_DATE_AGE: i64 = 1;

/// Evaluates all conditions at `now`, in seconds since the epoch.
pub fn evaluate(method: Method, wanted: &Wanted<'_>, has: Validators<'_>, now: i64) -> Verdict {
    // Steps 1 and 2: the date counts only without the tags.
    if let Some(list) = wanted.if_match {
        if !any_matches(list, has.etag, etag::strong_match) {
            return Verdict::Failed;
        }
    } else if let Some(date) = wanted.if_unmodified_since.and_then(parse_http_date)
        && has.modified > date
    {
        return Verdict::Failed;
    }
    // Steps 3 and 4: likewise.
    let is_read = matches!(method, Method::Get | Method::Head);
    if let Some(list) = wanted.if_none_match {
        if any_matches(list, has.etag, etag::weak_match) {
            return match is_read {
                true => Verdict::NotModified,
                false => Verdict::Failed,
            };
        }
    } else if is_read
        && let Some(date) = wanted.if_modified_since.and_then(parse_http_date)
        && has.modified <= date
    {
        return Verdict::NotModified;
    }
    // Step 5.
    Verdict::Proceed {
        range_counts: wanted
            .if_range
            .is_none_or(|validator| if_range_holds(validator, has, now)),
    }
}

/// `*` matches whatever exists; a list matches if one of its tags does.
fn any_matches(list: &[u8], tag: &[u8], same: fn(&[u8], &[u8]) -> bool) -> bool {
    list.trim_ascii() == b"*" || etag::tags(list).any(|listed| same(listed, tag))
}

/// Section 13.1.5: one strong tag, or exactly the date of a strong validator.
fn if_range_holds(validator: &[u8], has: Validators<'_>, now: i64) -> bool {
    let validator = validator.trim_ascii();
    if validator.starts_with(b"\"") || etag::is_weak(validator) {
        return etag::strong_match(validator, has.etag);
    }
    parse_http_date(validator)
        .is_some_and(|date| date == has.modified && has.modified + STRONG_DATE_AGE <= now)
}

#[cfg(test)]
mod tests {
    use super::{Validators, Verdict, evaluate};
    use crate::date::http_date;
    use crate::files::request::{Method, Wanted};

    const GO: Verdict = Verdict::Proceed { range_counts: true };
    const WHOLE: Verdict = Verdict::Proceed {
        range_counts: false,
    };
    const CHANGED: i64 = 1_000_000;

    fn check(fields: &[(&str, &str)], expected: Verdict) {
        check_as(Method::Get, "\"tag\"", CHANGED + 100, fields, expected);
    }

    fn check_as(method: Method, etag: &str, now: i64, fields: &[(&str, &str)], expected: Verdict) {
        let wanted = Wanted::from_fields(
            fields
                .iter()
                .map(|(name, value)| (name.as_bytes(), value.as_bytes())),
        );
        let has = Validators {
            etag: etag.as_bytes(),
            modified: CHANGED,
        };
        assert_eq!(evaluate(method, &wanted, has, now), expected, "{fields:?}");
    }

    #[test]
    fn each_condition_alone() {
        let (before, at, after) = (
            &http_date(CHANGED - 1),
            &http_date(CHANGED),
            &http_date(CHANGED + 1),
        );
        check(&[], GO);
        check(&[("If-Match", "*")], GO);
        check(&[("If-Match", "\"x\", \"tag\"")], GO);
        check(&[("If-Match", "\"x\"")], Verdict::Failed);
        check(&[("If-Match", "W/\"tag\"")], Verdict::Failed);
        check(&[("If-Unmodified-Since", at)], GO);
        check(&[("If-Unmodified-Since", before)], Verdict::Failed);
        check(&[("If-Unmodified-Since", "yesterday")], GO);
        check(&[("If-None-Match", "*")], Verdict::NotModified);
        check(&[("If-None-Match", "W/\"tag\"")], Verdict::NotModified);
        check(&[("If-None-Match", "\"x\"")], GO);
        check(&[("If-Modified-Since", at)], Verdict::NotModified);
        check(&[("If-Modified-Since", after)], Verdict::NotModified);
        check(&[("If-Modified-Since", before)], GO);
        check(&[("If-Modified-Since", "tomorrow")], GO);
        check(&[("If-Range", "\"tag\"")], GO);
        check(&[("If-Range", "\"x\"")], WHOLE);
        check(&[("If-Range", "W/\"tag\"")], WHOLE);
        check(&[("If-Range", at)], GO);
        check(&[("If-Range", after)], WHOLE);
        check(&[("If-Range", "nonsense")], WHOLE);
    }

    #[test]
    fn earlier_conditions_win() {
        let (before, at) = (&http_date(CHANGED - 1), &http_date(CHANGED));
        // A tag that matches makes the date beside it void, and the other way round.
        check(
            &[("If-Match", "\"tag\""), ("If-Unmodified-Since", before)],
            GO,
        );
        check(&[("If-None-Match", "\"x\""), ("If-Modified-Since", at)], GO);
        check(
            &[("If-Match", "\"x\""), ("If-None-Match", "\"tag\"")],
            Verdict::Failed,
        );
        check(
            &[("If-Match", "\"tag\""), ("If-None-Match", "\"tag\"")],
            Verdict::NotModified,
        );
        check(
            &[("If-Unmodified-Since", before), ("If-Modified-Since", at)],
            Verdict::Failed,
        );
        check(
            &[("If-None-Match", "\"tag\""), ("If-Range", "\"x\"")],
            Verdict::NotModified,
        );
    }

    #[test]
    fn what_is_not_read_fails_instead_of_being_unmodified() {
        let (etag, now, at) = ("\"tag\"", CHANGED + 100, &http_date(CHANGED));
        let tagged = [("If-None-Match", "*")];
        check_as(Method::Head, etag, now, &tagged, Verdict::NotModified);
        check_as(Method::Other, etag, now, &tagged, Verdict::Failed);
        check_as(Method::Other, etag, now, &[("If-Modified-Since", at)], GO);
    }

    #[test]
    fn weak_validators_carry_no_range() {
        let (weak, now, at) = ("W/\"tag\"", CHANGED + 100, &http_date(CHANGED));
        check_as(Method::Get, weak, now, &[("If-Range", weak)], WHOLE);
        check_as(
            Method::Get,
            weak,
            now,
            &[("If-Match", weak)],
            Verdict::Failed,
        );
        check_as(
            Method::Get,
            weak,
            now,
            &[("If-None-Match", "\"tag\"")],
            Verdict::NotModified,
        );
        // The very second of the change: a second change could still hide in it.
        check_as(Method::Get, "\"tag\"", CHANGED, &[("If-Range", at)], WHOLE);
        check_as(Method::Get, "\"tag\"", CHANGED + 1, &[("If-Range", at)], GO);
    }
}
