//! Who may hold a connection: so many in all, and so many of each address, over all
//! loops of a process.
//!
//! [`Admission`] stands before any protocol, in any model. Whoever has no place is
//! told so before a byte of theirs is read, and let go as [`Refused`] does; those who
//! are being let go take their descriptors out of the same share of what the process
//! may have open ([`Bounds::within`]).

use super::protocol::{Counts, Figures, Phase, Protocol};
use super::refuse::Refused;
use futures_util::future::{Either, FutureExt, ready};
use std::collections::HashMap;
use std::future::Future;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpStream};
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Semaphore;

/// How many connections a process holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// In all.
    pub total: usize,
    /// Of those, from one address: an IPv4 address, or an IPv6 /64, which one machine
    /// may have to itself. Loopback is exempt, for a reverse proxy on this machine
    /// speaks for everyone.
    pub per_address: usize,
}

/// Refused clients that are listened to beside them, at most; more are cut off.
const REFUSED: usize = 256;

/// Open files of a process that are neither clients' nor for clients: listeners, logs,
/// what its loops wait with.
const OWN: u64 = 32;

/// Of the other open files that a process may have, clients get so many in four. The rest is
/// for files, of which those that are asked for most are open once for all; a client
/// whose file finds no room is answered 503.
const CLIENTS_IN_FOUR: u64 = 3;

/// Of what there is for connections, the share that refused clients may take where
/// descriptors are few.
const REFUSED_SHARE: usize = 16;

impl Bounds {
    /// With fewer, no client would find a place.
    pub(super) const LEAST_DESCRIPTORS: u64 = OWN + 4;

    /// The same, where no more than `descriptors` may be open: three in four are for
    /// clients, with those that are refused.
    #[must_use]
    pub fn within(self, descriptors: u64) -> Self {
        let clients = descriptors.saturating_sub(OWN) / 4 * CLIENTS_IN_FOUR;
        let clients = usize::try_from(clients).unwrap_or(usize::MAX);
        let refused = REFUSED.min(clients / REFUSED_SHARE);
        Self {
            total: self.total.min(clients - refused),
            ..self
        }
    }

    /// As many descriptors as leave room for all of them.
    pub fn descriptors(self) -> u64 {
        let clients = self.total.saturating_add(self.refused());
        (clients as u64).saturating_mul(2).saturating_add(OWN)
    }

    /// Refused clients that fit beside `total`.
    fn refused(self) -> usize {
        // What `within` left, or more.
        REFUSED.min(self.total / (REFUSED_SHARE - 1)).max(1)
    }
}

/// The places of a process, which all its loops share.
#[derive(Clone, Debug)]
pub struct Slots(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    bounds: Bounds,
    held: Mutex<Held>,
    /// What is left of how many refused clients may be listened to.
    refused: Arc<Semaphore>,
    /// Connections that found no place, up to now.
    turned_away: AtomicU64,
}

#[derive(Debug, Default)]
struct Held {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// One connection's place, until it is dropped.
#[derive(Debug)]
struct Slot {
    slots: Slots,
    /// Whom it counts for, if that is bounded.
    holder: Option<IpAddr>,
}

impl Slots {
    /// Places that nobody has yet.
    pub fn new(bounds: Bounds) -> Self {
        Self(Arc::new(Shared {
            bounds,
            held: Mutex::default(),
            refused: Arc::new(Semaphore::new(bounds.refused())),
            turned_away: AtomicU64::new(0),
        }))
    }

    /// How many connections have found no place up to now.
    pub fn turned_away(&self) -> u64 {
        self.0.turned_away.load(Ordering::Relaxed)
    }

