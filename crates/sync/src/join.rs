//! How a folder comes to its space: the token it has or is given, a device of its
//! own, and a session. What the folder was joined to before is not left for
//! something else in silence: the token that it keeps goes to the address by which
//! it was given, and to no other.

use crate::Settings;
use crate::address::Address;
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
    let address = match (address(settings, marker), &settings.token) {
        (Some(address), _) => address.checked()?,
        (None, Some(_)) => return Err(EngineError::NoServer),
        (None, None) => return Err(EngineError::NoToken),
    };
    let connected = begin(settings, folder, marker, &address);
    match (connected, marker) {
        (Ok((node, session)), Some(marker)) => {
            check_space(settings, folder, marker, &session)?;
            Ok((node, session))
        }
        (Err(EngineError::Remote(error)), Some(marker)) => {
            Err(explain(folder, marker, &address, error))
        }
        (connected, _) => connected,
    }
}

/// The address that was named, or the one by which the folder was joined. There the
/// node is known by the certificate that was named, or that it was joined by.
fn address(settings: &Settings, marker: Option<&Marker>) -> Option<Address> {
    let joined = marker.map(Marker::address);
    let Some(server) = &settings.server else {
        let joined = joined?;
        let fingerprint = settings.fingerprint.or(joined.fingerprint());
        return Some(Address::new(joined.url(), fingerprint));
    };
    let known = joined
        .filter(|joined| joined.is_at(server))
        .and_then(|joined| joined.fingerprint());
    Some(Address::new(server, settings.fingerprint.or(known)))
}

