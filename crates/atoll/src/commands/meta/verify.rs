//! `atoll meta verify`: a directory against its manifest.

use super::entries::of_manifest;
use super::input::Input;
use super::told::{Change, Teller};
use crate::output::complain;
use anyhow::{Context, Result, bail};
use meta::manifest::{Aspects, Header};
use std::path::{Path, PathBuf};
use sync::inventory::{Counts, Difference, Tree, verify};
use sync::progress::Progress;

/// What the manifest does not say of an entry is not compared. Exits with 1 when anything
/// differs or cannot be read
#[derive(clap::Args)]
pub struct Arguments {
    /// A manifest, as a text or in the binary form; `-` is the standard input
    file: PathBuf,
    /// The directory
    dir: PathBuf,
    /// Compare kinds, contents and targets of links; no modes, times and attributes
    #[arg(long)]
    content: bool,
    /// Print one JSON object for each path that differs
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let dir = &arguments.dir;
    let listed = of_manifest(Input::open(&arguments.file)?)?;
    let tree = open_beside(dir, &listed.header)?;
    let aspects = if arguments.content {
        Aspects::CONTENT
    } else {
        Aspects::ALL
    };
    let progress = Progress::new(false);
    let teller = Teller {
        as_json: arguments.json,
        progress: &progress,
    };
    let counts = verify(listed.entries, &tree, aspects, &progress, |difference| {
        tell(&teller, difference)
    })?;
    progress.end();
    let words = words(&counts);
    if !counts.is_same() {
        bail!("{words}");
    }
    complain(format_args!("{words}"));
    Ok(())
}

/// A directory that is laid beside a manifest: its corner is none of what is compared if
/// that manifest is one of a synced folder, whatever stands in the directory.
pub fn open_beside(dir: &Path, header: &Header) -> Result<Tree> {
    let tree = Tree::open(dir).with_context(|| format!("cannot open {}", dir.display()))?;
    Ok(match header.space {
        Some(_) => tree.without_corner(),
        None => tree,
    })
}

fn tell(teller: &Teller<'_>, difference: Difference) -> Result<()> {
    match difference {
        Difference::Missing(path) => teller.missing(&path),
        Difference::Extra(path) => teller.extra(&path),
        Difference::Unread(left_out) => teller.unread(&left_out),
        Difference::Changed { path, aspects } => {
            let changes: Vec<_> = aspects.into_iter().map(Change::from).collect();
            teller.changed(&path, &changes)
        }
    }
}

fn words(counts: &Counts) -> String {
    let Counts {
        same,
        missing,
        extra,
        changed,
        unread,
        unhashed,
    } = counts;
    let mut words = format!(
        "{same} the same, {changed} changed, {missing} missing, {extra} extra, {unread} unread"
    );
    // Equal as far as was looked.
    if *unhashed > 0 {
        words.push_str(&format!(", {unhashed} without a hash"));
    }
    words
}
