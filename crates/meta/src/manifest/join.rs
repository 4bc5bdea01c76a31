//! Two ordered sequences side by side, path by path: a merge join, which holds one of
//! each.

use super::Entry;
use super::path::EntryPath;
use std::cmp::Ordering;
use std::iter::Peekable;

/// What has a place in a folder.
pub trait Placed {
    /// Where it stands.
    fn path(&self) -> &EntryPath;
}

/// What stands at one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pair<L, R> {
    /// Nothing on the right.
    Left(L),
    /// Nothing on the left.
    Right(R),
    /// Something on both sides.
    Both(L, R),
}

impl Placed for Entry {
    fn path(&self) -> &EntryPath {
        &self.path
    }
}

/// Lays two sequences side by side, each of which is in order. An error of either comes
/// at its place, and whoever gets one asks no further.
pub fn join<L: Placed, R: Placed, E>(
    left: impl IntoIterator<Item = Result<L, E>>,
    right: impl IntoIterator<Item = Result<R, E>>,
) -> impl Iterator<Item = Result<Pair<L, R>, E>> {
    let mut left = left.into_iter().peekable();
    let mut right = right.into_iter().peekable();
    std::iter::from_fn(move || {
        let take_left = match (left.peek(), right.peek()) {
            (None, None) => return None,
            (Some(Ok(one)), Some(Ok(other))) => one.path().cmp(other.path()),
            (None, Some(_)) | (Some(Ok(_)), Some(Err(_))) => Ordering::Greater,
            (Some(_), None) | (Some(Err(_)), Some(_)) => Ordering::Less,
        };
        next(take_left, &mut left, &mut right).transpose()
    })
}

/// The side that comes first, or both.
fn next<L, R, E>(
    order: Ordering,
    left: &mut Peekable<impl Iterator<Item = Result<L, E>>>,
    right: &mut Peekable<impl Iterator<Item = Result<R, E>>>,
) -> Result<Option<Pair<L, R>>, E> {
    let one = match order {
        Ordering::Greater => None,
        Ordering::Less | Ordering::Equal => left.next().transpose()?,
    };
    let other = match order {
        Ordering::Less => None,
        Ordering::Greater | Ordering::Equal => right.next().transpose()?,
    };
    Ok(match (one, other) {
        (Some(one), Some(other)) => Some(Pair::Both(one, other)),
        (Some(one), None) => Some(Pair::Left(one)),
        (None, Some(other)) => Some(Pair::Right(other)),
        (None, None) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Placed for EntryPath {
        fn path(&self) -> &EntryPath {
            self
        }
    }

    fn paths(text: &str) -> Vec<Result<EntryPath, String>> {
        let words = text.split_whitespace();
        words
            .map(|word| match word.strip_prefix('!') {
                Some(error) => Err(error.to_owned()),
                None => Ok(word.parse().unwrap()),
            })
            .collect()
    }

    #[track_caller]
    fn check(left: &str, right: &str, expected: &[&str]) {
        let pairs = join(paths(left), paths(right)).map(|pair| match pair {
            Ok(Pair::Left(path)) => format!("-{path}"),
            Ok(Pair::Right(path)) => format!("+{path}"),
            Ok(Pair::Both(one, other)) => format!("{one}={other}"),
            Err(error) => format!("!{error}"),
        });
        assert_eq!(pairs.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn joins() {
        check("", "", &[]);
        check("a b", "", &["-a", "-b"]);
        check("", "a", &["+a"]);
        check("a b/c d", "a b/c e", &["a=a", "b/c=b/c", "-d", "+e"]);
        check("a/b a-b", "a/c a-b", &["-a/b", "+a/c", "a-b=a-b"]);
        check("a !x", "b", &["-a", "!x", "+b"]);
        check("b", "a !y", &["+a", "!y", "-b"]);
    }
}
