//! Certificates that nobody else has signed: made at first use, and kept.
//!
//! Certificate and key lie in one file that only its owner may read and that appears
//! whole or not at all, so that two servers that start together have the same one.

use super::error::TlsError;
use super::identity::Identity;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

impl Identity {
    /// The one that is kept in the file `path`. If there is none it is made there,
    /// for `names`: names and addresses that clients will ask for.
    ///
    /// It is made not to run out: what proves it is its fingerprint.
    ///
    /// # Errors
    /// The file cannot be read or written, or says something else.
    pub fn kept(path: &Path, names: &[String]) -> Result<Self, TlsError> {
        if !path.exists() {
            let text = make(names)?;
            keep(path, &text).map_err(|source| TlsError::Keep {
                path: path.to_owned(),
                source,
            })?;
        }
        Self::read(path, path)
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
    let draft = folder.join(format!(".{name}.{}", std::process::id()));
    let linked = write(&draft, text).and_then(|()| match fs::hard_link(&draft, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    });
    // A draft that stays is only untidy.
    let _ = fs::remove_file(&draft);
    linked?;
    File::open(folder)?.sync_all()
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
