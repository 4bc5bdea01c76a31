//! The planner: what to do about one name, given what three trees say of it.
//!
//! The *local* tree is what the folder holds, the *remote* tree what the node
//! says, the *synced* tree what both were when they last agreed. Nothing else
//! enters, so every decision can be made again after a crash and comes out the
//! same. Pure: bytes are never read here; where they would decide, the answer
//! is [`Step::Compare`], and [`settle`] decides once they are known.
//!
//! The rules, from which the tables follow:
//! 1. What changed on one side only travels to the other.
//! 2. Delete against edit: the edit survives. Where a look alone says that there
//!    was one, the bytes are read.
//! 3. Changed on both sides to the same bytes: nothing to carry.
//! 4. Changed on both sides to different bytes: a conflict; no byte is dropped.
//! 5. No synced state is never an ancestor (syncthing #3876): two different
//!    files that meet for the first time are a conflict.
//! 6. Mode and time alone never conflict: the remote's win, since the log has
//!    already ordered them.
//! 7. What the node has from this folder, by a commit whose answer was lost, is
//!    an ancestor of what stands here, as if it had been noted.

use crate::folder::{Observation, ObservedKind};
use base::VersionId;
use meta::{Kind, Metadata};

/// What both sides were when they last agreed, and how that looked here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Synced {
    /// The agreed version. Counter 0: the item is agreed upon, its mode and
    /// time are not yet known.
    pub version: VersionId,
    /// Its state.
    pub metadata: Metadata,
    /// The look of the entry when its content was known to be this.
    pub seen: Observation,
    /// Whether `seen` cannot prove that nothing has changed since.
    pub racy: bool,
}

/// What the node says stands at this name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// The version.
    pub version: VersionId,
    /// Its state.
    pub metadata: Metadata,
    /// Whether it is what this folder gave the node in a commit whose answer it
    /// never heard: then what stands here was made from it.
    pub own: bool,
}

/// One name in three trees; `None` where a tree does not have it.
#[derive(Debug, Clone, Copy)]
pub struct Sight<'a> {
    /// In the folder.
    pub local: Option<&'a Observation>,
    /// When last agreed.
    pub synced: Option<&'a Synced>,
    /// At the node.
    pub remote: Option<&'a Remote>,
}

/// What to do about one name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Both agree.
    Nothing,
    /// Forget the synced state: gone on both sides.
    Forget,
    /// Give the node a new item.
    Create,
    /// Give the node a new version of the synced item.
    Update,
    /// Delete the synced item at the node.
    DeleteRemote,
    /// Delete the synced item at the node, then give it a new one: a directory
    /// took a file's place or the reverse.
    ReplaceRemote,
    /// Bring the remote version here, over nothing or over the synced state.
    Fetch,
    /// Remove the synced state here.
    RemoveLocal,
    /// Gone at the node, and perhaps edited here: read the local bytes; the agreed
    /// ones are removed, an edit begins anew.
    Prove,
    /// Both are directories: agree on the item, then look at mode and time.
    AdoptDirectory,
    /// Give the directory the agreed mode and time: the round that agreed on
    /// them did not come to it.
    Dress,
    /// The local bytes decide; read them and ask [`settle`].
    Compare,
    /// The local entry is nothing that can be synced.
    Ignore,
}

/// What to do once the local bytes are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settlement {
    /// Same bytes: agree, take the remote's mode and time.
    Adopt,
    /// Only the remote's bytes changed: bring them.
    Fetch,
    /// Only the local bytes changed: a new version on top of the remote's.
    UpdateOnRemote,
    /// Different bytes on both sides.
    Conflict,
}

/// Decides about one name.
pub fn decide(sight: Sight<'_>) -> Step {
    let Sight {
        local,
        synced,
        remote,
    } = sight;
    if local.is_some_and(|local| local.kind == ObservedKind::Other) {
        return Step::Ignore;
    }
    match (local, synced, remote) {
        (None, None, None) => Step::Nothing,
        (Some(_), None, None) => Step::Create,
        (None, None, Some(remote)) if remote.own => Step::DeleteRemote,
        (None, None, Some(_)) => Step::Fetch,
        (Some(local), None, Some(remote)) => meet(local, remote),
        (local, Some(synced), remote) => match (look(local, synced), news(synced, remote)) {
            (Look::Gone, News::Gone) => Step::Forget,
            (Look::Gone, News::Same) => Step::DeleteRemote,
            // A directory's mode or time is no edit of what is in it.
            (Look::Gone, News::Dressed) => Step::DeleteRemote,
            (Look::Gone, News::Changed) if remote.is_some_and(|remote| remote.own) => {
                Step::DeleteRemote
            }
            (Look::Gone, News::Changed | News::Other) => Step::Fetch,
            (Look::Same, News::Same) => Step::Nothing,
            (Look::Undressed, News::Same) => Step::Dress,
            (Look::Same | Look::Undressed, News::Gone) => Step::RemoveLocal,
            (Look::Same | Look::Undressed, News::Dressed | News::Changed | News::Other) => {
                Step::Fetch
            }
            (Look::Dressed, News::Gone) => Step::RemoveLocal,
            (Look::Dressed, News::Same) => Step::Update,
            (Look::Dressed, News::Dressed) => Step::Fetch,
            (Look::Dressed, News::Changed | News::Other) => remote
                .zip(local)
                .map_or(Step::Fetch, |(remote, local)| meet(local, remote)),
            (Look::Touched, News::Same) => Step::Update,
            (Look::Touched, News::Gone) => Step::Prove,
            (Look::Replaced, News::Gone) => Step::Create,
            (Look::Replaced, News::Same) => Step::ReplaceRemote,
            (Look::Touched | Look::Replaced, News::Dressed | News::Changed | News::Other) => remote
                .zip(local)
                .map_or(Step::Fetch, |(remote, local)| meet(local, remote)),
        },
    }
}

