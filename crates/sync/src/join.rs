//! How a folder comes to its space: the token it has or is given, a device of its
//! own, and a session. What the folder was joined to before is not left for
//! something else in silence.

use crate::Settings;
use crate::error::EngineError;
use crate::folder::Folder;
use crate::marker::{self, Marker};
use crate::remote::{Node, RemoteError, Session};

/// Tokens say what they are for.
const ADMIN_PREFIX: &str = "adm_";
const JOIN_PREFIX: &str = "join_";
const DEVICE_PREFIX: &str = "dev_";

/// Registers if need be, and begins a session.
///
/// # Errors
/// [`EngineError`].
pub fn connect(
    settings: &Settings,
    folder: &Folder,
    marker: Option<&Marker>,
) -> Result<(Node, Session), EngineError> {
    let server = settings
        .server
        .as_deref()
        .or(marker.map(|marker| marker.server.as_str()));
    let server = server.ok_or(EngineError::NoToken)?;
    let connected = begin(settings, folder, marker, server);
    match (connected, marker) {
        (Ok((node, session)), Some(marker)) => {
            check_space(settings, folder, marker, &session)?;
            Ok((node, session))
        }
        (Err(EngineError::Remote(error)), Some(marker)) => {
            Err(explain(folder, marker, server, error))
        }
        (connected, _) => connected,
    }
}

fn begin(
    settings: &Settings,
    folder: &Folder,
    marker: Option<&Marker>,
    server: &str,
) -> Result<(Node, Session), EngineError> {
    let wanted = settings.space.as_ref().map(ToString::to_string);
    let space = marker.map(|marker| marker.space.clone()).or(wanted);
    let kept = marker::token(folder.path()).map_err(|source| EngineError::KeptToken {
        folder: folder.path().to_owned(),
        source,
    })?;
    if let Some(token) = kept {
        let node = Node::new(server, &token);
        match node.start(&space.clone().ok_or(EngineError::NoSpace)?) {
            // The device was revoked, or the site is another: the given token
            // may still do.
            Err(error) if error.is_without_access() && settings.token.is_some() => {}
            session => return Ok((node, session?)),
        }
    }
    let token = settings.token.as_deref().ok_or(EngineError::NoToken)?;
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(EngineError::BadToken);
    }
    register(
        settings,
        folder,
        marker,
        Node::new(server, token),
        token,
        space,
    )
}

fn register(
    settings: &Settings,
    folder: &Folder,
    marker: Option<&Marker>,
    mut node: Node,
    token: &str,
    mut space: Option<String>,
) -> Result<(Node, Session), EngineError> {
    let mut kept = token.to_owned();
    if token.starts_with(JOIN_PREFIX) || token.starts_with(ADMIN_PREFIX) {
        let registration = node.register(&settings.device_name)?;
        node = node.with_token(&registration.token);
        kept = registration.token;
        space = space.or(registration
            .space
            .and_then(|space| space.slug())
            .map(|slug| slug.to_string()));
    }
    let session = node.start(&space.ok_or(EngineError::NoSpace)?)?;
    // Another site's token must not take the place of the one that this folder needs.
    let cursor = session.cursor().map_err(EngineError::Nonsense)?;
    let is_ours = marker.is_none_or(|marker| marker.site == cursor.log.to_string());
    if is_ours && kept.starts_with(DEVICE_PREFIX) {
        marker::keep_token(folder, &kept)?;
    }
    Ok((node, session))
}

/// A joined folder stays with its space, by whichever of its names it is called.
fn check_space(
    settings: &Settings,
    folder: &Folder,
    marker: &Marker,
    session: &Session,
) -> Result<(), EngineError> {
    let now = session.space.slug().map(|slug| slug.to_string());
    match settings.space.as_ref().map(ToString::to_string) {
        Some(wanted) if wanted != marker.slug && Some(&wanted) != now.as_ref() => {
            Err(foreign(folder, marker))
        }
        _ => Ok(()),
    }
}

/// What a refusal means for a folder that was joined before.
fn explain(folder: &Folder, marker: &Marker, server: &str, error: RemoteError) -> EngineError {
    let elsewhere = server.trim_end_matches('/') != marker.server;
    match error {
        error if error.is_without_access() && elsewhere => foreign(folder, marker),
        error if error.is_without_access() => EngineError::NoAccess {
            space: marker.slug.clone(),
            server: server.to_owned(),
            source: Box::new(error),
        },
        error => error.into(),
    }
}

fn foreign(folder: &Folder, marker: &Marker) -> EngineError {
    EngineError::Foreign {
        path: folder.path().to_owned(),
        space: marker.slug.clone(),
        node: marker.node.clone(),
        server: marker.server.clone(),
    }
}
