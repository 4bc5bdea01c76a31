//! The data directory: its lock, the node's identity, the admin token and the
//! address file. What lies in its subfolders belongs to `store` and `state`.

use base::{LogId, Random, hex};
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use sync::Address;

use crate::token;

/// Longest `node.yaml`, in bytes: some ten thousand folders; a longer one was
/// not written by us.
const IDENTITY_BYTES: u64 = 4 << 20;

/// What a node makes only once its identity is durable: where one of these is,
/// an identity was. The log comes before, so that the identity can name it.
const LATER_THAN_IDENTITY: [&str; 4] = ["admin-token", "state.db", "blobs", "snapshots"];

/// A locked data directory. The lock lives as long as this value.
pub struct Directory {
    path: PathBuf,
    _lock: File,
}

/// What `node.yaml` holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// 16 hexadecimal digits, drawn when the directory was made.
    pub id: String,
    /// The name people gave the node; its id when they gave none.
    pub name: String,
    /// The log that the directory holds.
    pub log: String,
    /// Local folders that this node syncs itself.
    #[serde(default)]
    pub folders: Vec<Folder>,
}

/// A local folder of this node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Folder {
    /// Its absolute path.
    pub path: PathBuf,
    /// The id of the space it shows.
    pub space: u64,
}

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// Another process holds the lock.
    #[error("data directory {0} is used by a running node")]
    Locked(PathBuf),
    /// The file system refused.
    #[error("cannot {what} {path}: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// The file system's answer.
        source: io::Error,
    },
    /// `node.yaml` is not what this version writes.
    #[error("{path} is not a node's identity: {detail}; restore it from a backup")]
    Identity {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// The rest of a node's data is there without `node.yaml`.
    #[error(
        "{path} is missing, though {beside} beside it is a node's data: restore {path} from a \
         backup, or choose an empty data directory for a new node"
    )]
    LostIdentity {
        /// Where the identity would be.
        path: PathBuf,
        /// What a node left there.
        beside: PathBuf,
    },
    /// `admin-token` holds something else, or only a part of one.
    #[error(
        "{0} is not an admin token (`adm_` and 64 hexadecimal digits): restore it from a backup, \
         or remove it and the node makes a new one"
    )]
    AdminToken(PathBuf),
    /// The log was exchanged.
    #[error(
        "{path} belongs to log {expected} but the log here is {found}; \
         put the matching `log` folder back"
    )]
    ForeignLog {
        /// The identity file.
        path: PathBuf,
        /// The log it names.
        expected: String,
        /// The log that lies there.
        found: LogId,
    },
}

impl Directory {
    /// Opens `path`, making it (mode 0700) when it is missing, and locks it.
    ///
    /// # Errors
    /// [`DirectoryError::Locked`] while another node runs on it.
    pub fn open(path: &Path) -> Result<Self, DirectoryError> {
        make_private(path).map_err(|source| failed("create", path, source))?;
        Self::open_existing(path)
    }

