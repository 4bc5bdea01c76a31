//! Certificates that nobody else has signed: made at first use, and kept.
//!
//! Certificate and key lie in one file that only its owner may read and that appears
//! whole or not at all, so that two servers that start together have the same one.

use super::error::TlsError;
use super::identity::{Identity, Pem};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// Rights of others than the owner: none, of a file with a key.
const OTHERS: u32 = 0o077;

impl Identity {
    /// The one that is kept in the file `path`. If there is none it is made there,
    /// for `names`: names and addresses that clients will ask for.
    ///
    /// It is made not to run out: what proves it is its fingerprint.
    ///
    /// # Errors
    /// The file cannot be read or written, others may read it, or it says something
    /// else.
    pub fn kept(path: &Path, names: &[String]) -> Result<Self, TlsError> {
        let pem = Pem::kept(path, names)?;
        Self::new(&pem, &pem)
    }

    /// The one that is kept in the file `path`, which is not made.
    ///
    /// # Errors
    /// As [`Identity::kept`], and where there is no such file.
    pub fn found(path: &Path) -> Result<Self, TlsError> {
        let pem = Pem::found(path)?;
        Self::new(&pem, &pem)
    }
}

impl Pem {
    /// The file `path` as [`Identity::kept`] has it.
    pub(crate) fn kept(path: &Path, names: &[String]) -> Result<Self, TlsError> {
        if !path.exists() {
            let text = make(names)?;
            keep(path, &text).map_err(|source| TlsError::Keep {
                path: path.to_owned(),
                source,
            })?;
        }
        Self::found(path)
    }

    /// The file `path`, which is there and which only its owner may read.
    fn found(path: &Path) -> Result<Self, TlsError> {
        let pem = Self::read("the certificate", path)?;
        // What cannot be asked for its rights could not be read either.
        let is_exposed =
            fs::metadata(path).is_ok_and(|facts| facts.permissions().mode() & OTHERS != 0);
        match is_exposed {
            true => Err(TlsError::Exposed {
                path: path.to_owned(),
            }),
            false => Ok(pem),
        }
    }

    /// What would be made and kept in the file `path`, where there is none; the file,
    /// where there is one.
    pub(crate) fn kept_or_drawn(path: &Path, names: &[String]) -> Result<Self, TlsError> {
        match path.exists() {
            true => Self::kept(path, names),
            false => Ok(Self::new(path, make(names)?.into_bytes())),
        }
    }
}

/// Key and certificate in PEM form.
fn make(names: &[String]) -> Result<String, rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut parameters = CertificateParams::new(names)?;
    parameters.distinguished_name = DistinguishedName::new();
    let name = names.first().map_or("self-signed", String::as_str);
    parameters.distinguished_name.push(DnType::CommonName, name);
    let certificate = parameters.self_signed(&key)?;
    Ok(key.serialize_pem() + &certificate.pem())
}

/// Puts `text` into `path`; if somebody was faster, theirs stays.
fn keep(path: &Path, text: &str) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    if let Some(folder) = folder {
        fs::create_dir_all(folder)?;
    }
    let folder = folder.unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // A name that nobody else could have taken before.
    let number = RandomState::new().hash_one(std::process::id());
    let draft = folder.join(format!(".{name}.{number:016x}"));
    let linked = write(&draft, text).and_then(|()| match fs::hard_link(&draft, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    });
    // A draft that stays is only untidy.
    let _ = fs::remove_file(&draft);
    linked?;
    File::open(folder)?.sync_all()
}

/// Makes the file `path`: what is there already, also as a link, is never written to.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_key_is_never_written_into_what_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let (target, draft) = (folder.path().join("target"), folder.path().join("draft"));
        fs::write(&target, "mine").unwrap();
        symlink(&target, &draft).unwrap();
        for path in [&target, &draft] {
            let refused = write(path, "a key").unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
        }
        assert_eq!(fs::read_to_string(&target).unwrap(), "mine");
    }

    #[test]
    fn a_key_that_others_may_read_proves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("own.pem");
        let names = ["localhost".to_owned()];
        let drawn = Pem::kept_or_drawn(&path, &names).unwrap();
        Identity::new(&drawn, &drawn).unwrap();
        assert!(!path.exists());
        Identity::kept(&path, &names).unwrap();
        // No draft stays beside it.
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        for (mode, is_secret) in [(0o400, true), (0o640, false), (0o604, false), (0o600, true)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let kept = Identity::kept(&path, &names);
            assert_eq!(kept.is_ok(), is_secret, "{mode:o}");
        }
    }
}
