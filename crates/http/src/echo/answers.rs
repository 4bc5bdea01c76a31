//! Which datagrams are echoed: none that an answer could bring back for ever, and of
//! each address no more than a bound.
//!
//! A datagram says itself where it comes from, and may lie. One that says to come from
//! a service that answers whatever it gets, another echo or this one, is sent to and
//! fro until somebody drops it. It reads no clock and has no socket: those are in
//! [`super::udp`].

use crate::limit::{Client, Limit, LimitError, Limiter, LimiterSize, Quota, Route, Rules};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

/// Ports below this are a system's services', many of which answer whatever they get
/// (echo 7, chargen 19, DNS 53); a client's own port is not among them.
const FIRST_CLIENT_PORT: u16 = 1024;

/// What an address may have answered in each [`PERIOD`], in units of [`UNIT_BYTES`]: a
/// megabyte at most. Far more than whoever looks at round trips asks for, and so little
/// that a datagram that goes to and fro keeps nobody busy: on a local network it comes
/// back more often than this, and is dropped within the second.
const ANSWERS: u32 = 1000;

/// See [`ANSWERS`].
const PERIOD: Duration = Duration::from_secs(1);

/// A datagram counts once for every such part of it, so that long ones are bounded as
/// short ones are.
const UNIT_BYTES: usize = 1024;

/// Addresses that are remembered; a flood of forged ones forgets the oldest.
const ADDRESSES: usize = 4096;

/// The name of the one thing that is counted.
const ROUTE: &str = "echo";

/// What one loop knows of those that it answers.
#[derive(Debug)]
pub(super) struct Answers {
    /// Where it listens itself.
    port: u16,
    limiter: Limiter,
    route: Route,
}

impl Answers {
    /// For a socket at `port`.
    ///
    /// # Errors
    /// The limiter refuses the bound above.
    pub(super) fn at(port: u16) -> Result<Self, LimitError> {
        let limit = Limit::Bucket {
            count: ANSWERS,
            period: PERIOD,
            burst: ANSWERS,
        };
        let rules = Rules {
            default: None,
            routes: BTreeMap::from([(ROUTE.to_owned(), Some(limit))]),
        };
        // One loop has it alone.
        let size = LimiterSize {
            shards: 1,
            clients: ADDRESSES,
            ..LimiterSize::default()
        };
        let limiter = Limiter::new(&[ROUTE], &rules, size)?;
        let route = limiter.route(ROUTE).expect("it has just been named");
        Ok(Self {
            port,
            limiter,
            route,
        })
    }

    /// Whether a datagram of `bytes` from `peer` is answered at `now`, on a clock that
    /// never runs backwards.
    pub(super) fn are_due(&self, peer: SocketAddr, bytes: usize, now: Duration) -> bool {
        // From its own port come this socket, by whichever address of the machine, and
        // other machines' echoes at the same port.
        if peer.port() < FIRST_CLIENT_PORT || peer.port() == self.port {
            return false;
        }
        // The kernel takes datagrams from loopback only of this machine's programs.
        if peer.ip().to_canonical().is_loopback() {
            return true;
        }
        let client = Client::at(peer.ip());
        // A datagram has at most 64 of them.
        let units = bytes.div_ceil(UNIT_BYTES).max(1) as u32;
        let decision = self.limiter.take(client, self.route, units, now);
        decision.is_allowed()
    }
}

#[cfg(test)]
mod tests {
    use super::{ANSWERS, Answers, PERIOD};
    use std::net::SocketAddr;
    use std::time::Duration;

    /// How many of `asked` datagrams of `bytes` are answered at `now`.
    fn answered(answers: &Answers, peer: &str, bytes: usize, asked: u32, now: Duration) -> u32 {
        let peer: SocketAddr = peer.parse().unwrap();
        let due = (0..asked).filter(|_| answers.are_due(peer, bytes, now));
        due.count() as u32
    }

    #[test]
    fn services_and_echoes_are_not_answered() {
        let answers = Answers::at(7007).unwrap();
        let check = |peer: &str, expected| {
            let found = answered(&answers, peer, 10, 1, Duration::ZERO);
            assert_eq!(found == 1, expected, "{peer}");
        };
        check("192.0.2.1:50000", true);
        check("[2001:db8::1]:1024", true);
        check("127.0.0.1:50000", true);
        // This socket, by any of the machine's addresses, and others like it.
        check("127.0.0.1:7007", false);
        check("192.0.2.1:7007", false);
        check("[::1]:7007", false);
        // Echo, chargen, DNS, NTP, and the last of the system's ports.
        for port in [0, 7, 19, 53, 123, 1023] {
            check(&format!("192.0.2.1:{port}"), false);
            check(&format!("127.0.0.1:{port}"), false);
        }
    }

    #[test]
    fn an_address_has_its_bound_whatever_its_ports_are() {
        let answers = Answers::at(7007).unwrap();
        let check = |peer: &str, bytes, asked, now, expected| {
            let found = answered(&answers, peer, bytes, asked, now);
            assert_eq!(found, expected, "{peer} {bytes} bytes at {now:?}");
        };
        let (start, half) = (Duration::ZERO, PERIOD / 2);
        check("192.0.2.1:2000", 0, ANSWERS - 1, start, ANSWERS - 1);
        check("192.0.2.1:3000", 1024, 10, start, 1);
        check("192.0.2.2:2000", 1024, 10, start, 10);
        check("192.0.2.1:2000", 1024, ANSWERS, half, ANSWERS / 2);
        check("192.0.2.1:2000", 1025, ANSWERS, PERIOD, ANSWERS / 4);
        check("127.0.0.1:2000", 1024, 2 * ANSWERS, start, 2 * ANSWERS);
        check(
            "[::ffff:127.0.0.1]:2000",
            1,
            2 * ANSWERS,
            start,
            2 * ANSWERS,
        );
    }

    /// Two servers that a forged datagram set upon each other, as quick as the network
    /// brings it: it is gone before the second is over.
    #[test]
    fn a_datagram_between_two_servers_does_not_go_on_for_ever() {
        let (one, other) = (Answers::at(7007).unwrap(), Answers::at(7008).unwrap());
        let one_at = "192.0.2.1:7007".parse().unwrap();
        let other_at = "192.0.2.2:7008".parse().unwrap();
        let trip = Duration::from_micros(100);
        let mut now = Duration::ZERO;
        while one.are_due(other_at, 100, now) && other.are_due(one_at, 100, now + trip) {
            now += 2 * trip;
            assert!(now < PERIOD, "still going to and fro");
        }
    }
}
