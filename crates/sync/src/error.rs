//! Why a client cannot begin or go on: one error for the whole of it, in words
//! for whoever started it. What can pass is waited for by [`crate::engine`].

use crate::address::{Address, AddressError};
use crate::leftovers::LeftoverError;
use crate::remote::RemoteError;
use crate::surroundings::PlaceError;
use crate::trees::TreesError;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// A client cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The folder.
    #[error("cannot use the folder: {0}")]
    Folder(#[from] io::Error),
    /// It cannot be opened at all.
    #[error("cannot open folder {path}: {source}")]
    Open {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It lies where no synced folder may.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// Another process syncs it.
    #[error("folder {0} is synced by another atoll process; stop that one first")]
    Locked(PathBuf),
    /// It belongs to another site.
    #[error(
        "folder {path} belongs to space `{space}` of node `{node}` ({server}); to join it elsewhere, remove {path}/.atoll first"
    )]
    Foreign {
        /// Which.
        path: PathBuf,
        /// Its space.
        space: String,
        /// Its node.
        node: String,
        /// That node's address.
        server: String,
    },
    /// It was joined by another address, which alone gets its token.
    #[error(
        "folder {folder} was joined by {joined}, and its token is not sent to {server}: leave out \
         --server, or, if the node is at {server} now, join again with a new invite \
         (--token, as `atoll invite` prints it there)"
    )]
    Elsewhere {
        /// Which.
        folder: PathBuf,
        /// The address it was joined by.
        joined: Box<Address>,
        /// The one that was named now.
        server: Box<Address>,
    },
    /// What was done in it cannot be made durable.
    #[error("the folder cannot be made durable: {0}")]
    NotDurable(io::Error),
    /// The marker is gone while the client runs.
    #[error(
        "folder {0} has lost its .atoll/marker.json: is the drive mounted? nothing was deleted"
    )]
    MarkerGone(PathBuf),
    /// No space was named, and none is known.
    #[error("which space? name one with --space")]
    NoSpace,
    /// No node was named, and none is known.
    #[error("which node? name it with --server https://HOST:PORT")]
    NoServer,
    /// What was named is no address of a node.
    #[error(transparent)]
    BadServer(#[from] AddressError),
    /// No token was given, and none is known.
    #[error(
        "no token: take the `atoll sync …` line that `atoll up` or `atoll invite` prints, or give --token"
    )]
    NoToken,
    /// The token that was given cannot be one.
    #[error("the token that was given is empty or has blanks in it; copy it whole")]
    BadToken,
    /// The token that the folder keeps cannot be read.
    #[error(
        "{folder}/.atoll/token cannot be used: {source}; remove that file and give --token with \
         a new invite"
    )]
    KeptToken {
        /// Which.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The marker cannot be read.
    #[error(
        "{folder}/.atoll/marker.json cannot be used: {source}; remove {folder}/.atoll and join the \
         folder again with a new invite, no file of it is lost"
    )]
    BadMarker {
        /// Of which folder.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The device was removed, or has no role in the space any more.
    #[error(
        "this device has no access to space `{space}` at {server} any more: join with a new \
         invite"
    )]
    NoAccess {
        /// Its slug.
        space: String,
        /// The node.
        server: String,
        /// What it answered.
        source: Box<RemoteError>,
    },
    /// A disk without room.
    #[error("no room for what comes into {folder}: {source}")]
    Full {
        /// Which.
        folder: PathBuf,
        /// As the operating system says.
        source: io::Error,
    },
    /// The client's state.
    #[error(transparent)]
    Trees(#[from] TreesError),
    /// What an earlier run left.
    #[error(transparent)]
    Leftovers(#[from] LeftoverError),
    /// The node.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// The node answered another number of outcomes than there were changes.
    #[error("the node answered a commit with another number of outcomes")]
    Outcomes,
    /// The node broke the protocol.
    #[error("the node answered nonsense: {0}")]
    Nonsense(String),
}

impl EngineError {
    /// How long the node says to wait before asking again.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Remote(error) => error.retry_after(),
            _ => None,
        }
    }

    /// Whether it is only that the node is away, or busy.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Remote(error) if error.is_passing())
    }
}
