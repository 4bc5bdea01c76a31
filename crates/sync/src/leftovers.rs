//! What a killed client left in the corner: partial downloads go on, half-made
//! temporaries are nothing, and an entry that was taken out of its place but
//! not yet let go comes back.

use crate::folder::{Folder, RelativePath, holds_an_entry, observe_open};
use crate::trees::{Trees, TreesError};
use base::{Hasher, VersionId};
use std::io::{self, Read};

/// Where an entry that came back is put: in the root, under a name that says so.
const RETURNED: &str = "recovered";

/// Cleans the corner; returns the names of entries that came back.
///
/// # Errors
/// [`LeftoverError`]; nothing is removed that could not be judged.
pub fn clear(folder: &Folder, trees: &Trees) -> Result<Vec<String>, LeftoverError> {
    let mut returned = Vec::new();
    for name in folder.temporaries()? {
        if let Some(version) = version_of(&name)
            && trees
                .news_of(version.item)?
                .is_some_and(|news| news.id == version)
        {
            continue;
        }
        if holds_an_entry(&name) && !is_known(folder, trees, &name)? {
            returned.push(put_back(folder, &name)?);
        } else {
            folder.discard(&name)?;
        }
    }
    Ok(returned)
}

/// The temporary name of the partial download of `version`: each has its own,
/// so that two files of equal content never share one.
pub fn partial_name(version: VersionId) -> String {
    format!("{version}{PARTIAL}")
}

/// Whether a temporary is a download that can go on.
pub fn is_partial(name: &str) -> bool {
    name.ends_with(PARTIAL)
}

const PARTIAL: &str = ".part";

fn version_of(name: &str) -> Option<VersionId> {
    name.strip_suffix(PARTIAL)?.parse().ok()
}

/// Whether the node has these bytes: then the place they stood in tells the rest.
fn is_known(folder: &Folder, trees: &Trees, name: &str) -> Result<bool, LeftoverError> {
    let Ok(mut file) = folder.open_temporary(name) else {
        // A link: its target is in the synced tree or was replaced knowingly.
        return Ok(true);
    };
    observe_open(&file)?;
    let mut hasher = Hasher::new();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(trees.knows_content(&hasher.finish())?),
            read => hasher.update(&buffer[..read]),
        }
    }
}

fn put_back(folder: &Folder, temporary: &str) -> io::Result<String> {
    let root = folder.directory(&RelativePath::root())?;
    for number in 1_u32.. {
        let name = format!("{RETURNED}-{number}");
        match folder.place(temporary, &root, &name) {
            Ok(()) => return Ok(name),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// The corner cannot be cleaned.
#[derive(Debug, thiserror::Error)]
pub enum LeftoverError {
    /// The folder.
    #[error("cannot clean .atoll/tmp: {0}")]
    Folder(#[from] io::Error),
    /// The trees.
    #[error(transparent)]
    Trees(#[from] TreesError),
}