/// Decides what [`Step::Compare`] left open. `local` is the local metadata with
/// its hash or target read.
pub fn settle(local: &Metadata, synced: Option<&Metadata>, remote: &Remote) -> Settlement {
    if local.same_content(&remote.metadata) {
        // What moved since on top of this client's own version is a person's.
        return match remote.own && *local != remote.metadata {
            true => Settlement::UpdateOnRemote,
            false => Settlement::Adopt,
        };
    }
    match synced {
        _ if remote.own => Settlement::UpdateOnRemote,
        Some(synced) if local.same_content(synced) => Settlement::Fetch,
        Some(synced) if remote.metadata.same_content(synced) => Settlement::UpdateOnRemote,
        Some(_) | None => Settlement::Conflict,
    }
}

/// How the local entry looks against the synced one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    Gone,
    Same,
    /// A directory with another mode or time.
    Dressed,
    /// A directory as it was found when it was agreed upon, not as agreed.
    Undressed,
    /// Perhaps other bytes, of the same or a compatible kind.
    Touched,
    /// A directory where a file or link was, or the reverse.
    Replaced,
}

fn look(local: Option<&Observation>, synced: &Synced) -> Look {
    let Some(local) = local else {
        return Look::Gone;
    };
    let directory = local.kind == ObservedKind::Directory;
    if directory != synced.metadata.is_directory() {
        return Look::Replaced;
    }
    if directory {
        let metadata = &synced.metadata;
        let is = |mode, modified| (local.mode, local.modified) == (mode, modified);
        return if is(metadata.mode, metadata.modified) {
            Look::Same
        } else if is(synced.seen.mode, synced.seen.modified) {
            Look::Undressed
        } else {
            Look::Dressed
        };
    }
    if local.same_file(&synced.seen) && !synced.racy {
        Look::Same
    } else {
        Look::Touched
    }
}

/// What the node says against the synced state.
#[derive(Clone, Copy, PartialEq, Eq)]
enum News {
    Gone,
    Same,
    /// The same directory with another mode or time.
    Dressed,
    /// Another version of the same item.
    Changed,
    /// Another item at the same name.
    Other,
}

fn news(synced: &Synced, remote: Option<&Remote>) -> News {
    match remote {
        None => News::Gone,
        Some(remote) if remote.version == synced.version => News::Same,
        Some(remote) if remote.version.item != synced.version.item => News::Other,
        Some(remote) if remote.metadata.is_directory() && synced.metadata.is_directory() => {
            News::Dressed
        }
        Some(_) => News::Changed,
    }
}

