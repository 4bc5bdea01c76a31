//! Where requests go: what a URL says about host, port, path and encryption.

use http::Uri;
use rustls::pki_types::ServerName;
use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

/// A server and what is asked of it.
#[derive(Clone, Debug)]
pub struct Target {
    /// What the `Host` field says.
    authority: String,
    path: String,
    address: SocketAddr,
    /// The name that a certificate has to be for; none where nothing is encrypted.
    name: Option<ServerName<'static>>,
}

/// Why nobody can be asked.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// It is no URL of a web server.
    #[error("`{0}` is no URL that can be asked: write it as http://HOST:PORT/PATH or https://HOST")]
    Malformed(String),
    /// Nobody knows where it is.
    #[error("cannot find the address of {host}: {source}")]
    Unknown {
        /// Whose.
        host: String,
        /// Why.
        source: io::Error,
    },
}

impl Target {
    /// What `url` names; its host is looked up. Where that has several addresses, it is
    /// the first at which somebody listens, looked for no longer than `timeout` each.
    ///
    /// # Errors
    /// [`TargetError`].
    pub fn find(url: &str, timeout: Duration) -> Result<Self, TargetError> {
        let malformed = || TargetError::Malformed(url.to_owned());
        let uri: Uri = url.parse().map_err(|_| malformed())?;
        let (is_encrypted, usual_port) = match uri.scheme_str() {
            Some("http") => (false, 80),
            Some("https") => (true, 443),
            _ => return Err(malformed()),
        };
        let host = uri
            .host()
            .filter(|host| !host.is_empty())
            .ok_or_else(malformed)?;
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let port = uri.port_u16().unwrap_or(usual_port);
        let name = is_encrypted.then(|| ServerName::try_from(bare.to_owned()));
        let name = name.transpose().map_err(|_| malformed())?;
        let address = first_that_listens(bare, port, timeout).map_err(|source| {
            let host = host.to_owned();
            TargetError::Unknown { host, source }
        })?;
        let authority = match uri.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        // A query alone has no path (RFC 9112 3.2.1).
        let path = if path.starts_with('/') {
            path.to_owned()
        } else {
            format!("/{path}")
        };
        Ok(Self {
            authority,
            path,
            address,
            name,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn authority(&self) -> &str {
        &self.authority
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn name(&self) -> Option<&ServerName<'static>> {
        self.name.as_ref()
    }
}

fn first_that_listens(host: &str, port: u16, timeout: Duration) -> io::Result<SocketAddr> {
    let addresses: Vec<_> = (host, port).to_socket_addrs()?.collect();
    let listens = |address: &&SocketAddr| TcpStream::connect_timeout(address, timeout).is_ok();
    match &addresses[..] {
        [] => Err(io::Error::other("it has none")),
        [only] => Ok(*only),
        // If nobody does, the requests will say so.
        [first, ..] => Ok(*addresses.iter().find(listens).unwrap_or(first)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(1);

    #[track_caller]
    fn check(url: &str, authority: &str, path: &str, address: &str, is_encrypted: bool) {
        let target = Target::find(url, TIMEOUT).unwrap();
        assert_eq!((target.authority(), target.path()), (authority, path));
        assert_eq!(target.address(), address.parse().unwrap());
        assert_eq!(target.name().is_some(), is_encrypted);
    }

    #[test]
    fn urls_say_whom_to_ask_for_what() {
        check(
            "http://127.0.0.1:81/a?b=c",
            "127.0.0.1:81",
            "/a?b=c",
            "127.0.0.1:81",
            false,
        );
        check("http://127.0.0.1", "127.0.0.1", "/", "127.0.0.1:80", false);
        check("https://[::1]?q", "[::1]", "/?q", "[::1]:443", true);
    }

    #[test]
    fn what_is_no_url_is_said_so() {
        for url in [
            "",
            "127.0.0.1:80",
            "ftp://a/",
            "http://",
            "/a",
            "http://a b/",
        ] {
            let found = Target::find(url, TIMEOUT);
            assert!(
                matches!(found, Err(TargetError::Malformed(_))),
                "{url}: {found:?}"
            );
        }
    }
}