fn begin(
    settings: &Settings,
    folder: &Folder,
    marker: Option<&Marker>,
    address: &Address,
) -> Result<(Node, Session), EngineError> {
    let wanted = settings.space.as_ref().map(ToString::to_string);
    let space = marker.map(|marker| marker.space.clone()).or(wanted);
    let kept = marker::token(folder.path()).map_err(|source| EngineError::KeptToken {
        folder: folder.path().to_owned(),
        source,
    })?;
    // Without a marker, as a client leaves it that is killed while it joins, nothing
    // says whose the token is: it goes nowhere.
    let kept = kept.filter(|_| marker.is_some());
    let joined = marker.map(Marker::address);
    let elsewhere = joined.filter(|joined| !joined.is_same(address));
    if let (Some(token), None) = (&kept, &elsewhere) {
        let node = Node::new(address.clone(), token);
        match node.start(&space.clone().ok_or(EngineError::NoSpace)?) {
            // The device was revoked, or the site is another: the given token
            // may still do.
            Err(error) if error.is_without_access() && settings.token.is_some() => {}
            session => return Ok((node, session?)),
        }
    }
    if let (Some(joined), Some(_), None) = (elsewhere, &kept, &settings.token) {
        return Err(EngineError::Elsewhere {
            folder: folder.path().to_owned(),
            joined: Box::new(joined),
            server: Box::new(address.clone()),
        });
    }
    let token = settings.token.as_deref().ok_or(EngineError::NoToken)?;
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(EngineError::BadToken);
    }
    register(
        settings,
        folder,
        marker,
        Node::new(address.clone(), token),
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
fn explain(folder: &Folder, marker: &Marker, address: &Address, error: RemoteError) -> EngineError {
    let elsewhere = !marker.address().is_same(address);
    match error {
        error if error.is_without_access() && elsewhere => foreign(folder, marker),
        error if error.is_without_access() => EngineError::NoAccess {
            space: marker.slug.clone(),
            server: address.url().to_owned(),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stand_in::StandIn;
    use crate::{Mode, Stop};
    use base::Fingerprint;
    use std::path::Path;
    use std::sync::Arc;

    fn join(node: &StandIn, dir: &Path, token: Option<&str>) -> Result<(), EngineError> {
        let settings = node.settings(dir, token);
        let observer = Arc::new(crate::Silent);
        crate::run(&settings, Mode::Once, &Stop::new(), observer).map(drop)
    }

    fn tokens(node: &StandIn) -> Vec<String> {
        node.with(|world| {
            let mut tokens: Vec<_> = world
                .asked
                .iter()
                .map(|asked| asked.token.clone())
                .collect();
            tokens.dedup();
            tokens
        })
    }

    #[test]
    fn a_token_goes_only_to_the_address_that_gave_it() {
        let (home, away) = (StandIn::start(), StandIn::start());
        let folder = tempfile::tempdir().unwrap();
        join(&home, folder.path(), Some("join_1")).unwrap();
        assert_eq!(tokens(&home), ["join_1", "dev_new"]);
        let error = join(&away, folder.path(), None).unwrap_err();
        assert!(matches!(error, EngineError::Elsewhere { .. }), "{error}");
        assert!(tokens(&away).is_empty());
        // Its own, however written, gets it.
        let mut settings = home.settings(folder.path(), None);
        settings.server = settings
            .server
            .map(|server| server.replace("http", "HTTP") + "/");
        crate::run(&settings, Mode::Once, &Stop::new(), Arc::new(crate::Silent)).unwrap();
    }

    #[test]
    fn a_token_without_a_marker_goes_nowhere() {
        let (home, away) = (StandIn::start(), StandIn::start());
        let folder = tempfile::tempdir().unwrap();
        // As if it had been killed between the two.
        let corner = folder.path().join(crate::folder::CORNER);
        std::fs::create_dir(&corner).unwrap();
        std::fs::write(corner.join("token"), "dev_home").unwrap();
        let error = join(&away, folder.path(), None).unwrap_err();
        assert!(matches!(error, EngineError::NoToken), "{error}");
        join(&away, folder.path(), Some("join_1")).unwrap();
        assert_eq!(tokens(&away), ["join_1", "dev_new"]);
        join(&away, folder.path(), None).unwrap();
        assert!(tokens(&home).is_empty());
    }

    #[test]
    fn who_joins_among_many_waits_for_its_turn() {
        let node = StandIn::start();
        let mut refused = 0;
        node.with(|world| {
            world.refuse = Box::new(move |asked| {
                let wait = asked.what == "/api/register" && refused < 2;
                refused += usize::from(wait);
                wait.then_some((429, "too-often"))
            });
        });
        let folder = tempfile::tempdir().unwrap();
        join(&node, folder.path(), Some("join_1")).unwrap();
        let asked = node.with(|world| {
            let asked = world.asked.iter();
            asked.filter(|asked| asked.what == "/api/register").count()
        });
        assert_eq!(asked, 3);
        // Whatever else is wrong is said at once.
        let other = tempfile::tempdir().unwrap();
        node.with(|world| world.refuse = Box::new(|_| Some((503, "busy"))));
        let error = join(&node, other.path(), Some("join_1")).unwrap_err();
        assert!(error.is_passing(), "{error}");
    }

    #[test]
    fn what_is_no_address_is_said_so() {
        let node = StandIn::start();
        let folder = tempfile::tempdir().unwrap();
        let mut settings = node.settings(folder.path(), Some("join_1"));
        let open = |settings: &Settings| {
            let ended = crate::Engine::open(settings, Arc::new(crate::Silent));
            ended.map(drop).unwrap_err()
        };
        settings.fingerprint = Some(Fingerprint::of(b"certificate"));
        let error = open(&settings);
        assert!(matches!(error, EngineError::BadServer(_)), "{error}");
        settings.server = Some("reef".to_owned());
        let error = open(&settings);
        assert!(matches!(error, EngineError::BadServer(_)), "{error}");
        settings.server = None;
        let error = open(&settings);
        assert!(matches!(error, EngineError::NoServer), "{error}");
    }

    #[test]
    fn a_certificate_is_a_part_of_the_address() {
        let (first, second) = (Fingerprint::of(b"first"), Fingerprint::of(b"second"));
        let marker = Marker {
            site: "1".to_owned(),
            node: "reef".to_owned(),
            space: "1".to_owned(),
            slug: "space".to_owned(),
            server: "https://reef:1".to_owned(),
            fingerprint: Some(first),
        };
        let settings = |server: Option<&str>, fingerprint| Settings {
            dir: "folder".into(),
            server: server.map(str::to_owned),
            fingerprint,
            space: None,
            token: None,
            device_name: "tester".to_owned(),
            strategy: crate::Strategy::KeepBoth,
            joined: false,
        };
        for (server, fingerprint, expected) in [
            (None, None, ("https://reef:1", Some(first))),
            (None, Some(second), ("https://reef:1", Some(second))),
            (
                Some("https://REEF:1/"),
                None,
                ("https://REEF:1", Some(first)),
            ),
            (Some("https://reef:2"), None, ("https://reef:2", None)),
            (Some("http://reef:1"), None, ("http://reef:1", None)),
        ] {
            let found = address(&settings(server, fingerprint), Some(&marker)).unwrap();
            assert_eq!(found, Address::new(expected.0, expected.1), "{server:?}");
        }
    }

    #[test]
    fn a_site_that_moved_is_joined_again() {
        let (old, new) = (StandIn::start(), StandIn::start());
        let folder = tempfile::tempdir().unwrap();
        join(&old, folder.path(), Some("join_1")).unwrap();
        join(&new, folder.path(), Some("join_2")).unwrap();
        assert_eq!(tokens(&new), ["join_2", "dev_new"]);
        // From now on the new address is its own.
        join(&new, folder.path(), None).unwrap();
        let error = join(&old, folder.path(), None).unwrap_err();
        assert!(matches!(error, EngineError::Elsewhere { .. }), "{error}");
    }

    #[test]
    fn the_token_of_another_site_is_not_kept() {
        let (home, other) = (StandIn::start(), StandIn::start());
        other.with(|world| world.log += 1);
        let folder = tempfile::tempdir().unwrap();
        join(&home, folder.path(), Some("dev_home")).unwrap();
        let kept = || marker::token(folder.path()).unwrap();
        assert_eq!(kept().as_deref(), Some("dev_home"));
        let error = join(&other, folder.path(), Some("dev_other")).unwrap_err();
        assert!(matches!(error, EngineError::Foreign { .. }), "{error}");
        assert_eq!(kept().as_deref(), Some("dev_home"));
        assert_eq!(
            marker::read(folder.path()).unwrap().unwrap().server,
            home.url
        );
    }
}