    /// A place for a connection from `address`, while there is one.
    fn take(&self, address: IpAddr) -> Option<Slot> {
        let Bounds { total, per_address } = self.0.bounds;
        let holder = holder(address);
        let mut held = self.lock();
        if held.all >= total {
            return None;
        }
        if let Some(holder) = holder {
            let of_holder = held.by_address.entry(holder).or_default();
            if *of_holder >= per_address {
                return None;
            }
            *of_holder += 1;
        }
        held.all += 1;
        drop(held);
        let slots = self.clone();
        Some(Slot { slots, holder })
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        // A panic leaves a count at most.
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut held = self.slots.lock();
        held.all -= 1;
        if let Some(holder) = self.holder
            && let Some(count) = held.by_address.get_mut(&holder)
        {
            *count -= 1;
            if *count == 0 {
                held.by_address.remove(&holder);
            }
        }
    }
}

/// Whom an address counts for.
fn holder(address: IpAddr) -> Option<IpAddr> {
    match address.to_canonical() {
        ip if ip.is_loopback() => None,
        IpAddr::V6(ip) => {
            let prefix = u128::from(ip) >> 64 << 64;
            Some(IpAddr::V6(Ipv6Addr::from(prefix)))
        }
        ip => Some(ip),
    }
}

/// A protocol for those connections that have a place.
#[derive(Debug)]
pub struct Admission<P> {
    protocol: Rc<P>,
    slots: Slots,
    refused: Refused,
}

impl<P: Protocol> Admission<P> {
    /// One loop's `protocol`, and the places of all.
    pub fn new(protocol: Rc<P>, slots: &Slots) -> Self {
        Self {
            protocol,
            slots: slots.clone(),
            refused: Refused::new(Arc::clone(&slots.0.refused)),
        }
    }
}

impl<P: Protocol> Protocol for Admission<P> {
    fn serve(
        self: Rc<Self>,
        stream: TcpStream,
        peer: SocketAddr,
    ) -> impl Future<Output = ()> + 'static {
        // By hand: an `async` block would hold the connection's state twice.
        match self.slots.take(peer.ip()) {
            Some(slot) => {
                let serving = Rc::clone(&self.protocol).serve(stream, peer);
                Either::Left(serving.map(move |()| drop(slot)))
            }
            None => {
                self.slots.0.turned_away.fetch_add(1, Ordering::Relaxed);
                self.refused.add(stream, self.busy());
                Either::Right(ready(()))
            }
        }
    }

    fn watch(self: Rc<Self>) -> impl Future<Output = ()> + 'static {
        Rc::clone(&self.protocol).watch()
    }

    fn enter(&self, phase: Phase) {
        self.protocol.enter(phase);
    }

    fn emptied(&self) -> impl Future<Output = ()> {
        self.protocol.emptied()
    }

    fn busy(&self) -> &'static [u8] {
        self.protocol.busy()
    }

    fn counts(&self) -> Counts {
        self.protocol.counts()
    }

    fn figures(&self) -> Figures {
        self.protocol.figures()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds {
        total: 4096,
        per_address: 512,
    };

    #[test]
    fn one_address_cannot_hold_all_connections() {
        let slots = Slots::new(BOUNDS);
        let take = |address: &str| slots.take(address.parse().unwrap());
        let mut held: Vec<_> = (0..BOUNDS.per_address)
            .map(|_| take("192.0.2.1").unwrap())
            .collect();
        assert!(take("192.0.2.1").is_none());
        assert!(take("::ffff:192.0.2.1").is_none(), "the same in IPv6");
        assert!(take("192.0.2.2").is_some());
        held.pop();
        assert!(take("192.0.2.1").is_some());

        let network: Vec<_> = (0..BOUNDS.per_address)
            .map(|host| take(&format!("2001:db8::{host:x}")).unwrap())
            .collect();
        assert!(take("2001:db8::ffff").is_none(), "the same /64");
        assert!(take("2001:db8:0:1::1").is_some());

        let rest: Vec<_> = std::iter::from_fn(|| take("127.0.0.1")).collect();
        assert!(rest.len() > BOUNDS.per_address, "a proxy for many");
        assert!(take("192.0.2.9").is_none(), "there are no more in all");
        drop((held, rest));
        assert!(take("192.0.2.9").is_some());
        drop(network);
        assert!(slots.lock().by_address.is_empty());
    }

    #[test]
    fn files_keep_a_quarter_of_what_may_be_open() {
        for (descriptors, expected) in [
            (0, 0),
            (64, 23),
            (256, 158),
            (1024, 698),
            (4096, 2858),
            (16_384, 4096),
            (u64::MAX, 4096),
        ] {
            let bounds = BOUNDS.within(descriptors);
            assert_eq!(bounds.total, expected, "{descriptors}");
            let clients = (bounds.total + bounds.refused()) as u64;
            assert!(clients <= (descriptors / 4 * 3).max(1), "{descriptors}");
        }
        assert_eq!(BOUNDS.within(BOUNDS.descriptors()), BOUNDS);
    }
}
