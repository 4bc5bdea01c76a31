//! Small edits of a tree on behalf of a caller without a sync client: one
//! change, or a new item with the directories above it.

use super::Service;
use super::access::Caller;
use super::entry;
use super::lookup;
use crate::problem::Problem;
use base::{Name, SpaceId, VersionId};
use meta::{Metadata, Mode};
use state::{Base, Body, Change, Commit, Outcome, Parent, Reader, Reply};

/// Commits one change.
///
/// # Errors
/// What the outcome says when it was not done.
pub async fn commit_one(
    service: &Service,
    caller: Caller,
    space: SpaceId,
    change: Change,
) -> Result<VersionId, Problem> {
    commit_last(service, caller, space, vec![change]).await
}

/// Commits changes that build on each other; the last one's version counts.
///
/// # Errors
/// What the last outcome says when it was not done.
pub async fn commit_last(
    service: &Service,
    caller: Caller,
    space: SpaceId,
    changes: Vec<Change>,
) -> Result<VersionId, Problem> {
    let outcomes = commit(service, caller, space, changes).await?;
    let last = outcomes
        .last()
        .ok_or_else(|| Problem::Internal("an empty commit".to_owned()))?;
    entry::succeeded(last, service.node.log_id())
}

/// The changes that make `names`, which nothing has, with the directories that
/// are missing above it.
///
/// # Errors
/// [`Problem::Refused`] for the root, or below something that is no directory.
pub fn changes_creating(
    reader: &Reader,
    space: SpaceId,
    names: &[Name],
    metadata: Metadata,
) -> Result<Vec<Change>, Problem> {
    let Some((last, above)) = names.split_last() else {
        return Err(Problem::Refused(
            "the root of a space cannot be replaced".to_owned(),
        ));
    };
    let (mut parent, missing) = nearest_parent(reader, space, above)?;
    let mut changes = Vec::with_capacity(missing.len() + 1);
    for name in missing {
        let base = Base::Absent {
            parent,
            name: name.clone(),
        };
        // The depth of a path, and with it this number, is below 2^16.
        parent = Parent::Change(changes.len() as u16);
        let directory = Metadata::directory(Mode::DIRECTORY, metadata.modified);
        changes.push(Change::Put {
            base,
            metadata: directory,
            conflict_of: None,
        });
    }
    let base = Base::Absent {
        parent,
        name: last.clone(),
    };
    changes.push(Change::Put {
        base,
        metadata,
        conflict_of: None,
    });
    Ok(changes)
}

/// The deepest existing directory along `names`, and the names it lacks.
fn nearest_parent<'a>(
    reader: &Reader,
    space: SpaceId,
    names: &'a [Name],
) -> Result<(Parent, &'a [Name]), Problem> {
    for depth in (0..=names.len()).rev() {
        let (above, missing) = names.split_at(depth);
        let Some(version) = lookup::at(reader, space, above)? else {
            continue;
        };
        if !version.is_directory() {
            let path = entry::path(above);
            return Err(Problem::Refused(format!("`{path}` is not a directory")));
        }
        return Ok((Parent::Item(version.id.item), missing));
    }
    Err(Problem::Internal("the space has no root".to_owned()))
}

/// Commits changes; the result is what came of each.
///
/// # Errors
/// What the commit says as a whole.
pub async fn commit(
    service: &Service,
    caller: Caller,
    space: SpaceId,
    changes: Vec<Change>,
) -> Result<Vec<Outcome>, Problem> {
    match service
        .node
        .submit_once(caller.0, Body::Commit(Commit { space, changes }))
        .await?
    {
        Reply::Commit(outcomes) => Ok(outcomes),
        Reply::Denied(denial) => Err(denial.into()),
        other => Err(Problem::Internal(format!(
            "a commit was answered {other:?}"
        ))),
    }
}
