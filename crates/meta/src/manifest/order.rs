//! The order of a manifest's entries, checked one at a time: each path once, in the
//! order of a walk, behind the directory that it lies in.

use super::path::{EntryPath, compare};

/// The paths that have been.
#[derive(Debug, Default)]
pub struct Order {
    /// The last path; empty when there was none.
    last: String,
    /// Of the last path, the lengths of those of its prefixes that are directories, itself
    /// included.
    directories: Vec<usize>,
}

/// A path at the wrong place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// It was there already, or belongs before one that was.
    #[error("{path} stands behind {last}, and belongs before it")]
    Behind {
        /// The path.
        path: EntryPath,
        /// The one before it.
        last: String,
    },
    /// It was there already.
    #[error("{0} stands there twice")]
    Twice(EntryPath),
    /// The folder itself, which is no directory.
    #[error("the folder itself is a directory, and this is none")]
    Root,
    /// What holds it was not there, or is no directory.
    #[error("{0} does not stand behind an entry of its directory")]
    NoDirectory(EntryPath),
}

impl Order {
    /// Takes the next path, and whether it is a directory.
    ///
    /// # Errors
    /// [`OrderError`]; then it is as if it had not been.
    pub fn next(&mut self, path: &EntryPath, is_directory: bool) -> Result<(), OrderError> {
        if !self.last.is_empty() && compare(path.as_str(), &self.last).is_le() {
            return Err(self.out_of_order(path));
        }
        if path.is_root() && !is_directory {
            return Err(OrderError::Root);
        }
        let above = match path.parent() {
            Some(parent) => self.find(parent),
            None => Some(0),
        };
        let above = above.ok_or_else(|| OrderError::NoDirectory(path.clone()))?;
        self.directories.truncate(above);
        if is_directory && !path.is_root() {
            self.directories.push(path.as_str().len());
        }
        self.last.clear();
        self.last.push_str(path.as_str());
        Ok(())
    }

    #[cold]
    fn out_of_order(&self, path: &EntryPath) -> OrderError {
        let path = path.clone();
        match path.as_str() == self.last {
            true => OrderError::Twice(path),
            false => OrderError::Behind {
                path,
                last: self.last.clone(),
            },
        }
    }

    /// How many directories are around what lies in `parent`, if it is one of the last
    /// path's.
    fn find(&self, parent: &str) -> Option<usize> {
        let at = self.directories.binary_search(&parent.len()).ok()?;
        self.last.starts_with(parent).then_some(at + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory's path ends in `/` here.
    #[track_caller]
    fn check(paths: &[&str], expected: Result<(), &str>) {
        let mut order = Order::default();
        let found = paths.iter().try_for_each(|text| {
            let path = EntryPath::new(text.strip_suffix('/').unwrap_or(text)).unwrap();
            order.next(&path, text.ends_with('/'))
        });
        let found = found.map_err(|error| error.to_string());
        assert_eq!(found, expected.map_err(str::to_owned));
    }

    #[test]
    fn orders() {
        check(&[], Ok(()));
        check(
            &["./", "a/", "a/b/", "a/b/c", "a/d", "a-b", "e/", "e/f"],
            Ok(()),
        );
        check(&["a", "a"], Err("a stands there twice"));
        check(
            &["."],
            Err("the folder itself is a directory, and this is none"),
        );
        check(&["b", "a"], Err("a stands behind b, and belongs before it"));
        check(
            &["a", "./"],
            Err(". stands behind a, and belongs before it"),
        );
        for paths in [
            &["a/b"][..],
            &["a", "a/b"],
            &["a/", "a/b", "a/b/c"],
            &["a/", "a/b/", "c/", "c/b/d"],
            &["ab/", "ac/d"],
            &["ab/", "ab/c/", "ac/", "ad/c/e"],
        ] {
            let last = paths.last().unwrap();
            let expected = format!("{last} does not stand behind an entry of its directory");
            check(paths, Err(&expected));
        }
    }
}
