//! Where things are: the data directory, the node that runs on it, and the
//! synced folder that a path lies in.

use crate::client::Client;
use anyhow::{Context, Result, bail};
use base::Fingerprint;
use std::path::{Component, Path, PathBuf};
use sync::Address;

/// Which node a command talks to.
#[derive(clap::Args)]
pub struct Reach {
    /// Address of the node; without it, the one that runs on the data directory
    #[arg(long, env = "ATOLL_SERVER", value_name = "URL")]
    pub server: Option<String>,
    /// Of the node's certificate, as `atoll up` and `atoll invite` print it
    #[arg(
        long,
        env = "ATOLL_FINGERPRINT",
        value_name = "sha256:HEX",
        requires = "server"
    )]
    pub fingerprint: Option<Fingerprint>,
    /// A device's token, or the node's admin token
    #[arg(
        long,
        env = "ATOLL_TOKEN",
        value_name = "TOKEN",
        hide_env_values = true
    )]
    pub token: Option<String>,
    #[command(flatten)]
    pub data: Data,
}

/// Which data directory a command means.
#[derive(clap::Args)]
pub struct Data {
    /// The data directory [default: $XDG_DATA_HOME/atoll]
    #[arg(long = "data", env = "ATOLL_DATA", value_name = "DIR")]
    path: Option<PathBuf>,
}

/// A place inside a synced folder.
#[derive(Debug)]
pub struct Synced {
    /// The folder.
    pub root: PathBuf,
    /// The place beneath it, with `/` between names.
    pub path: String,
    /// What the folder says of itself.
    pub marker: sync::marker::Marker,
    /// Its device's token.
    pub token: String,
}

impl Data {
    /// The directory that was named, or the user's own.
    pub fn path(&self) -> Result<PathBuf> {
        if let Some(path) = &self.path {
            return std::path::absolute(path).context("cannot tell where the data directory is");
        }
        user_data()
            .map(|base| base.join("atoll"))
            .context("say where the data directory is with --data")
    }
}

/// Where the user's programs keep their data.
pub fn user_data() -> Result<PathBuf> {
    let variable = |name: &str| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    variable("XDG_DATA_HOME")
        .or_else(|| variable("HOME").map(|home| home.join(".local/share")))
        .context("HOME is not set")
}

impl Reach {
    /// The node, by what was said or by what runs on the data directory.
    pub fn client(&self) -> Result<Client> {
        match (&self.server, &self.token) {
            (Some(server), Some(token)) => {
                let address = Address::new(server, self.fingerprint).checked()?;
                Ok(Client::new(&address, token))
            }
            (Some(server), None) => bail!("say the token for {server} with --token or ATOLL_TOKEN"),
            (None, token) => {
                let (address, admin_token) = running_node(&self.data.path()?)?;
                Ok(Client::new(
                    &address,
                    token.as_ref().unwrap_or(&admin_token),
                ))
            }
        }
    }

    /// The same, but a server that was named is asked without a token if none was: others
    /// than nodes answer the same questions, and some ask nobody who they are.
    pub fn client_of_any_server(&self) -> Result<Client> {
        match (&self.server, &self.token) {
            (Some(server), None) => {
                let address = Address::new(server, self.fingerprint).checked()?;
                Ok(Client::with(&address, None))
            }
            _ => self.client(),
        }
    }
}

/// Address and admin token of the node that runs on a data directory.
fn running_node(data: &Path) -> Result<(Address, String)> {
    server::node::running_node(data)
        .with_context(|| format!("cannot read {}", data.display()))?
        .with_context(|| {
            format!(
                "no node runs on {}: start one, or name one with --server",
                data.display()
            )
        })
}

/// Finds the synced folder that `path` lies in, which need not exist any more.
pub fn synced(path: &Path) -> Result<Synced> {
    let path = normal(path)?;
    for root in path.ancestors() {
        // A file on the way up cannot hold a marker; looking in it is an error.
        if !root.is_dir() {
            continue;
        }
        let marker = sync::marker::read(root)
            .with_context(|| format!("cannot read {}/.atoll", root.display()))?;
        let Some(marker) = marker else { continue };
        let token = sync::marker::token(root)
            .with_context(|| format!("cannot read {}/.atoll/token", root.display()))?
            .with_context(|| format!("{} has no token: sync it again", root.display()))?;
        let inside = path.strip_prefix(root).unwrap_or(Path::new(""));
        let Some(inside) = inside.to_str() else {
            bail!("{} is not UTF-8, so it is not synced", path.display());
        };
        return Ok(Synced {
            root: root.to_owned(),
            path: inside.to_owned(),
            marker,
            token,
        });
    }
    bail!("{} does not lie in a synced folder", path.display())
}

/// The absolute path without `.` and `..`, with the links of what exists followed.
fn normal(path: &Path) -> Result<PathBuf> {
    let path = std::path::absolute(path).context("cannot tell where this is")?;
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(clean.pop()),
            Component::CurDir => {}
            _ => clean.push(part),
        }
    }
    // Only the directory is followed: the place itself may be gone, or a link
    // that is itself synced.
    match (clean.parent().map(Path::canonicalize), clean.file_name()) {
        (Some(Ok(parent)), Some(name)) => Ok(parent.join(name)),
        _ => Ok(clean),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_knows_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        std::fs::create_dir_all(root.join(".atoll")).unwrap();
        std::fs::create_dir_all(root.join("a/b")).unwrap();
        let marker = r#"{"site":"0","node":"n","space":"1","slug":"s","server":"http://h:1"}"#;
        std::fs::write(root.join(".atoll/marker.json"), marker).unwrap();
        std::fs::write(root.join(".atoll/token"), "dev_1").unwrap();
        let found = synced(&root.join("a/./b/../gone.txt")).unwrap();
        assert_eq!(
            (found.path.as_str(), found.root.as_path()),
            ("a/gone.txt", root.as_path())
        );
        assert_eq!(
            (found.token.as_str(), found.marker.slug.as_str()),
            ("dev_1", "s")
        );
        assert_eq!(synced(&root).unwrap().path, "");
    }
}
