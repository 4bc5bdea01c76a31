//! The node's address as others write it: in links, and in lines that a shell
//! reads back. Where it really listens is [`crate::listen`]'s.

use std::net::{IpAddr, SocketAddr, UdpSocket};

/// The address of a listener as other machines reach it: this machine's own when
/// it listens on all.
pub fn public_url(address: SocketAddr) -> String {
    let ip = if address.ip().is_unspecified() {
        outward_ip(address).unwrap_or(address.ip())
    } else {
        address.ip()
    };
    format!("http://{}", SocketAddr::new(ip, address.port()))
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

#[cfg(test)]
mod tests {
    use super::*;

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
            let told = public_url(address.parse().unwrap());
            assert_eq!(told, format!("http://{address}"));
        }
    }
}