    /// Opens and locks a directory that is there.
    ///
    /// # Errors
    /// As [`Directory::open`].
    pub fn open_existing(path: &Path) -> Result<Self, DirectoryError> {
        let lock_path = path.join("lock");
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&lock_path)
            .map_err(|source| failed("open", &lock_path, source))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self {
                path: path.to_owned(),
                _lock: lock,
            }),
            Err(TryLockError::WouldBlock) => Err(DirectoryError::Locked(path.to_owned())),
            Err(TryLockError::Error(source)) => Err(failed("lock", &lock_path, source)),
        }
    }

    /// The directory itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Refuses a directory that holds a node's data without its `node.yaml`: a
    /// new identity must not take over what another one acknowledged. Asked
    /// before the log is opened, which would make a new one.
    ///
    /// # Errors
    /// [`DirectoryError::LostIdentity`].
    pub fn check_identity(&self) -> Result<(), DirectoryError> {
        let path = self.path.join("node.yaml");
        if path.exists() {
            return Ok(());
        }
        let made_later = LATER_THAN_IDENTITY.map(|name| self.path.join(name));
        match made_later.into_iter().find(|path| path.exists()) {
            Some(beside) => Err(DirectoryError::LostIdentity { path, beside }),
            None => Ok(()),
        }
    }

    /// Reads `node.yaml`, or writes the first one. A `name` replaces the
    /// remembered one. Asked after [`Directory::check_identity`].
    ///
    /// # Errors
    /// [`DirectoryError::ForeignLog`] when the identity and the log do not
    /// belong together.
    pub fn identity(
        &self,
        log: LogId,
        name: Option<&str>,
        random: &dyn Random,
    ) -> Result<Identity, DirectoryError> {
        let path = self.path.join("node.yaml");
        let found = read_bounded(&path);
        let is_there = found.is_ok();
        let mut identity = match found {
            Ok(text) => parse_identity(&path, &text)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let id = hex(&random.next_u64().to_be_bytes());
                Identity {
                    name: format!("node-{}", &id[..6]),
                    id,
                    log: log.to_string(),
                    folders: vec![],
                }
            }
            Err(source) => return Err(failed("read", &path, source)),
        };
        if identity.log != log.to_string() {
            return Err(DirectoryError::ForeignLog {
                path,
                expected: identity.log,
                found: log,
            });
        }
        let is_named_so = name.is_none_or(|name| name == identity.name);
        // A node on a full disk starts, to answer what it can, if there is nothing to write.
        if is_there && is_named_so {
            return Ok(identity);
        }
        if let Some(name) = name {
            name.clone_into(&mut identity.name);
        }
        self.save(&identity)?;
        Ok(identity)
    }

    /// Writes `node.yaml` so that a crash leaves the old or the new one.
    ///
    /// # Errors
    /// The file system's.
    pub fn save(&self, identity: &Identity) -> Result<(), DirectoryError> {
        let path = self.path.join("node.yaml");
        let text = serde_saphyr::to_string(identity).map_err(|error| DirectoryError::Identity {
            path: path.clone(),
            detail: error.to_string(),
        })?;
        replace(&path, text.as_bytes()).map_err(|source| failed("write", &path, source))
    }

    /// The admin token, made at the first start (mode 0600, durable before it
    /// is used).
    ///
    /// # Errors
    /// [`DirectoryError::AdminToken`] for a file that holds something else, or
    /// the file system's.
    pub fn admin_token(&self, random: &dyn Random) -> Result<String, DirectoryError> {
        let path = self.path.join("admin-token");
        match read_bounded(&path) {
            // A crash between creating and writing leaves an empty file.
            Ok(text) if token::is_well_formed(token::Kind::Admin, text.trim()) => {
                return Ok(text.trim().to_owned());
            }
            Ok(text) if !text.trim().is_empty() => return Err(DirectoryError::AdminToken(path)),
            Ok(_) => fs::remove_file(&path).map_err(|source| failed("remove", &path, source))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(failed("read", &path, source)),
        }
        let token = token::draw(token::Kind::Admin, random);
        write_private(&path, token.as_bytes()).map_err(|source| failed("write", &path, source))?;
        Ok(token)
    }

    /// Publishes where the node listens, for other commands on this machine.
    ///
    /// # Errors
    /// The file system's.
    pub fn publish_address(&self, address: &Address) -> Result<(), DirectoryError> {
        let path = self.path.join("address");
        replace(&path, written(address).as_bytes()).map_err(|source| failed("write", &path, source))
    }

    /// Takes the address back when the node stops; best effort, since a stale
    /// one is found out by connecting.
    pub fn withdraw_address(&self) {
        let _ = fs::remove_file(self.path.join("address"));
    }
}

/// An address as the file holds it: below it, the certificate that is shown there.
fn written(address: &Address) -> String {
    match address.fingerprint() {
        Some(fingerprint) => format!("{}\n{fingerprint}\n", address.url()),
        None => address.url().to_owned(),
    }
}

fn read_address(text: &str) -> io::Result<Address> {
    let (url, fingerprint) = text.trim().split_once('\n').unwrap_or((text.trim(), ""));
    let fingerprint = match fingerprint.trim() {
        "" => None,
        text => Some(text.parse().map_err(io::Error::other)?),
    };
    Ok(Address::new(url.trim(), fingerprint))
}

/// The address and admin token of the node that runs on `path`, for commands
/// that talk to it. `None` when no node has published an address.
///
/// # Errors
/// The file system's, as when the token is another user's.
pub fn running_node(path: &Path) -> io::Result<Option<(Address, String)>> {
    let address = match read_bounded(&path.join("address")) {
        Ok(text) => read_address(&text)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let token = read_bounded(&path.join("admin-token"))?;
    Ok(Some((address, token.trim().to_owned())))
}

fn parse_identity(path: &Path, text: &str) -> Result<Identity, DirectoryError> {
    serde_saphyr::from_str(text).map_err(|error| DirectoryError::Identity {
        path: path.to_owned(),
        detail: error.to_string(),
    })
}

fn failed(what: &'static str, path: &Path, source: io::Error) -> DirectoryError {
    DirectoryError::Io {
        what,
        path: path.to_owned(),
        source,
    }
}

fn read_bounded(path: &Path) -> io::Result<String> {
    if fs::metadata(path)?.len() > IDENTITY_BYTES {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "file is too long to be ours",
        ));
    }
    fs::read_to_string(path)
}

