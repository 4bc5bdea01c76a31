//! Which of several forms an answer has: the one that the client's `Accept` likes best
//! (RFC 9110, section 12.5.1). What the forms are is the address's concern.

use http::{HeaderMap, header};

/// A weight in thousandths; 0 is "not this".
type Weight = u16;

/// The liking of a client that says nothing else.
const WHOLE: Weight = 1000;

/// A media range and how it is liked.
struct Range<'a> {
    main: &'a str,
    sub: &'a str,
    weight: Weight,
}

/// The place among `offers`, media types without parameters, of the one that `headers`
/// like best; the first of several that are liked the same. `None` when none will do.
pub fn choose(headers: &HeaderMap, offers: &[&str]) -> Option<usize> {
    let fields = headers.get_all(header::ACCEPT).iter();
    let fields: Vec<&str> = fields.filter_map(|field| field.to_str().ok()).collect();
    if fields.iter().all(|field| field.trim().is_empty()) {
        return Some(0);
    }
    let members = fields.iter().flat_map(|field| split(field, ','));
    let ranges: Vec<Range<'_>> = members.filter_map(range).collect();
    let mut best = None;
    let mut most = 0;
    for (place, offer) in offers.iter().enumerate() {
        let weight = weight(&ranges, offer);
        if weight > most {
            (best, most) = (Some(place), weight);
        }
    }
    best
}

/// How a media type is liked: as the most specific range that it is in says.
fn weight(ranges: &[Range<'_>], offer: &str) -> Weight {
    let (main, sub) = offer.split_once('/').unwrap_or((offer, ""));
    let specificity = |range: &Range<'_>| match (range.main, range.sub) {
        ("*", "*") => Some(0),
        (of, "*") if of.eq_ignore_ascii_case(main) => Some(1),
        (of, exact) if of.eq_ignore_ascii_case(main) && exact.eq_ignore_ascii_case(sub) => Some(2),
        _ => None,
    };
    ranges
        .iter()
        .filter_map(|range| Some((specificity(range)?, range.weight)))
        .max()
        .map_or(0, |(_, weight)| weight)
}

/// One member of the list; `None` for what is no media range. Of its parameters only
/// the weight counts: every form here comes in one way.
fn range(member: &str) -> Option<Range<'_>> {
    let mut parts = split(member, ';').map(str::trim);
    let (main, sub) = parts.next()?.split_once('/')?;
    let mut weight = WHOLE;
    for part in parts {
        if let Some((name, value)) = part.split_once('=')
            && name.trim_end().eq_ignore_ascii_case("q")
        {
            weight = thousandths(value.trim_start())?;
        }
    }
    Some(Range { main, sub, weight })
}

/// `0` to `1`, with at most three decimals.
fn thousandths(text: &str) -> Option<Weight> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let valid = matches!(whole, "0" | "1")
        && decimals.len() <= 3
        && decimals.bytes().all(|byte| byte.is_ascii_digit());
    let number: Weight = format!("{whole}{decimals:0<3}").parse().ok()?;
    (valid && number <= WHOLE).then_some(number)
}

/// The parts between separators that stand outside quotes.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    text.split(move |character| {
        is_quoted ^= character == '"';
        character == separator && !is_quoted
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    const OFFERS: [&str; 3] = ["application/json", "text/x", "application/x"];

    fn check(fields: &[&str], expected: Option<usize>) {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(header::ACCEPT, HeaderValue::from_str(field).unwrap());
        }
        assert_eq!(choose(&headers, &OFFERS), expected, "{fields:?}");
    }

    #[test]
    fn the_best_liked_form_is_chosen() {
        for (field, expected) in [
            ("", Some(0)),
            ("*/*", Some(0)),
            ("text/x", Some(1)),
            ("Text/X; charset=utf-8", Some(1)),
            ("text/*", Some(1)),
            ("application/*", Some(0)),
            ("application/*;q=0.5, application/x", Some(2)),
            ("*/*, application/json;q=0", Some(1)),
            ("*/*;q=0.1, text/*;q=0.2, text/x;q=0.01", Some(0)),
            ("text/x;q=0.999, application/x;Q = 1.000", Some(2)),
            ("text/html, */*;q=0.8", Some(0)),
            ("application/x, text/x", Some(1)),
            ("text/html", None),
            ("text/x;q=0", None),
            ("*/*;q=0", None),
            ("text/x;q=2", None),
            ("text/x;q=0.0001", None),
            ("text/x;q=-1", None),
            ("text/x;q=", None),
            ("text", None),
            ("*/x", None),
            ("a/b;c=\",text/x,\"", None),
            ("a/b;c=\";q=0\", text/x;d=\";q=0\"", Some(1)),
        ] {
            check(&[field], expected);
        }
        check(&[], Some(0));
        check(&["text/html", "application/x;q=0.3"], Some(2));
    }
}
