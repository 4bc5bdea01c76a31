//! A directory against a manifest, side by side in one walk.
//!
//! Only what can decide is read: the content of a file whose hash the manifest has, by
//! the algorithm of that hash, unless its size has told already.

use super::content::Algorithm;
use super::ordered::{Turn, in_order};
use super::{LeftOut, Tree, Walked};
use crate::observer::Observer;
use meta::manifest::{Aspect, Aspects, Entry, EntryPath, Pair, Placed, differences, join};
use meta::{Record, RecordKind};
use std::sync::mpsc::{self, Sender};

/// What is not as the manifest says.
#[derive(Debug)]
pub enum Difference {
    /// The manifest has it, the directory not.
    Missing(EntryPath),
    /// The directory has it, the manifest not.
    Extra(EntryPath),
    /// It is there, and not the same.
    Changed {
        /// Where.
        path: EntryPath,
        /// In what.
        aspects: Vec<Aspect>,
    },
    /// It is there, and what it is cannot be told; nor what lies beneath it.
    Unread(LeftOut),
}

/// How much there was.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Entries of the manifest that are in the directory as it says.
    pub same: u64,
    /// See [`Difference::Missing`].
    pub missing: u64,
    /// See [`Difference::Extra`].
    pub extra: u64,
    /// See [`Difference::Changed`].
    pub changed: u64,
    /// See [`Difference::Unread`].
    pub unread: u64,
    /// Files that are there and of which the manifest has no hash, so that their contents
    /// were not compared. They count among the others too.
    pub unhashed: u64,
}

/// Compares a directory with the entries of a manifest, and gives what differs to `each`,
/// in their order.
///
/// # Errors
/// The first of `manifest` or `each`; what was given before it holds.
pub fn verify<E: Send>(
    manifest: impl Iterator<Item = Result<Entry, E>> + Send,
    tree: &Tree,
    aspects: Aspects,
    observer: &dyn Observer,
    mut each: impl FnMut(Difference) -> Result<(), E>,
) -> Result<Counts, E> {
    let mut comparison = Comparison {
        aspects,
        counts: Counts::default(),
        unread: Unread::default(),
    };
    beside(manifest, tree, observer, |known, walked| {
        match comparison.compare(known, walked) {
            Some(difference) => each(difference),
            None => Ok(()),
        }
    })?;
    Ok(comparison.counts)
}

/// Lays a directory beside the entries of a manifest, and gives what both have at each
/// place to `each`: a file with the hash that the manifest has of it, by the same
/// algorithm, if that can tell something. What has no place in a manifest comes alone.
///
/// # Errors
/// The first of `manifest` or `each`.
pub fn beside<E: Send>(
    manifest: impl Iterator<Item = Result<Entry, E>> + Send,
    tree: &Tree,
    observer: &dyn Observer,
    each: impl FnMut(Option<Entry>, Option<Walked>) -> Result<(), E>,
) -> Result<(), E> {
    in_order(side_by_side(manifest, tree), observer, each)
}

/// The last place that could not be read: what lies beneath it is neither there nor
/// missing.
#[derive(Debug, Default)]
pub struct Unread(Option<EntryPath>);

impl Unread {
    /// Remembers the place of what was left out, if it has one.
    pub fn note(&mut self, left_out: &LeftOut) {
        if left_out.place.is_some() {
            self.0.clone_from(&left_out.place);
        }
    }

    /// Whether a path lies beneath it.
    pub fn covers(&self, path: &EntryPath) -> bool {
        self.0.as_ref().is_some_and(|unread| {
            let below = path.as_str().strip_prefix(unread.as_str());
            unread.is_root() || below.is_some_and(|below| below.starts_with('/'))
        })
    }
}

impl Counts {
    /// Whether all is as the manifest says.
    pub const fn is_same(&self) -> bool {
        self.missing == 0 && self.extra == 0 && self.changed == 0 && self.unread == 0
    }
}

/// Something with a place in the order of a manifest.
struct Located {
    place: EntryPath,
    walked: Walked,
}