/// Makes a directory that only its owner enters, and makes it stay: a power cut
/// must not take the place of what is acknowledged in it.
fn make_private(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    if path.is_dir() {
        return Ok(());
    }
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)?;
    let path = std::path::absolute(path)?;
    for above in path.ancestors().skip(1) {
        match File::open(above) {
            // One that may be entered but not read was there before.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
            opened => opened?.sync_all()?,
        }
    }
    Ok(())
}

/// Creates `path` anew (mode 0600) and returns once it is durable.
fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    sync_parent(path)
}

/// Replaces `path` by temporary file, fsync, rename and directory fsync.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("new");
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    write_private(&temporary, bytes)?;
    fs::rename(&temporary, path)?;
    sync_parent(path)
}

fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().unwrap_or(Path::new("/"));
    File::open(parent)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::SeededRandom;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn identity_and_token_are_made_once() {
        let folder = tempfile::tempdir().unwrap();
        let random = SeededRandom::new(1);
        let directory = Directory::open(folder.path()).unwrap();
        let log = LogId::from_u64(7);
        let identity = directory.identity(log, Some("reef"), &random).unwrap();
        let token = directory.admin_token(&random).unwrap();
        assert_eq!(identity.name, "reef");
        assert_eq!(directory.identity(log, None, &random).unwrap(), identity);
        assert_eq!(directory.admin_token(&random).unwrap(), token);
        let mode = fs::metadata(folder.path().join("admin-token"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        let foreign = directory.identity(LogId::from_u64(8), None, &random);
        assert!(matches!(foreign, Err(DirectoryError::ForeignLog { .. })));
    }

    #[test]
    fn a_second_node_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let first = Directory::open(folder.path()).unwrap();
        assert!(matches!(
            Directory::open(folder.path()),
            Err(DirectoryError::Locked(_))
        ));
        drop(first);
        Directory::open(folder.path()).unwrap();
    }

    #[test]
    fn the_address_is_found_with_its_certificate() {
        let folder = tempfile::tempdir().unwrap();
        let directory = Directory::open(folder.path()).unwrap();
        let token = directory.admin_token(&SeededRandom::new(1)).unwrap();
        assert!(running_node(folder.path()).unwrap().is_none());
        for (url, fingerprint) in [
            ("http://127.0.0.1:1", None),
            (
                "https://[::1]:1",
                Some(base::Fingerprint::of(b"certificate")),
            ),
        ] {
            let address = Address::new(url, fingerprint);
            directory.publish_address(&address).unwrap();
            let found = running_node(folder.path()).unwrap();
            assert_eq!(found, Some((address, token.clone())));
        }
    }

    #[test]
    fn an_empty_token_left_by_a_crash_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let directory = Directory::open(folder.path()).unwrap();
        fs::write(folder.path().join("admin-token"), "").unwrap();
        assert!(
            directory
                .admin_token(&SeededRandom::new(1))
                .unwrap()
                .starts_with("adm_")
        );
    }

    #[test]
    fn a_part_of_a_token_is_refused_by_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let directory = Directory::open(folder.path()).unwrap();
        let random = SeededRandom::new(1);
        let token = directory.admin_token(&random).unwrap();
        for wrong in ["x", "adm_", &token[..token.len() - 1], &format!("{token}0")] {
            fs::write(folder.path().join("admin-token"), wrong).unwrap();
            let refused = directory.admin_token(&random).unwrap_err().to_string();
            assert!(refused.contains("/admin-token is not"), "{refused}");
        }
        fs::write(folder.path().join("admin-token"), format!("{token}\n")).unwrap();
        assert_eq!(directory.admin_token(&random).unwrap(), token);
    }

    #[test]
    fn data_without_its_identity_is_refused() {
        for (left, refused) in [
            ("log", false),
            ("state.db", true),
            ("blobs", true),
            ("snapshots", true),
            ("admin-token", true),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let directory = Directory::open(folder.path()).unwrap();
            fs::create_dir(folder.path().join(left)).unwrap();
            assert_eq!(directory.check_identity().is_err(), refused, "{left}");
            fs::write(folder.path().join("node.yaml"), "").unwrap();
            directory.check_identity().unwrap();
        }
    }
}
