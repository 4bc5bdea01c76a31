//! `atoll meta diff`: two documents, manifests or directories side by side.

use super::entries::{Entries, of_any, pulled};
use super::input::Input;
use super::told::{Change, Teller, say_left_out, standing};
use anyhow::{Context, Result, ensure};
use meta::Record;
use meta::manifest::{Aspects, Entry, Pair, differences, join};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use sync::inventory::{Tree, Walked, take};
use sync::progress::Progress;

/// Prints `- path` for what A alone has, `+ path` for what B alone has, and in what the
/// others differ. What one of them does not say is not compared. Exits with 1 when they
/// differ
#[derive(clap::Args)]
pub struct Arguments {
    /// A document as a text or in the binary form, or a directory
    a: PathBuf,
    /// Another one
    b: PathBuf,
    /// Compare versions and sync states too
    #[arg(long)]
    versions: bool,
    /// Print one JSON object for each path that differs
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let progress = Arc::new(Progress::new(false));
    let left_out = Arc::new(AtomicU64::new(0));
    let side = |path: &Path| side(path, &progress, &left_out);
    let pairs = join(side(&arguments.a)?, side(&arguments.b)?);
    let teller = Teller {
        as_json: arguments.json,
        progress: &progress,
    };
    let mut differing = 0_u64;
    for pair in pairs {
        differing += u64::from(differs(&teller, pair?, arguments.versions)?);
    }
    progress.end();
    let left_out = left_out.load(Ordering::Relaxed);
    ensure!(
        left_out == 0,
        "{left_out} could not be read, {differing} differ"
    );
    ensure!(differing == 0, "{differing} differ");
    Ok(())
}

/// Tells whether a pair differs, and in what.
fn differs(teller: &Teller<'_>, pair: Pair<Entry, Entry>, versions: bool) -> Result<bool> {
    match pair {
        Pair::Left(entry) => teller.missing(&entry.path)?,
        Pair::Right(entry) => teller.extra(&entry.path)?,
        Pair::Both(one, other) => {
            let changes = changes(&one.record, &other.record, versions);
            if changes.is_empty() {
                return Ok(false);
            }
            teller.changed(&one.path, &changes)?;
        }
    }
    Ok(true)
}

fn changes(one: &Record, other: &Record, versions: bool) -> Vec<Change> {
    let aspects = differences(one, other, Aspects::ALL).into_iter();
    let mut changes: Vec<_> = aspects.map(Change::from).collect();
    if versions {
        changes.extend(standing(one, other));
    }
    changes
}

fn side(path: &Path, progress: &Arc<Progress>, left_out: &Arc<AtomicU64>) -> Result<Entries> {
    if !path.is_dir() {
        return of_any(Input::open(path)?);
    }
    let tree = Tree::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let (progress, left_out) = (Arc::clone(progress), Arc::clone(left_out));
    let entries = pulled(move |sender| {
        // It ends early when nobody takes any more.
        let _ = take(&tree, true, &*progress, |walked| match walked {
            Walked::Entry(met) => {
                let (path, record) = (met.path, met.record);
                sender.send(Ok(Entry { path, record })).map_err(drop)
            }
            Walked::LeftOut(entry) => {
                left_out.fetch_add(1, Ordering::Relaxed);
                say_left_out(&progress, &entry);
                Ok(())
            }
        });
    })?;
    Ok(Box::new(entries.into_iter()))
}
