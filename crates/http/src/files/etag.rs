//! Entity tags (RFC 9110 section 8.8.3): made from a file's facts, and compared.
//!
//! A tag names size, modification time, and a mix of inode and change time.
//! Modification times alone are not enough: builds that strip them to a fixed
//! date would be answered 304 for ever, whatever they contain. The inode and
//! the change time, which no deployment tool can set, tell such files apart.
//! They are mixed so that the tag does not disclose inode numbers.

use super::facts::Facts;
use super::negotiate::Coding;

/// The tag of one representation, quotes included; weak if said so.
///
/// Each content coding has its own tag, because a strong tag promises equal
/// bytes (section 8.8.3.3).
pub fn entity_tag(facts: &Facts, coding: Coding, is_weak: bool) -> String {
    let weak = if is_weak { "W/" } else { "" };
    let place = mix(
        mix(facts.device, facts.inode),
        facts.changed.nanoseconds() as u64,
    );
    let suffix = match coding {
        Coding::Identity => "",
        Coding::Gzip => "-gz",
        Coding::Brotli => "-br",
        Coding::Zstd => "-zst",
    };
    format!(
        "{weak}\"{:x}-{:x}-{place:x}{suffix}\"",
        facts.size,
        facts.modified.nanoseconds() as u64
    )
}

/// Strong comparison: both strong, and the same (section 8.8.3.2).
pub fn strong_match(one: &[u8], other: &[u8]) -> bool {
    !is_weak(one) && one == other
}

/// Weak comparison: the same but for the mark of weakness.
pub fn weak_match(one: &[u8], other: &[u8]) -> bool {
    opaque(one) == opaque(other)
}

/// Whether the tag says of itself that equal tags may have unequal bytes.
pub fn is_weak(tag: &[u8]) -> bool {
    tag.starts_with(b"W/")
}

/// The tags of a comma-separated list, each with its quotes and mark; stops at
/// the first thing that is no tag.
pub fn tags(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = list;
    std::iter::from_fn(move || {
        while let [b' ' | b'\t' | b',', tail @ ..] = rest {
            rest = tail;
        }
        let (tag, tail) = split_tag(rest)?;
        rest = tail;
        Some(tag)
    })
}

/// The tag that `text` starts with, and what follows it.
///
/// ```text
/// entity-tag = [ "W/" ] DQUOTE *etagc DQUOTE     ; a comma may be an etagc
/// ```
fn split_tag(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let open = if is_weak(text) { 2 } else { 0 };
    if text.get(open) != Some(&b'"') {
        return None;
    }
    let length = text[open + 1..].iter().position(|byte| *byte == b'"')?;
    Some(text.split_at(open + 1 + length + 1))
}

fn opaque(tag: &[u8]) -> &[u8] {
    tag.strip_prefix(b"W/").unwrap_or(tag)
}

/// The finaliser of SplitMix64: every bit of the input moves half the output.
fn mix(seed: u64, value: u64) -> u64 {
    let mut mixed = seed
        .rotate_left(17)
        .wrapping_add(value)
        .wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::{entity_tag, strong_match, tags, weak_match};
    use crate::files::facts::{Facts, Time};
    use crate::files::negotiate::Coding;

    #[test]
    fn comparison_follows_the_table_of_the_rfc() {
        // (one, other, strong, weak): RFC 9110 section 8.8.3.2, table 3.
        for (one, other, strong, weak) in [
            ("W/\"1\"", "W/\"1\"", false, true),
            ("W/\"1\"", "W/\"2\"", false, false),
            ("W/\"1\"", "\"1\"", false, true),
            ("\"1\"", "\"1\"", true, true),
        ] {
            assert_eq!(strong_match(one.as_bytes(), other.as_bytes()), strong);
            assert_eq!(weak_match(one.as_bytes(), other.as_bytes()), weak);
        }
    }

    #[test]
    fn lists_are_split_at_tags_not_at_commas() {
        let check = |list: &str, expected: &[&str]| {
            let found: Vec<_> = tags(list.as_bytes()).collect();
            let expected: Vec<_> = expected.iter().map(|tag| tag.as_bytes()).collect();
            assert_eq!(found, expected, "{list}");
        };
        check("\"a\"", &["\"a\""]);
        check(" , \"a,b\" ,W/\"c\"\t", &["\"a,b\"", "W/\"c\""]);
        check("\"a\", nonsense, \"b\"", &["\"a\""]);
        check("\"open", &[]);
        check("w/\"a\"", &[]);
        check("", &[]);
    }

    #[test]
    fn every_fact_and_coding_changes_the_tag() {
        let facts = Facts {
            size: 10,
            modified: Time::new(1, 0),
            changed: Time::new(2, 0),
            inode: 3,
            device: 4,
        };
        let mut seen = vec![entity_tag(&facts, Coding::Identity, false)];
        for other in [
            Facts { size: 11, ..facts },
            Facts {
                modified: Time::new(1, 1),
                ..facts
            },
            Facts {
                changed: Time::new(2, 1),
                ..facts
            },
            Facts { inode: 4, ..facts },
            Facts { device: 5, ..facts },
        ] {
            seen.push(entity_tag(&other, Coding::Identity, false));
        }
        for coding in [Coding::Gzip, Coding::Brotli, Coding::Zstd] {
            seen.push(entity_tag(&facts, coding, false));
        }
        seen.push(entity_tag(&facts, Coding::Identity, true));
        let count = seen.len();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), count, "two of these are the same: {seen:?}");
    }
}
