//! `POST /api/restore`: an old state on top of the present one. A file comes
//! back in one commit, a directory with all that was in it in as many as it
//! takes ([`super::restore_tree`]). What is there now stays in the history.

use super::Service;
use super::access::Caller;
use super::entry;
use super::input::{self, Json};
use super::lookup;
use super::moment;
use super::restore_tree;
use super::tree_edit;
use crate::problem::Problem;
use axum::extract::State;
use base::{Millis, Name, SpaceId, VersionId};
use meta::Metadata;
use serde::Deserialize;
use serde_json::{Value, json};
use state::{Base, Change, PastEntry, Reader, Role, Version};
use std::sync::Arc;

/// Items that a space may have held at the moment a directory of it goes back
/// to: 32 bytes of memory each while the tree is made.
const PAST_ITEMS: usize = 2 << 20;

#[derive(Deserialize)]
pub struct Restoration {
    space: String,
    path: String,
    /// RFC 3339, a date, or milliseconds since 1970.
    at: Option<String>,
    /// `item.counter`.
    version: Option<String>,
}

/// What is to be done.
struct Plan {
    space: SpaceId,
    /// The version that comes back.
    old: VersionId,
    /// What stands at the path now.
    current: Option<VersionId>,
    /// What makes the item itself stand there; none for a directory that does.
    changes: Vec<Change>,
    /// What was beneath a directory, directories first.
    beneath: Option<Vec<PastEntry>>,
}

/// `POST /api/restore`
pub async fn restore(
    State(service): State<Arc<Service>>,
    caller: Caller,
    Json(restoration): Json<Restoration>,
) -> Result<axum::Json<Value>, Problem> {
    let names = input::path(&restoration.path)?;
    let path = entry::path(&names);
    let plan = service
        .node
        .read(move |reader| plan(reader, caller, &names, &restoration))
        .await?;
    let stands = match plan.current {
        Some(current) if plan.changes.is_empty() => current,
        _ => tree_edit::commit_last(&service, caller, plan.space, plan.changes).await?,
    };
    let mut answer = json!({
        "path": path,
        "restored": plan.old.to_string(),
        "version": stands.to_string(),
    });
    match plan.beneath {
        Some(beneath) => {
            let report =
                restore_tree::run(&service, caller, plan.space, stands.item, beneath).await?;
            answer["entries"] = report.created.into();
            answer["replaced"] = report.replaced.into();
            answer["unchanged"] = report.unchanged.into();
            answer["blocked"] = report.blocked.into();
            answer["in_the_way"] = report.in_the_way.into();
        }
        None => {
            answer["entries"] = 1.into();
            answer["replaced_version"] = plan.current.map(|id| id.to_string()).into();
        }
    }
    Ok(axum::Json(answer))
}

fn plan(
    reader: &Reader,
    caller: Caller,
    names: &[Name],
    restoration: &Restoration,
) -> Result<Plan, Problem> {
    let space = caller.space(reader, &restoration.space, Role::Editor)?.id;
    let (old, metadata, time) = old_state(reader, space, names, restoration)?;
    let current = lookup::at(reader, space, names)?;
    let beneath = if metadata.is_directory() {
        let tree = reader.tree_at(space, old.item, time, PAST_ITEMS)?;
        Some(tree.ok_or_else(|| {
            Problem::Refused(format!(
                "the space held more than {PAST_ITEMS} items then: restore single files by \
                 their paths"
            ))
        })?)
    } else {
        None
    };
    Ok(Plan {
        space,
        old,
        changes: changes_to(reader, space, names, current.as_ref(), metadata)?,
        current: current.map(|version| version.id),
        beneath,
    })
}

/// The version to go back to, its state, and the moment of the tree beneath it.
fn old_state(
    reader: &Reader,
    space: SpaceId,
    names: &[Name],
    restoration: &Restoration,
) -> Result<(VersionId, Metadata, Millis), Problem> {
    let path = &restoration.path;
    let (version, time): (Option<Version>, Millis) = match (&restoration.version, &restoration.at) {
        (Some(version), None) => {
            let version = lookup::version(reader, space, version)?;
            let time = version.time;
            (Some(version), time)
        }
        (None, Some(at)) => {
            let time = moment::parse_millis(at).ok_or_else(|| {
                Problem::Malformed(format!("time `{at}` is not RFC 3339 or milliseconds"))
            })?;
            (reader.resolve_at(space, names, time)?, time)
        }
        _ => {
            return Err(Problem::Malformed(
                "say one of `at` and `version`".to_owned(),
            ));
        }
    };
    let version =
        version.ok_or_else(|| Problem::NotFound(format!("there was nothing at `{path}` then")))?;
    match version.state {
        Some(metadata) => Ok((version.id, metadata, time)),
        None => Err(Problem::NotFound(format!(
            "version {} of `{path}` is its deletion: choose one before it",
            version.id
        ))),
    }
}

/// What makes an item stand at `names` as `metadata` says. A directory that
/// stands there stays as it is: what was in it is what comes back.
fn changes_to(
    reader: &Reader,
    space: SpaceId,
    names: &[Name],
    current: Option<&Version>,
    metadata: Metadata,
) -> Result<Vec<Change>, Problem> {
    match current {
        None => tree_edit::changes_creating(reader, space, names, metadata),
        Some(now) if now.is_directory() && metadata.is_directory() => Ok(vec![]),
        Some(now) if now.is_directory() != metadata.is_directory() => {
            let (here, then) = if now.is_directory() {
                ("a directory", "a file")
            } else {
                ("a file", "a directory")
            };
            Err(Problem::Refused(format!(
                "{here} stands at `{}` now, where {then} was then: move it away and restore again",
                entry::path(names)
            )))
        }
        Some(now) => Ok(vec![Change::Put {
            base: Base::Version(now.id),
            metadata,
            conflict_of: None,
        }]),
    }
}
