//! `atoll meta diff`: two documents, manifests or directories side by side.

use super::entries::{Listed, of_any, pulled};
use super::input::{Input, expect_one_standard};
use super::told::{Change, Teller, standing};
use super::verify::open_beside;
use anyhow::{Result, ensure};
use meta::Record;
use meta::manifest::{Aspects, Entry, EntryPath, Header, Pair, Placed, differences, join};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use sync::inventory::{LeftOut, Unread, Walked, beside, take};
use sync::progress::Progress;

/// Prints `- path` for what A alone has, `+ path` for what B alone has, and in what the
/// others differ. What one of them does not say is not compared. Exits with 1 when they
/// differ, or when something cannot be read
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
    let mut comparison = Comparison {
        teller: Teller {
            as_json: arguments.json,
            progress: &progress,
        },
        versions: arguments.versions,
        unread: Default::default(),
        left_out: 0,
        differing: 0,
    };
    let (a, b) = (&arguments.a, &arguments.b);
    expect_one_standard([a, b])?;
    match (a.is_dir(), b.is_dir()) {
        (false, false) => {
            for pair in join(document(a)?.entries, document(b)?.entries) {
                let (one, other) = halves(pair?);
                comparison.compare(one.map(Found::Entry), other.map(Found::Entry))?;
            }
        }
        (true, true) => {
            for pair in join(walked(a, &progress)?, walked(b, &progress)?) {
                let (one, other) = halves(pair?);
                comparison.compare(one.map(|it| it.found), other.map(|it| it.found))?;
            }
        }
        (false, true) => with_directory(document(a)?, b, &progress, |known, found| {
            comparison.compare(known, found)
        })?,
        (true, false) => with_directory(document(b)?, a, &progress, |known, found| {
            comparison.compare(found, known)
        })?,
    }
    progress.end();
    let Comparison {
        left_out,
        differing,
        ..
    } = comparison;
    ensure!(
        left_out == 0,
        "{left_out} could not be read, {differing} differ"
    );
    ensure!(differing == 0, "{differing} differ");
    Ok(())
}

/// What one side has at some place.
enum Found {
    Entry(Entry),
    LeftOut(LeftOut),
}

impl From<Walked> for Found {
    fn from(walked: Walked) -> Self {
        match walked {
            Walked::Entry(met) => Self::Entry(Entry {
                path: met.path,
                record: met.record,
            }),
            Walked::LeftOut(left_out) => Self::LeftOut(left_out),
        }
    }
}

/// What one of two directories has at some place.
struct Located {
    place: EntryPath,
    found: Found,
}

impl Placed for Located {
    fn path(&self) -> &EntryPath {
        &self.place
    }
}

struct Comparison<'p> {
    teller: Teller<'p>,
    versions: bool,
    /// What each side could not read.
    unread: [Unread; 2],
    left_out: u64,
    differing: u64,
}

impl Comparison<'_> {
    fn compare(&mut self, one: Option<Found>, other: Option<Found>) -> Result<()> {
        match (one, other) {
            (Some(Found::Entry(one)), Some(Found::Entry(other))) => self.both(&one, &other),
            (Some(Found::Entry(entry)), None) if !self.unread[1].covers(&entry.path) => {
                self.differing += 1;
                self.teller.missing(&entry.path)
            }
            (None, Some(Found::Entry(entry))) if !self.unread[0].covers(&entry.path) => {
                self.differing += 1;
                self.teller.extra(&entry.path)
            }
            // What one side could not read is neither there nor missing.
            sides => self.unread(sides.into()),
        }
    }

    fn both(&mut self, one: &Entry, other: &Entry) -> Result<()> {
        let changes = changes(&one.record, &other.record, self.versions);
        if changes.is_empty() {
            return Ok(());
        }
        self.differing += 1;
        self.teller.changed(&one.path, &changes)
    }

    fn unread(&mut self, sides: [Option<Found>; 2]) -> Result<()> {
        for (found, unread) in sides.into_iter().zip(&mut self.unread) {
            if let Some(Found::LeftOut(left_out)) = found {
                unread.note(&left_out);
                self.left_out += 1;
                self.teller.unread(&left_out)?;
            }
        }
        Ok(())
    }
}

fn changes(one: &Record, other: &Record, versions: bool) -> Vec<Change> {
    let aspects = differences(one, other, Aspects::ALL).into_iter();
    let mut changes: Vec<_> = aspects.map(Change::from).collect();
    if versions {
        changes.extend(standing(one, other));
    }
    changes
}

fn document(path: &Path) -> Result<Listed> {
    of_any(Input::open(path)?)
}

/// A document beside a directory, whose files are hashed as the document has it.
fn with_directory(
    listed: Listed,
    path: &Path,
    progress: &Progress,
    mut each: impl FnMut(Option<Found>, Option<Found>) -> Result<()>,
) -> Result<()> {
    let tree = open_beside(path, &listed.header)?;
    beside(listed.entries, &tree, progress, |known, walked| {
        each(known.map(Found::Entry), walked.map(Found::from))
    })
}

/// A directory that is laid beside another one.
fn walked(
    path: &Path,
    progress: &Arc<Progress>,
) -> Result<impl Iterator<Item = Result<Located>> + use<>> {
    let tree = open_beside(path, &Header::default())?;
    let progress = Arc::clone(progress);
    let located = pulled(move |sender| {
        let mut last = EntryPath::root();
        // It ends early when nobody takes any more.
        let _ = take(&tree, true, &*progress, |walked| {
            let place = match &walked {
                Walked::Entry(met) => Some(&met.path),
                Walked::LeftOut(left_out) => left_out.place.as_ref(),
            };
            // What has no place comes behind what it was met behind, and so alone.
            if let Some(place) = place {
                last.clone_from(place);
            }
            let (place, found) = (last.clone(), Found::from(walked));
            sender.send(Ok(Located { place, found })).map_err(drop)
        });
    })?;
    Ok(located.into_iter())
}

fn halves<T>(pair: Pair<T, T>) -> (Option<T>, Option<T>) {
    match pair {
        Pair::Left(one) => (Some(one), None),
        Pair::Right(other) => (None, Some(other)),
        Pair::Both(one, other) => (Some(one), Some(other)),
    }
}
