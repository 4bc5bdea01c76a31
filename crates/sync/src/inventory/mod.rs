//! Taking stock of a directory: what stands in it, and whether that is what a manifest
//! says.
//!
//! ```text
//! Tree ─walk─▶ Met, LeftOut ─┐
//!               manifest ────┴─join─▶ ordered ─▶ in the order of a manifest
//!                                      │  ▲
//!                                      ▼  │ hashes
//!                                     content, on every core
//! ```
//!
//! Any directory will do, and nothing is written into it. What stands there is taken as
//! it is: also the bits of a mode and the attributes that syncing does not carry. One
//! directory of names, some open files and a bounded number of entries are all that is
//! held. What the client of a synced folder knows of it is told by [`Standing`]; texts
//! and bytes of manifests are `meta`'s. Start reading at `walk`.
//!
//! What cannot be recorded is not passed over in silence: it comes at its place as
//! [`LeftOut`], with the reason.

mod attributes;
mod content;
mod look;
mod ordered;
mod standing;
mod verify;
mod walk;

pub use standing::{Around, Standing, StandingError};
pub use verify::{Counts, Difference, Unread, beside, verify};
pub use walk::{Tree, Walk};

use crate::observer::{Event, Observer};
use base::NameError;
use content::Algorithm;
use look::Look;
use meta::manifest::EntryPath;
use meta::{AttributeError, Record};
use ordered::{Turn, in_order};
use std::fs::File;
use std::io;
use std::path::Path;

/// What a walk comes upon.
#[derive(Debug)]
pub enum Walked {
    /// Something that a manifest can tell of.
    Entry(Met),
    /// Something that it cannot.
    LeftOut(LeftOut),
}

/// An entry as it stands.
#[derive(Debug)]
pub struct Met {
    /// Where.
    pub path: EntryPath,
    /// What is known of it: of version 0, and without a hash until its content was read.
    pub record: Record,
    look: Look,
    /// A file's, open, for as long as its content may be wanted.
    content: Option<File>,
}

/// An entry that cannot be told of.
#[derive(Debug)]
pub struct LeftOut {
    /// Where, for people: a byte in it that is no text stands as `\xff`.
    pub path: String,
    /// Where, if a manifest can name it. Nothing beneath it was looked at.
    pub place: Option<EntryPath>,
    /// Why.
    pub reason: Reason,
}

/// Why an entry cannot be told of.
#[derive(Debug, thiserror::Error)]
pub enum Reason {
    /// A name that no text can hold.
    #[error("its name is not UTF-8")]
    NotUnicode,
    /// A name that Atoll does not take.
    #[error("its {0}")]
    Name(#[from] NameError),
    /// A path beyond [`base::limits::PATH_BYTES`].
    #[error("its path is longer than {limit} bytes", limit = base::limits::PATH_BYTES)]
    PathTooLong,
    /// A link to what no text can hold.
    #[error("it is a link whose target is not UTF-8")]
    Target,
    /// Neither file, directory nor link.
    #[error("it is a {0}")]
    Special(&'static str),
    /// An attribute whose name no text can hold.
    #[error("the name of one of its attributes is not UTF-8")]
    AttributeName,
    /// An attribute that is too large, or too many of them.
    #[error(transparent)]
    Attributes(#[from] AttributeError),
    /// It was another thing at each look.
    #[error("it kept changing while it was read")]
    Changing,
    /// Its size is not that of its content, as of files that the kernel makes up.
    #[error("its size does not tell how much there is to read")]
    Length,
    /// As the operating system says.
    #[error("it cannot be read: {0}")]
    Unreadable(#[from] io::Error),
}

/// Takes stock of a directory, and gives what stands there to `each`, in the order of a
/// manifest; files with the hashes of their `contents`, or without, and then they are not
/// opened either.
///
/// # Errors
/// The first of `each`, after which nothing more is read.
pub fn take<E: Send>(
    tree: &Tree,
    contents: bool,
    observer: &dyn Observer,
    mut each: impl FnMut(Walked) -> Result<(), E>,
) -> Result<(), E> {
    let wanted = contents.then_some(Algorithm::Blake3);
    let walk = if contents {
        tree.walk()
    } else {
        tree.walk_closed()
    };
    let turns = walk.map(|walked| {
        Ok(Turn {
            known: (),
            walked: Some(walked),
            wanted,
        })
    });
    in_order(turns, observer, |(), walked| {
        walked.map_or(Ok(()), &mut each)
    })
}

/// Takes stock of the file, link or directory at `path` alone, which a link at its end is
/// not followed for.
///
/// # Errors
/// As the operating system says of the directory that it stands in; `NotFound`.
pub fn one(path: &Path, contents: bool, observer: &dyn Observer) -> io::Result<Walked> {
    let mut found = walk::one(path, contents)?;
    if contents
        && let Walked::Entry(met) = &mut found
        && let Some(file) = met.content.take()
    {
        let bytes = met.look.seen.size;
        observer.event(&Event::Queued { bytes });
        let reading = content::Reading::new(observer);
        if let Err(reason) = content::hash(met, &file, Algorithm::Blake3, &reading) {
            return Ok(met.left_out(reason));
        }
    }
    Ok(found)
}

impl Met {
    fn left_out(&self, reason: Reason) -> Walked {
        Walked::LeftOut(LeftOut {
            path: self.path.to_string(),
            place: Some(self.path.clone()),
            reason,
        })
    }
}