/// Two entries meet without an agreed past, or with a past both have left.
fn meet(local: &Observation, remote: &Remote) -> Step {
    match (local.kind, &remote.metadata.kind) {
        (ObservedKind::Directory, Kind::Directory) => Step::AdoptDirectory,
        _ => Step::Compare,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::{Hash, ItemId};
    use meta::{Mode, Timestamp};

    fn version(item: u64, counter: u64) -> VersionId {
        VersionId {
            item: ItemId::new(item, 0),
            counter,
        }
    }

    fn file(content: &str) -> Metadata {
        let hash = Hash::of(content.as_bytes());
        Metadata::file(hash, content.len() as u64, Mode::FILE, Timestamp::default()).unwrap()
    }

    fn seen(kind: ObservedKind, second: i64) -> Observation {
        let time = Timestamp::new(second, 0).unwrap();
        let mode = if kind == ObservedKind::Directory {
            Mode::DIRECTORY
        } else {
            Mode::FILE
        };
        Observation {
            kind,
            size: 1,
            mode,
            modified: time,
            changed: time,
            inode: 7,
        }
    }

    /// Notation: local `-` none, `=` as synced, `*` touched, `d` a directory;
    /// synced `-`, `f`, `d`; remote `-`, `=`, `+` newer, `o` other item.
    fn check(local: char, synced: char, remote: char, expected: Step) {
        let directory = || Metadata::directory(Mode::DIRECTORY, Timestamp::new(1, 0).unwrap());
        let newer = || Metadata::directory(Mode::DIRECTORY, Timestamp::new(9, 0).unwrap());
        let base_kind = if synced == 'd' {
            ObservedKind::Directory
        } else {
            ObservedKind::File
        };
        let agreed = match synced {
            '-' => None,
            'f' => Some(file("x")),
            _ => Some(directory()),
        }
        .map(|metadata| Synced {
            version: version(1, 1),
            metadata,
            seen: seen(base_kind, 1),
            racy: false,
        });
        let observation = match local {
            '-' => None,
            '=' => Some(seen(base_kind, 1)),
            '*' => Some(seen(base_kind, 2)),
            'd' => Some(seen(ObservedKind::Directory, 2)),
            'f' => Some(seen(ObservedKind::File, 2)),
            _ => Some(seen(ObservedKind::Other, 1)),
        };
        let theirs = match (remote, synced) {
            ('-', _) => None,
            ('=', _) => agreed.clone().map(|s| Remote {
                own: false,
                version: s.version,
                metadata: s.metadata,
            }),
            ('+', 'd') => Some(Remote {
                own: false,
                version: version(1, 2),
                metadata: newer(),
            }),
            ('+', _) => Some(Remote {
                own: false,
                version: version(1, 2),
                metadata: file("y"),
            }),
            ('D', _) => Some(Remote {
                own: false,
                version: version(2, 1),
                metadata: directory(),
            }),
            _ => Some(Remote {
                own: false,
                version: version(2, 1),
                metadata: file("z"),
            }),
        };
        let sight = Sight {
            local: observation.as_ref(),
            synced: agreed.as_ref(),
            remote: theirs.as_ref(),
        };
        assert_eq!(
            decide(sight),
            expected,
            "local {local} synced {synced} remote {remote}"
        );
    }

    #[test]
    fn the_whole_table() {
        for (local, synced, remote, step) in [
            ('-', '-', '-', Step::Nothing),
            ('*', '-', '-', Step::Create),
            ('-', '-', 'o', Step::Fetch),
            ('*', '-', 'o', Step::Compare),
            ('d', '-', 'D', Step::AdoptDirectory),
            ('d', '-', 'o', Step::Compare),
            ('-', 'f', '-', Step::Forget),
            ('-', 'f', '=', Step::DeleteRemote),
            ('-', 'f', '+', Step::Fetch),
            ('-', 'd', '+', Step::DeleteRemote),
            ('-', 'f', 'o', Step::Fetch),
            ('=', 'f', '=', Step::Nothing),
            ('=', 'f', '-', Step::RemoveLocal),
            ('=', 'f', '+', Step::Fetch),
            ('=', 'f', 'o', Step::Fetch),
            ('*', 'f', '=', Step::Update),
            ('*', 'f', '-', Step::Prove),
            ('*', 'f', '+', Step::Compare),
            ('d', 'f', '=', Step::ReplaceRemote),
            ('d', 'f', '+', Step::Compare),
            ('f', 'd', '=', Step::ReplaceRemote),
            ('=', 'd', '=', Step::Nothing),
            ('*', 'd', '=', Step::Update),
            ('*', 'd', '+', Step::Fetch),
            ('*', 'd', '-', Step::RemoveLocal),
            ('p', 'f', '=', Step::Ignore),
        ] {
            check(local, synced, remote, step);
        }
    }

    #[test]
    fn bytes_settle_the_rest() {
        let (x, y, z) = (file("x"), file("y"), file("z"));
        for (local, synced, remote, expected) in [
            (&x, Some(&z), &x, Settlement::Adopt),
            (&x, Some(&x), &y, Settlement::Fetch),
            (&x, Some(&y), &y, Settlement::UpdateOnRemote),
            (&x, Some(&y), &z, Settlement::Conflict),
            (&x, None, &y, Settlement::Conflict),
        ] {
            let remote = |own| Remote {
                version: version(1, 2),
                metadata: remote.clone(),
                own,
            };
            assert_eq!(settle(local, synced, &remote(false)), expected);
            // From a lost answer: never a conflict, never overwritten.
            let adopted = expected == Settlement::Adopt;
            let own = if adopted {
                expected
            } else {
                Settlement::UpdateOnRemote
            };
            assert_eq!(settle(local, synced, &remote(true)), own);
        }
    }

    #[test]
    fn a_racy_look_is_no_proof() {
        let mut synced = Synced {
            version: version(1, 1),
            metadata: file("x"),
            seen: seen(ObservedKind::File, 1),
            racy: false,
        };
        let remote = Remote {
            own: false,
            version: version(1, 1),
            metadata: file("x"),
        };
        let local = seen(ObservedKind::File, 1);
        let step = |synced: &Synced| {
            decide(Sight {
                local: Some(&local),
                synced: Some(synced),
                remote: Some(&remote),
            })
        };
        assert_eq!(step(&synced), Step::Nothing);
        synced.racy = true;
        assert_eq!(step(&synced), Step::Update);
    }
}
