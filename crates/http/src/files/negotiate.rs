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
}

/// How much a coding is wanted, in thousandths; 0 means not at all.
type Quality = u16;

/// The best wanted when nothing is said against it.
const FULL: Quality = 1000;

/// What a client says of each coding.
#[derive(Debug, Clone, Copy, Default)]
struct Wishes {
    identity: Option<Quality>,
    gzip: Option<Quality>,
    brotli: Option<Quality>,
    zstd: Option<Quality>,
    /// `*`: of all that are not named.
    any: Option<Quality>,
}

/// The index of the best of `offers`, each a coding and its size in bytes: the
/// most wanted, and of equals the smallest. `None` when none is acceptable.
///
/// Without the field only the original is sent: many clients that do not send
/// it cannot decode.
pub fn choose_coding(
    accept_encoding: Option<&[u8]>,
    offers: impl IntoIterator<Item = (Coding, u64)>,
) -> Option<usize> {
    let wishes = Wishes::of(accept_encoding.unwrap_or(b"identity"));
    let mut best: Option<(Quality, u64, usize)> = None;
    for (index, (coding, size)) in offers.into_iter().enumerate() {
        let quality = wishes.quality(coding);
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

impl Wishes {
    /// Reads the list once; of a coding that is named twice the first counts.
    fn of(list: &[u8]) -> Self {
        let mut wishes = Self::default();
        for member in list.split(|byte| *byte == b',') {
            let semicolon = member.iter().position(|byte| *byte == b';');
            let (name, parameters) = member.split_at(semicolon.unwrap_or(member.len()));
            let place = match name.trim_ascii() {
                b"*" => &mut wishes.any,
                name if name.eq_ignore_ascii_case(b"gzip") => &mut wishes.gzip,
                name if name.eq_ignore_ascii_case(b"br") => &mut wishes.brotli,
                name if name.eq_ignore_ascii_case(b"zstd") => &mut wishes.zstd,
                name if name.eq_ignore_ascii_case(b"identity") => &mut wishes.identity,
                name if name.eq_ignore_ascii_case(b"x-gzip") => &mut wishes.gzip,
                _ => continue,
            };
            place.get_or_insert_with(|| quality(parameters));
        }
        wishes
    }

    fn quality(&self, coding: Coding) -> Quality {
        let (named, unnamed) = match coding {
            // Acceptable unless excluded, but wanted least of all.
            Coding::Identity => (self.identity, 1),
            Coding::Gzip => (self.gzip, 0),
            Coding::Brotli => (self.brotli, 0),
            Coding::Zstd => (self.zstd, 0),
        };
        named.or(self.any).unwrap_or(unnamed)
    }
}

/// The quality of the first member of a list that `is_it`.
fn listed(list: &[u8], is_it: impl Fn(&[u8]) -> bool) -> Option<Quality> {
    list.split(|byte| *byte == b',').find_map(|member| {
        let semicolon = member.iter().position(|byte| *byte == b';');
        let (name, parameters) = member.split_at(semicolon.unwrap_or(member.len()));
        is_it(name.trim_ascii()).then(|| quality(parameters))
    })
}

/// What the parameters of a member, each behind its `;`, say of its quality.
fn quality(parameters: &[u8]) -> Quality {
    if parameters.is_empty() {
        return FULL;
    }
    let mut parameters = parameters.split(|byte| *byte == b';');
    let weight = parameters.find_map(|parameter| weight(parameter.trim_ascii()));
    weight.unwrap_or(FULL)
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
