//! Which known word was meant by one that is not known.

use std::array;

/// Longest word, in bytes, that is compared: it bounds the work, and nobody
/// mistypes a longer one so that it is recognised.
const WORD_BYTES: usize = 64;

/// Slips up to which a word is taken for another, and the bytes that a word needs
/// for each: of three letters, one may be wrong.
const SLIPS: usize = 2;
const BYTES_PER_SLIP: usize = 3;

/// The known word that is nearest, if it is near.
pub(super) fn nearest<'k>(word: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let slips = (word.len() / BYTES_PER_SLIP).min(SLIPS);
    let distances = known.filter_map(|known| Some((distance(word, known)?, known)));
    let (distance, known) = distances.min_by_key(|(distance, _)| *distance)?;
    (distance <= slips).then_some(known)
}

/// How many bytes are to be inserted, left out, replaced, or exchanged with their
/// neighbour to come from one word to the other (optimal string alignment); `None`
/// for words whose lengths tell that it is too many, or that are too long.
fn distance(a: &str, b: &str) -> Option<usize> {
    if a.len().max(b.len()) > WORD_BYTES || a.len().abs_diff(b.len()) > SLIPS {
        return None;
    }
    let (a, b) = (a.as_bytes(), b.as_bytes());
    // Distances of the first `i` bytes of `a` to the first `j` of `b`, in rows for
    // the last three `i`.
    let mut before = [0; WORD_BYTES + 1];
    let mut last: [usize; WORD_BYTES + 1] = array::from_fn(|j| j);
    for i in 1..=a.len() {
        let mut row = [i; WORD_BYTES + 1];
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        (before, last) = (last, row);
    }
    Some(last[b.len()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        let known = ["name", "version", "size", "mtime"];
        let long = "v".repeat(WORD_BYTES + 1);
        for (word, expected) in [
            ("vresion", Some("version")),
            ("versions", Some("version")),
            ("Version", Some("version")),
            ("nam", Some("name")),
            ("sizes", Some("size")),
            ("time", Some("mtime")),
            ("si", None),
            ("", None),
            ("hash", None),
            (&long, None),
        ] {
            assert_eq!(nearest(word, known.into_iter()), expected, "{word}");
        }
    }
}
