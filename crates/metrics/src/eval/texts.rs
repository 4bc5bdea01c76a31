//! Different texts that are gathered from many places, such as the values of a label: the
//! first of them by their order, in bounded memory.
//!
//! Whoever finds texts only puts them in; whoever asked for them looks afterwards whether
//! they are all.

use std::collections::BTreeSet;

/// Memory for a text beside its bytes, about: its place in a tree that is two thirds full,
/// and what an allocation is rounded up by.
const TEXT_BYTES: usize = 64;

/// Texts, each once.
#[derive(Debug)]
pub struct Texts {
    found: BTreeSet<String>,
    /// How many are wanted.
    most: usize,
    /// The memory that they take, and may take.
    bytes: usize,
    most_bytes: usize,
    /// There are more than are wanted.
    are_cut: bool,
    /// They would take more memory.
    are_too_large: bool,
}

impl Texts {
    /// For the first `most` of those that are found, in so many bytes of memory.
    pub const fn new(most: usize, most_bytes: usize) -> Self {
        Self {
            found: BTreeSet::new(),
            most,
            bytes: 0,
            most_bytes,
            are_cut: false,
            are_too_large: false,
        }
    }

    /// For all that are found.
    pub const fn all() -> Self {
        Self::new(usize::MAX, usize::MAX)
    }

    /// Puts a text in, if it is wanted. Allocates only for what is new.
    pub fn insert(&mut self, text: &str) {
        if self.are_too_large || self.found.contains(text) {
            return;
        }
        if self.found.len() >= self.most {
            self.are_cut = true;
            if self.found.last().is_none_or(|last| **last < *text) {
                return;
            }
            let last = self.found.pop_last();
            self.bytes -= last.map_or(0, |last| TEXT_BYTES + last.len());
        }
        self.bytes += TEXT_BYTES + text.len();
        if self.bytes > self.most_bytes {
            self.are_too_large = true;
            self.found.clear();
        } else {
            self.found.insert(text.to_owned());
        }
    }

    /// Those that were found, by their order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.found.iter().map(String::as_str)
    }

    /// Whether more were found than were wanted.
    pub const fn are_cut(&self) -> bool {
        self.are_cut
    }

    /// Whether they would take more memory than they may; none is kept then.
    pub const fn are_too_large(&self) -> bool {
        self.are_too_large
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(most: usize, most_bytes: usize, expected: &[&str], cut: bool, too_large: bool) {
        let mut texts = Texts::new(most, most_bytes);
        for text in ["d", "b", "d", "a", "cc", "b"] {
            texts.insert(text);
        }
        assert_eq!(texts.iter().collect::<Vec<_>>(), expected);
        assert_eq!((texts.are_cut(), texts.are_too_large()), (cut, too_large));
    }

    #[test]
    fn the_first_texts_are_kept_in_bounded_memory() {
        let all = 4 * TEXT_BYTES + 5;
        check(9, usize::MAX, &["a", "b", "cc", "d"], false, false);
        check(4, all, &["a", "b", "cc", "d"], false, false);
        check(4, all - 1, &[], false, true);
        check(2, 2 * TEXT_BYTES + 2, &["a", "b"], true, false);
        check(0, 0, &[], true, false);
    }
}
