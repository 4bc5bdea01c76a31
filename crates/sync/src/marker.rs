//! `.atoll/marker.json`, `.atoll/token` and `.atoll/name`: which site a folder
//! belongs to, the proof that it is mounted, the right to sync it, and what its
//! device is called.
//!
//! A folder without its marker is not the folder that was synced (syncthing
//! #799: an unmounted drive looks like a deletion of everything), so the engine
//! looks for it again before it deletes anything.

use crate::address::Address;
use crate::folder::Folder;
use base::Fingerprint;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

const MARKER: &str = "marker.json";
const TOKEN: &str = "token";
const NAME: &str = "name";
const LOCK: &str = "lock";

/// What a synced folder says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    /// The log of the site.
    pub site: String,
    /// The name of the node it was joined to, for messages.
    #[serde(default)]
    pub node: String,
    /// The space's id.
    pub space: String,
    /// The space's slug when it was joined.
    pub slug: String,
    /// The address of the node.
    pub server: String,
    /// Of the node's certificate, if that is what it is known by.
    #[serde(default, with = "as_text", skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Fingerprint>,
}

impl Marker {
    /// The node, as it was joined.
    pub fn address(&self) -> Address {
        Address::new(&self.server, self.fingerprint)
    }
}

/// A fingerprint as people write it. One that is damaged is an error: without it,
/// somebody else would be believed.
mod as_text {
    use base::Fingerprint;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(
        fingerprint: &Option<Fingerprint>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match fingerprint {
            Some(fingerprint) => serializer.collect_str(fingerprint),
            None => serializer.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Fingerprint>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        let parse = |text: String| text.parse().map_err(D::Error::custom);
        text.map(parse).transpose()
    }
}

/// Holds the folder against a second client until dropped.
#[derive(Debug)]
pub struct FolderLock(#[expect(dead_code, reason = "held for its lock alone")] File);

/// The marker of the folder at `path`, `None` when it was never synced. Needs no
/// open folder: this is how one is judged before it is joined.
///
/// # Errors
/// As the operating system says, `InvalidData` when it is damaged.
pub fn read(path: &Path) -> io::Result<Option<Marker>> {
    match fs::read(path.join(crate::folder::CORNER).join(MARKER)) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
        // The second: what is called like the corner is a file.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// As [`read`], for whoever comes across the folder at `path` and did not choose it: only
/// a marker that this user, or root, made is believed, in a corner that is theirs and no
/// link.
///
/// # Errors
/// As [`read`].
pub fn read_own(path: &Path) -> io::Result<Option<Marker>> {
    let corner = path.join(crate::folder::CORNER);
    let is_own = |at: &Path, is_kind: fn(&Metadata) -> bool| {
        let found = at.symlink_metadata();
        found.is_ok_and(|found| is_kind(&found) && is_trusted(found.uid()))
    };
    if is_own(&corner, Metadata::is_dir) && is_own(&corner.join(MARKER), Metadata::is_file) {
        read(path)
    } else {
        Ok(None)
    }
}

fn is_trusted(owner: u32) -> bool {
    owner == 0 || owner == rustix::process::geteuid().as_raw()
}

/// Writes the marker, durably.
///
/// # Errors
/// As the operating system says.
pub fn write(folder: &Folder, marker: &Marker) -> io::Result<()> {
    replace(folder, MARKER, &serde_json::to_vec_pretty(marker)?)
}

/// The device token kept in the folder at `path`.
///
/// # Errors
/// As the operating system says, `InvalidData` when it cannot be a token.
pub fn token(path: &Path) -> io::Result<Option<String>> {
    let Some(token) = text(path, TOKEN)? else {
        return Ok(None);
    };
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        let reason = "it is empty or damaged";
        return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
    }
    Ok(Some(token))
}

/// What this device was called when the folder at `path` was last synced.
///
/// # Errors
/// As the operating system says.
pub fn name(path: &Path) -> io::Result<Option<String>> {
    Ok(text(path, NAME)?.filter(|name| !name.is_empty()))
}

/// Keeps what this device is called.
///
/// # Errors
/// As the operating system says.
pub fn keep_name(folder: &Folder, name: &str) -> io::Result<()> {
    replace(folder, NAME, name.as_bytes())
}

fn text(path: &Path, name: &str) -> io::Result<Option<String>> {
    match fs::read_to_string(path.join(crate::folder::CORNER).join(name)) {
        Ok(text) => Ok(Some(text.trim().to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Keeps the device token, readable by its owner alone.
///
/// # Errors
/// As the operating system says.
pub fn keep_token(folder: &Folder, token: &str) -> io::Result<()> {
    replace(folder, TOKEN, token.as_bytes())
}

/// Takes the folder for this process.
///
/// # Errors
/// `WouldBlock` when another process syncs it.
pub fn lock(folder: &Folder) -> io::Result<FolderLock> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(folder.corner(LOCK))?;
    rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive)?;
    Ok(FolderLock(file))
}

fn replace(folder: &Folder, name: &str, bytes: &[u8]) -> io::Result<()> {
    let new = folder.corner(&format!("{name}.new"));
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, folder.corner(name))?;
    File::open(folder.path().join(crate::folder::CORNER))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"{"site":"1","space":"1","slug":"s","server":"https://reef:1"}"#;

    #[test]
    fn a_file_that_is_called_like_the_corner_is_no_marker() {
        let disk = tempfile::tempdir().unwrap();
        fs::write(disk.path().join(".atoll"), "").unwrap();
        assert_eq!(read(disk.path()).unwrap(), None);
        assert_eq!(read_own(disk.path()).unwrap(), None);
    }

    #[test]
    fn only_an_own_marker_is_believed() {
        use std::os::unix::fs::{chown, symlink};
        let disk = tempfile::tempdir().unwrap();
        let (folder, planted) = (disk.path().join("folder"), disk.path().join("planted"));
        let corner = folder.join(".atoll");
        fs::create_dir_all(&corner).unwrap();
        fs::create_dir(&planted).unwrap();
        fs::write(corner.join(MARKER), TEXT).unwrap();
        assert!(read_own(&folder).unwrap().is_some());
        symlink(&corner, planted.join(".atoll")).unwrap();
        assert_eq!(read_own(&planted).unwrap(), None);
        assert!(is_trusted(0) && is_trusted(rustix::process::geteuid().as_raw()));
        assert!(!is_trusted(4_000_000));
        // Only root can give something away.
        for given in [corner.join(MARKER), corner] {
            if chown(&given, Some(12_345), None).is_ok() {
                assert_eq!(read_own(&folder).unwrap(), None);
                chown(&given, Some(0), None).unwrap();
            }
        }
    }

    #[test]
    fn a_damaged_fingerprint_is_not_left_out() {
        let json = |fingerprint: &str| {
            let rest = r#""site":"1","space":"1","slug":"s","server":"https://reef:1""#;
            format!("{{{rest}{fingerprint}}}")
        };
        let read = |fingerprint: &str| serde_json::from_str::<Marker>(&json(fingerprint));
        assert_eq!(read("").unwrap().fingerprint, None);
        let known = Fingerprint::of(b"certificate");
        let marker = read(&format!(r#","fingerprint":"{known}""#)).unwrap();
        assert_eq!(
            marker.address(),
            Address::new("https://reef:1", Some(known))
        );
        let written = serde_json::to_string(&marker).unwrap();
        assert_eq!(serde_json::from_str::<Marker>(&written).unwrap(), marker);
        assert!(read(r#","fingerprint":"sha256:12""#).is_err());
    }
}
