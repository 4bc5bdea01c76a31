//! Listeners for all addresses of a server: those that it has already, from the
//! program before it, and new ones.
//!
//! A listener that is inherited is never given up while its address is wanted, since
//! closing one resets the connections that wait in it.

use super::listen::{listeners, more_listeners};
use rustix::net::sockopt;
use std::io;
use std::net::{SocketAddr, TcpListener};

/// Listeners of each of `addresses`: those of `inherited` that have it, however many
/// they are, and new ones until there are `each`. Port 0 takes a free port; or that of
/// an inherited listener of the same host that nobody else wants.
///
/// # Errors
/// An address is not of this machine, is taken, or may not be used.
pub fn listeners_for(
    addresses: &[SocketAddr],
    each: usize,
    mut inherited: Vec<TcpListener>,
) -> Result<Vec<TcpListener>, (SocketAddr, io::Error)> {
    let mut groups: Vec<Vec<TcpListener>> = addresses
        .iter()
        .map(|address| take(&mut inherited, |own| own == *address))
        .collect();
    for (address, group) in addresses.iter().zip(&mut groups) {
        if address.port() == 0 && group.is_empty() {
            let is_same_host = |own: &SocketAddr| own.ip() == address.ip();
            let mut known = inherited.iter().filter_map(|one| one.local_addr().ok());
            if let Some(found) = known.find(is_same_host) {
                *group = take(&mut inherited, |own| own == found);
            }
        }
        complete(*address, each, group).map_err(|error| (*address, error))?;
    }
    Ok(groups.into_iter().flatten().collect())
}

/// Takes those out of `listeners` whose address is wanted.
fn take(
    listeners: &mut Vec<TcpListener>,
    is_wanted: impl Fn(SocketAddr) -> bool,
) -> Vec<TcpListener> {
    let is_one = |listener: &mut TcpListener| listener.local_addr().is_ok_and(&is_wanted);
    listeners.extract_if(.., is_one).collect()
}

fn complete(address: SocketAddr, each: usize, group: &mut Vec<TcpListener>) -> io::Result<()> {
    let Some(first) = group.first() else {
        *group = listeners(address, each)?;
        return Ok(());
    };
    // The kernel lets none share an address whose first listener does not.
    let shares = sockopt::socket_reuseport(first)?;
    let missing = each.saturating_sub(group.len());
    if missing > 0 && shares {
        let more = more_listeners(first.local_addr()?, missing)?;
        group.extend(more);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ports(listeners: &[TcpListener]) -> Vec<u16> {
        let ports = listeners.iter().map(|one| one.local_addr().unwrap().port());
        ports.collect()
    }

    #[test]
    fn what_is_inherited_stays_and_what_is_missing_is_added() {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let first = listeners_for(&[any, any], 2, Vec::new()).unwrap();
        let [a, _, b, _] = ports(&first)[..] else {
            panic!("{first:?}");
        };
        assert_ne!(a, b);
        let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let second = listeners_for(&[at(b), any], 3, first).unwrap();
        assert_eq!(ports(&second), [b, b, b, a, a, a]);
        // With fewer, none is closed; an address that is not wanted any more is.
        let third = listeners_for(&[at(a)], 1, second).unwrap();
        assert_eq!(ports(&third), [a, a, a]);
        assert!(TcpListener::bind(at(b)).is_ok());
    }

    #[test]
    fn one_that_does_not_share_stays_alone() {
        let given = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = given.local_addr().unwrap();
        let all = listeners_for(&[address], 3, vec![given]).unwrap();
        assert_eq!(all.len(), 1);
        let (failed, error) = listeners_for(&[address], 1, Vec::new()).unwrap_err();
        assert_eq!((failed, error.kind()), (address, io::ErrorKind::AddrInUse));
    }
}
