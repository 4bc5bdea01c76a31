//! Content negotiation: which coding of a file (RFC 9110 section 12.5.3), and
//! whether a listing is wanted as a page or as JSON (section 12.5.1).

/// How the bytes of a representation are coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Coding {
    /// As they are.
    Identity,
    /// gzip, in a file beside the original that ends in `.gz`.
    Gzip,
    /// Brotli, `.br`.
    Brotli,
    /// Zstandard, `.zst`.
    Zstd,
}

impl Coding {
    /// Those that a file beside the original may hold.
    pub const SIDECARS: [Self; 3] = [Self::Zstd, Self::Brotli, Self::Gzip];

    /// Its name in `Content-Encoding`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }

    /// What is appended to the original's name; empty for the original.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Identity => "",
            Self::Gzip => ".gz",
            Self::Brotli => ".br",
            Self::Zstd => ".zst",
        }
    }

    fn is_named(self, name: &[u8]) -> bool {
        name.eq_ignore_ascii_case(self.name().as_bytes())
            || (self == Self::Gzip && name.eq_ignore_ascii_case(b"x-gzip"))
    }
}

/// How much a coding is wanted, in thousandths; 0 means not at all.
type Quality = u16;

/// The best wanted when nothing is said against it.
const FULL: Quality = 1000;

/// The index of the best of `offers`, each a coding and its size in bytes: the
/// most wanted, and of equals the smallest. `None` when none is acceptable.
///
/// Without the field only the original is sent: many clients that do not send
/// it cannot decode.
pub fn choose_coding(
    accept_encoding: Option<&[u8]>,
    offers: impl IntoIterator<Item = (Coding, u64)>,
) -> Option<usize> {
    let mut best: Option<(Quality, u64, usize)> = None;
    for (index, (coding, size)) in offers.into_iter().enumerate() {
        let quality = quality_of(accept_encoding, coding);
        let better = best.is_none_or(|(most, smallest, _)| {
            quality > most || (quality == most && size < smallest)
        });
        if quality > 0 && better {
            best = Some((quality, size, index));
        }
    }
    best.map(|(_, _, index)| index)
}

/// Whether `accept` wants JSON more than a page.
pub fn prefers_json(accept: Option<&[u8]>) -> bool {
    let Some(accept) = accept else { return false };
    let quality = |kind: &[u8], group: &[u8]| {
        let exact = listed(accept, |name| name.eq_ignore_ascii_case(kind));
        let group = || listed(accept, |name| name.eq_ignore_ascii_case(group));
        let any = || listed(accept, |name| name == b"*/*");
        exact.or_else(group).or_else(any).unwrap_or(0)
    };
    quality(b"application/json", b"application/*") > quality(b"text/html", b"text/*")
}

fn quality_of(accept_encoding: Option<&[u8]>, coding: Coding) -> Quality {
    let is_original = coding == Coding::Identity;
    let Some(list) = accept_encoding else {
        return if is_original { FULL } else { 0 };
    };
    let named = listed(list, |name| coding.is_named(name));
    let any = listed(list, |name| name == b"*");
    match (named, any) {
        (Some(quality), _) | (None, Some(quality)) => quality,
        // Acceptable unless excluded, but wanted least of all.
        (None, None) if is_original => 1,
        (None, None) => 0,
    }
}

/// The quality of the first member of a list that `is_it`.
fn listed(list: &[u8], is_it: impl Fn(&[u8]) -> bool) -> Option<Quality> {
    list.split(|byte| *byte == b',').find_map(|member| {
        let mut parts = member.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
        let name = parts.next()?;
        is_it(name).then(|| parts.find_map(weight).unwrap_or(FULL))
    })
}

/// ```text
/// weight = OWS ";" OWS "q=" qvalue      ; 0 to 1, at most three decimals
/// ```
/// A weight that is none counts as 0: better an unwanted original than bytes
/// that the client cannot read.
fn weight(parameter: &[u8]) -> Option<Quality> {
    let [b'q' | b'Q', b'=', value @ ..] = parameter else {
        return None;
    };
    let (whole, decimals) = match value {
        [whole, b'.', decimals @ ..] if decimals.len() <= 3 => (*whole, decimals),
        [whole] => (*whole, &[][..]),
        _ => return Some(0),
    };
    if !matches!(whole, b'0' | b'1') || !decimals.iter().all(u8::is_ascii_digit) {
        return Some(0);
    }
    let mut quality = Quality::from(whole - b'0') * FULL;
    let mut unit = FULL / 10;
    for digit in decimals {
        quality += Quality::from(digit - b'0') * unit;
        unit /= 10;
    }
    Some(quality.min(FULL))
}

#[cfg(test)]
mod tests {
    use super::{Coding, choose_coding, prefers_json};

    #[test]
    fn the_best_coding_is_chosen() {
        use Coding::{Brotli, Gzip, Identity, Zstd};
        let offers = [(Identity, 1000), (Zstd, 300), (Brotli, 250), (Gzip, 350)];
        let check = |accept: Option<&str>, expected: Option<Coding>| {
            let chosen = choose_coding(accept.map(str::as_bytes), offers);
            assert_eq!(chosen.map(|index| offers[index].0), expected, "{accept:?}");
        };
        check(None, Some(Identity));
        check(Some(""), Some(Identity));
        check(Some("gzip, deflate, br, zstd"), Some(Brotli));
        check(Some("gzip, zstd"), Some(Zstd));
        check(Some("GZip"), Some(Gzip));
        check(Some("x-gzip"), Some(Gzip));
        check(Some("br;q=0.5, gzip;q=0.8"), Some(Gzip));
        check(Some("br;q=0, *"), Some(Zstd));
        check(Some("identity, br;q=0.9"), Some(Identity));
        check(Some("*;q=0"), None);
        check(Some("identity;q=0"), None);
        check(Some("gzip;q=0.001, identity;q=0"), Some(Gzip));
        check(Some("br;q=nonsense"), Some(Identity));
        check(Some("br ; q=1.000"), Some(Brotli));
        check(Some("br;q=1.9"), Some(Brotli));
        check(Some("br;q=0.0000"), Some(Identity));
        check(Some("deflate"), Some(Identity));
    }

    #[test]
    fn json_must_be_asked_for() {
        let check = |accept: Option<&str>, expected| {
            assert_eq!(
                prefers_json(accept.map(str::as_bytes)),
                expected,
                "{accept:?}"
            );
        };
        check(None, false);
        check(Some("*/*"), false);
        check(Some("application/json"), true);
        check(Some("text/html,application/xhtml+xml,*/*;q=0.8"), false);
        check(Some("application/json;q=0.5, text/html"), false);
        check(Some("application/json, */*;q=0.1"), true);
    }
}
