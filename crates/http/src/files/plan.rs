//! From a request and the codings of a file to the answer: no I/O, no clock.
//!
//! Four questions in this order: is the method one that files know, which
//! coding is chosen, what do the conditions say, which bytes are wanted.

use super::answer::{Answer, Body, Part, push_field};
use super::conditions::{Verdict, evaluate};
use super::negotiate::{Coding, choose_coding};
use super::range::{Selection, Span, select};
use super::representation::{Representation, Variants};
use super::request::{Method, Wanted};
use bytes::Bytes;
use http::StatusCode;

/// What files may be asked, as `Allow` says it.
const ALLOWED: &[u8] = b"GET, HEAD, OPTIONS";

/// The answer for a file. `now` is in seconds since the epoch; `boundary`
/// separates parts, and should not be known to who wrote the file.
pub fn plan(
    method: Method,
    variants: &Variants,
    wanted: &Wanted<'_>,
    now: i64,
    boundary: u64,
) -> Answer {
    if let Some(answer) = answer_by_method(method) {
        return answer;
    }
    let answer = match choose(variants, wanted) {
        Some(chosen) => match evaluate(method, wanted, chosen.validators(), now) {
            Verdict::NotModified => not_modified(chosen),
            Verdict::Failed => Answer::plain(StatusCode::PRECONDITION_FAILED, &[]),
            // Section 14.2: a range counts for GET alone.
            Verdict::Proceed { range_counts } => match wanted.range {
                Some(range) if range_counts && chosen.has_ranges() && method == Method::Get => {
                    ranged(chosen, &variants.content_type, range, boundary)
                }
                _ => whole(StatusCode::OK, chosen),
            },
        },
        None => Answer::plain(StatusCode::NOT_ACCEPTABLE, &[("vary", b"Accept-Encoding")]),
    };
    match method {
        Method::Head => answer.without_body(),
        _ => answer,
    }
}

/// The answer for a file whatever the request's conditions are: an error page.
pub(super) fn plan_unconditional(status: StatusCode, page: &Variants) -> Answer {
    whole(status, &page.offers[0])
}

/// The answer that needs no file: OPTIONS says what may be done, and what may
/// not be done is 405.
pub(super) fn answer_by_method(method: Method) -> Option<Answer> {
    match method {
        Method::Get | Method::Head => None,
        Method::Options => {
            let mut lines = Vec::new();
            push_field(&mut lines, "allow", ALLOWED);
            Some(Answer::new(StatusCode::NO_CONTENT, lines, Body::Empty))
        }
        Method::Other => {
            let allow: [(&str, &[u8]); 1] = [("allow", ALLOWED)];
            Some(Answer::plain(StatusCode::METHOD_NOT_ALLOWED, &allow))
        }
    }
}

fn choose<'a>(variants: &'a Variants, wanted: &Wanted<'_>) -> Option<&'a Representation> {
    let offers = &variants.offers;
    // Nearly all requests: without a weight nothing is excluded.
    if let [only] = offers.as_slice()
        && only.coding() == Coding::Identity
        && !wanted.accept_encoding.unwrap_or_default().contains(&b';')
    {
        return Some(only);
    }
    let sizes = offers.iter().map(|offer| (offer.coding(), offer.size()));
    choose_coding(wanted.accept_encoding, sizes).map(|index| &offers[index])
}

fn whole(status: StatusCode, chosen: &Representation) -> Answer {
    Answer::new(status, chosen.all_lines(), chosen.whole())
}

fn not_modified(chosen: &Representation) -> Answer {
    Answer::new(
        StatusCode::NOT_MODIFIED,
        chosen.validator_lines(),
        Body::Empty,
    )
}

fn ranged(chosen: &Representation, content_type: &str, range: &[u8], boundary: u64) -> Answer {
    match select(range, chosen.size()) {
        Selection::Whole => whole(StatusCode::OK, chosen),
        Selection::One(span) => one_range(chosen, span),
        // A multipart has no coding of its own in which the parts could be; the
        // original would be other bytes than those the client has part of.
        Selection::Several(_) if chosen.coding() != Coding::Identity => {
            whole(StatusCode::OK, chosen)
        }
        Selection::Several(spans) => several_ranges(chosen, content_type, &spans, boundary),
        Selection::Unsatisfiable => {
            let range = format!("bytes */{}", chosen.size());
            let extra: [(&str, &[u8]); 1] = [("content-range", range.as_bytes())];
            Answer::plain(StatusCode::RANGE_NOT_SATISFIABLE, &extra)
        }
    }
}

fn one_range(chosen: &Representation, span: Span) -> Answer {
    let mut lines = chosen.all_lines().to_vec();
    let range = content_range(span, chosen);
    push_field(&mut lines, "content-range", range.as_bytes());
    let body = match chosen.part(span) {
        Part::Bytes(bytes) => Body::Bytes(bytes),
        Part::File(range) => Body::File(range),
    };
    Answer::new(StatusCode::PARTIAL_CONTENT, lines, body)
}

/// RFC 9110 section 14.6: each part says which bytes it is.
fn several_ranges(
    chosen: &Representation,
    content_type: &str,
    spans: &[Span],
    boundary: u64,
) -> Answer {
    let mut parts = Vec::with_capacity(spans.len() * 2 + 1);
    for (index, span) in spans.iter().enumerate() {
        let line_end = if index == 0 { "" } else { "\r\n" };
        let head = format!(
            "{line_end}--{boundary:016x}\r\ncontent-type: {content_type}\r\ncontent-range: {}\r\n\r\n",
            content_range(*span, chosen)
        );
        parts.push(Part::Bytes(Bytes::from(head)));
        parts.push(chosen.part(*span));
    }
    parts.push(Part::Bytes(Bytes::from(format!(
        "\r\n--{boundary:016x}--\r\n"
    ))));
    let mut lines = chosen.lines_of_parts().to_vec();
    let content_type = format!("multipart/byteranges; boundary={boundary:016x}");
    push_field(&mut lines, "content-type", content_type.as_bytes());
    Answer::new(StatusCode::PARTIAL_CONTENT, lines, Body::Parts(parts))
}

fn content_range(span: Span, of: &Representation) -> String {
    format!("bytes {}-{}/{}", span.offset, span.end() - 1, of.size())
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
