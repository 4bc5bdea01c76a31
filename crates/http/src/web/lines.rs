//! Where a configuration file names what: so that what is wrong with a file or a
//! directory, which shows only when it is looked for, is told with its line.

use crate::yaml::Wrong;
use serde_saphyr::Spanned;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::{Path, PathBuf};

/// See the module; a configuration that is in no file has none.
#[derive(Debug, Clone, Default)]
pub struct Lines(BTreeMap<PathBuf, u64>);

impl Lines {
    /// The path that `named` stands for beneath `folder`; of one that is named several
    /// times, the first line is kept.
    pub(super) fn note(&mut self, folder: &Path, named: &Spanned<PathBuf>) -> PathBuf {
        let path = folder.join(&named.value);
        let line = named.referenced.line();
        self.0.entry(path.clone()).or_insert(line);
        path
    }

    /// The same for a page of a site, which begins with a slash.
    pub(super) fn note_page(&mut self, directory: &Path, page: &Spanned<String>) {
        let path = beneath(directory, &page.value);
        self.0.entry(path).or_insert(page.referenced.line());
    }

    /// What is wrong with `path` for `reason`, if it is named anywhere.
    pub(super) fn wrong(&self, path: &Path, reason: impl Display) -> Option<Wrong> {
        let line = *self.0.get(path)?;
        let reason = reason.to_string();
        Some(Wrong { line, reason })
    }
}

/// Where the page `page` of the site `directory` lies.
pub(super) fn beneath(directory: &Path, page: &str) -> PathBuf {
    directory.join(page.trim_start_matches('/'))
}
