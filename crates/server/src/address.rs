//! The node's address as others write it: in links, and in lines that a shell
//! reads back. Where it really listens is [`crate::listen`]'s.

use base::Fingerprint;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use sync::Address;

/// Where a node listens, and the certificate that it shows there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endpoint {
    /// With the real port.
    pub address: SocketAddr,
    /// Of its certificate; none where nothing is encrypted.
    pub fingerprint: Option<Fingerprint>,
}

impl Endpoint {
    /// As other machines reach it: at this machine's own address when it listens on
    /// all.
    pub fn public(&self) -> Address {
        self.at(reachable_ip(self.address))
    }

    /// As this machine reaches it.
    pub fn local(&self) -> Address {
        self.at(match self.address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        })
    }

    /// As whoever reaches it as `host`, a name or an address with its port.
    pub fn known_as(&self, host: &str) -> Address {
        let scheme = match self.fingerprint {
            Some(_) => "https",
            None => "http",
        };
        Address::new(&format!("{scheme}://{host}"), self.fingerprint)
    }

    fn at(&self, ip: IpAddr) -> Address {
        self.known_as(&SocketAddr::new(ip, self.address.port()).to_string())
    }
}

/// Where other machines find a listener at `address`.
pub fn reachable_ip(address: SocketAddr) -> IpAddr {
    if address.ip().is_unspecified() {
        outward_ip(address).unwrap_or(address.ip())
    } else {
        address.ip()
    }
}

/// This machine's address on the way out. Connecting a datagram socket sends
/// nothing; 192.0.2.1 and 2001:db8::1 are reserved for documentation.
fn outward_ip(address: SocketAddr) -> Option<IpAddr> {
    let outward = |from, to| {
        let socket = UdpSocket::bind::<&str>(from).ok()?;
        socket.connect::<&str>(to).ok()?;
        Some(socket.local_addr().ok()?.ip())
    };
    let by_four = || outward("0.0.0.0:0", "192.0.2.1:9");
    if address.is_ipv4() {
        by_four()
    } else {
        // A listener on all of IPv6 takes IPv4 too, where that is the way out.
        outward("[::]:0", "[2001:db8::1]:9").or_else(by_four)
    }
}

/// A word that a shell reads back as `text`: brackets of IPv6 are patterns to
/// some.
pub fn shell_word(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+:".contains(&byte);
    if text.bytes().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// Where to listen, as it is typed.
///
/// # Errors
/// [`NoAddress`] says how to type it.
pub fn listen_address(text: &str) -> Result<SocketAddr, NoAddress> {
    text.parse().map_err(|_| NoAddress(nearest(text)))
}

/// Not `IP:PORT`; what was probably meant.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is IP:PORT, such as {0}")]
pub struct NoAddress(SocketAddr);

/// The address that may have been meant: a port alone, a name instead of an
/// address, no port, no brackets.
fn nearest(text: &str) -> SocketAddr {
    let (host, port) = match text.trim_matches(['[', ']']).parse::<IpAddr>() {
        Ok(_) => (text, None),
        Err(_) => text.rsplit_once(':').map_or_else(
            || match text.parse() {
                Ok(port) => ("", Some(port)),
                Err(_) => (text, None),
            },
            |(host, port)| (host, port.parse().ok()),
        ),
    };
    let ip = match host.trim_matches(['[', ']']) {
        "*" => Ipv4Addr::UNSPECIFIED.into(),
        host => host.parse().unwrap_or(Ipv4Addr::LOCALHOST.into()),
    };
    SocketAddr::new(ip, port.unwrap_or(DEFAULT_PORT))
}

/// Where a node listens when nothing else is said.
const DEFAULT_PORT: u16 = 8080;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_meant_is_said() {
        for (typed, meant) in [
            ("9000", "127.0.0.1:9000"),
            (":9000", "127.0.0.1:9000"),
            ("*:9000", "0.0.0.0:9000"),
            ("localhost:9000", "127.0.0.1:9000"),
            ("localhost", "127.0.0.1:8080"),
            ("192.0.2.7", "192.0.2.7:8080"),
            ("192.0.2.7:99999", "192.0.2.7:8080"),
            ("::1", "[::1]:8080"),
            ("::1:9000", "[::1:9000]:8080"),
            ("[::1]", "[::1]:8080"),
            ("", "127.0.0.1:8080"),
        ] {
            let expected = Err(NoAddress(meant.parse().unwrap()));
            assert_eq!(listen_address(typed), expected, "{typed}");
        }
        assert!(listen_address("[::1]:9000").is_ok());
    }

    #[test]
    fn words_for_a_shell() {
        for (text, word) in [
            ("/a/b-c", "/a/b-c"),
            ("/a b", "'/a b'"),
            ("it's", r"'it'\''s'"),
            ("http://127.0.0.1:80", "http://127.0.0.1:80"),
            ("http://[::1]:80", "'http://[::1]:80'"),
        ] {
            assert_eq!(shell_word(text), word);
        }
    }

    #[test]
    fn an_address_of_its_own_is_told_as_it_is() {
        for address in ["127.0.0.1:80", "[::1]:80", "192.0.2.7:1"] {
            for (fingerprint, scheme) in [(None, "http"), (Some(Fingerprint::of(b"")), "https")] {
                let endpoint = Endpoint {
                    address: address.parse().unwrap(),
                    fingerprint,
                };
                let expected = Address::new(&format!("{scheme}://{address}"), fingerprint);
                assert_eq!(endpoint.public(), expected);
                assert_eq!(endpoint.local(), expected);
            }
        }
    }
}