impl Placed for Located {
    fn path(&self) -> &EntryPath {
        &self.place
    }
}

/// Both in one sequence. What a manifest cannot name has no place to be joined by: it is
/// set aside and comes before the next that has.
fn side_by_side<E: Send>(
    manifest: impl Iterator<Item = Result<Entry, E>> + Send,
    tree: &Tree,
) -> impl Iterator<Item = Result<Turn<Option<Entry>>, E>> + Send {
    let (aside, set_aside) = mpsc::channel();
    let walk = tree.walk().filter_map(move |walked| locate(walked, &aside));
    let mut pairs = join(manifest, walk.map(Ok));
    let mut next = None;
    std::iter::from_fn(move || {
        next = next.take().or_else(|| pairs.next());
        match set_aside.try_recv() {
            Ok(left_out) => Some(Ok(Turn {
                known: None,
                walked: Some(Walked::LeftOut(left_out)),
                wanted: None,
            })),
            Err(_) => next.take().map(|pair| pair.map(turn)),
        }
    })
}

fn locate(walked: Walked, aside: &Sender<LeftOut>) -> Option<Located> {
    let place = match &walked {
        Walked::Entry(met) => Some(met.path.clone()),
        Walked::LeftOut(left_out) => left_out.place.clone(),
    };
    match (place, walked) {
        (Some(place), walked) => Some(Located { place, walked }),
        (None, Walked::LeftOut(left_out)) => {
            // Who takes it lives as long as the walk.
            let _ = aside.send(left_out);
            None
        }
        (None, Walked::Entry(_)) => None,
    }
}

fn turn(pair: Pair<Entry, Located>) -> Turn<Option<Entry>> {
    let (known, walked) = match pair {
        Pair::Left(entry) => (Some(entry), None),
        Pair::Right(located) => (None, Some(located.walked)),
        Pair::Both(entry, located) => (Some(entry), Some(located.walked)),
    };
    let wanted = match (&known, &walked) {
        (Some(entry), Some(Walked::Entry(met))) => wanted(&entry.record, &met.record),
        _ => None,
    };
    Turn {
        known,
        walked,
        wanted,
    }
}

/// By what a file's content is to be hashed, if that can tell something.
fn wanted(known: &Record, found: &Record) -> Option<Algorithm> {
    let (RecordKind::File { size, hash, .. }, RecordKind::File { size: is, .. }) =
        (&known.kind, &found.kind)
    else {
        return None;
    };
    let hash = hash.as_ref()?;
    (size.is_none() || size == is).then_some(Algorithm::of(hash))
}

struct Comparison {
    aspects: Aspects,
    counts: Counts,
    unread: Unread,
}

impl Comparison {
    fn compare(&mut self, known: Option<Entry>, walked: Option<Walked>) -> Option<Difference> {
        match (known, walked) {
            (_, Some(Walked::LeftOut(left_out))) => {
                self.counts.unread += 1;
                self.unread.note(&left_out);
                Some(Difference::Unread(left_out))
            }
            (Some(entry), Some(Walked::Entry(met))) => {
                self.counts.unhashed += u64::from(is_unhashed(&entry.record, &met.record));
                let aspects = differences(&entry.record, &met.record, self.aspects);
                if aspects.is_empty() {
                    self.counts.same += 1;
                    return None;
                }
                self.counts.changed += 1;
                let path = met.path;
                Some(Difference::Changed { path, aspects })
            }
            (Some(entry), None) if self.unread.covers(&entry.path) => None,
            (Some(entry), None) => {
                self.counts.missing += 1;
                Some(Difference::Missing(entry.path))
            }
            // A manifest need not tell of the folder itself.
            (None, Some(Walked::Entry(met))) if met.path.is_root() => None,
            (None, Some(Walked::Entry(met))) => {
                self.counts.extra += 1;
                Some(Difference::Extra(met.path))
            }
            (None, None) => None,
        }
    }
}

fn is_unhashed(known: &Record, found: &Record) -> bool {
    matches!(
        (&known.kind, &found.kind),
        (RecordKind::File { hash: None, .. }, RecordKind::File { .. })
    )
}
