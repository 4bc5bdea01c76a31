//! How often a client may ask the node, by class of request: per address before
//! anyone has signed in, per device afterwards, and per address for credentials
//! that did not work.
//!
//! Counting is `httpd::limit`'s; which requests are of which class, and what they
//! may do, is decided here. Who is asked is [`crate::api`]'s business. The table for
//! clients is in `docs/protocol.md`.

use base::DeviceId;
use http::Method;
use httpd::limit::{Client, Decision, Limit, LimitError, Limiter, LimiterSize, Quota, Rules};
use state::TokenHash;
use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The address that a request came from. Absent where no listener is in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

/// What a request is for, as far as limits are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// A token is exchanged or made.
    Join,
    /// Something is to change.
    Write,
    /// Something is read.
    Read,
    /// A feed is opened.
    Feed,
    /// Anyone may ask: probes, metrics, the page.
    Open,
}

/// All classes, in the order of their numbers.
pub const CLASSES: [Class; 5] = [
    Class::Join,
    Class::Write,
    Class::Read,
    Class::Feed,
    Class::Open,
];

/// What comes back in each second, and what may be saved.
struct Rate(Class, u32, u32);

/// Of one address, which may be that of a whole office. Registering is rare, and a
/// class of a hundred that joins at once waits for half a minute. A folder that
/// syncs asks some 600 times a second at most (files of 1 MiB on this machine), small
/// files 512 at a time; so a dozen of the fastest share an address without a wait.
const OF_AN_ADDRESS: [Rate; 5] = [
    Rate(Class::Join, 2, 60),
    Rate(Class::Write, 5000, 10_000),
    Rate(Class::Read, 10_000, 10_000),
    Rate(Class::Feed, 2000, 10_000),
    Rate(Class::Open, 200, 2000),
];

/// Of one device: the fastest folder seen, several times over.
const OF_A_DEVICE: [Rate; 5] = [
    Rate(Class::Join, 20, 200),
    Rate(Class::Write, 2000, 10_000),
    Rate(Class::Read, 3000, 10_000),
    Rate(Class::Feed, 500, 5000),
    Rate(Class::Open, 200, 2000),
];

/// Credentials that did not work, of one address: a person mistypes a few, a device
/// that was removed tries now and then. Whoever goes on is not asked for more.
const FAILURES: Limit = Limit::Bucket {
    count: 1,
    period: Duration::from_secs(2),
    burst: 30,
};

/// Its name in headers and figures.
const FAILED: &str = "failed";

/// Credentials that are known to have worked, twice: they are heard even from an
/// address where others fail. More folders than a node has at once.
const PROVED: usize = 10_000;

/// The limits of a node.
pub struct Throttle {
    addresses: Limiter,
    devices: Limiter,
    failures: Limiter,
    proved: Mutex<Proved>,
    refused: [AtomicU64; CLASSES.len() + 1],
    begun: Instant,
}

/// What worked of late, in two generations, so that it stays bounded.
#[derive(Default)]
struct Proved {
    now: HashSet<TokenHash>,
    before: HashSet<TokenHash>,
}

/// A request that comes too often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooOften {
    /// The limit that it met.
    pub name: &'static str,
    /// How the client stands with it.
    pub decision: Decision,
}

impl Class {
    /// Of a request.
    pub fn of(method: &Method, path: &str) -> Self {
        let reads = matches!(*method, Method::GET | Method::HEAD);
        match path {
            "/api/register" | "/api/invites" => Self::Join,
            "/link" if !reads => Self::Join,
            "/api/changes" => Self::Feed,
            // It reads only, and the client says much with it.
            "/api/sync/diff" | "/api/sync/start" => Self::Read,
            _ if !path.starts_with("/api/") => Self::Open,
            _ if reads => Self::Read,
            _ => Self::Write,
        }
    }

    /// Its name in headers and figures.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Join => "join",
            Self::Write => "write",
            Self::Read => "read",
            Self::Feed => "feed",
            Self::Open => "open",
        }
    }
}

impl Default for Throttle {
    fn default() -> Self {
        Self::new().expect("the rates above are in range; a test makes them all")
    }
}

impl Throttle {
    /// Nobody has asked yet.
    ///
    /// # Errors
    /// A rate above is out of range.
    fn new() -> Result<Self, LimitError> {
        Ok(Self {
            addresses: limiter(&OF_AN_ADDRESS)?,
            devices: limiter(&OF_A_DEVICE)?,
            failures: Limiter::new(
                &[FAILED],
                &Rules {
                    default: Some(FAILURES),
                    ..Rules::default()
                },
                LimiterSize::default(),
            )?,
            proved: Mutex::default(),
            refused: Default::default(),
            begun: Instant::now(),
        })
    }

    /// Whether `peer` may ask for something of `class` now. Loopback may, for a
    /// reverse proxy on this machine speaks for everyone, as its own folders do.
    ///
    /// # Errors
    /// [`TooOften`].
    pub fn admit(&self, peer: Peer, class: Class) -> Result<(), TooOften> {
        if peer.0.to_canonical().is_loopback() {
            return Ok(());
        }
        self.take(&self.addresses, Client::at(peer.0), class)
    }

    /// Whether `device` may ask for something of `class` now.
    ///
    /// # Errors
    /// [`TooOften`].
    pub fn admit_device(&self, device: DeviceId, class: Class) -> Result<(), TooOften> {
        let client = Client::Known(u128::from(device.index()) << 16 | u128::from(device.ordinal()));
        self.take(&self.devices, client, class)
    }

    /// Whether a credential from `peer` is looked at: one that worked of late is.
    ///
    /// # Errors
    /// [`TooOften`] when too many others did not work.
    pub fn hear(&self, peer: Peer, credential: Option<&TokenHash>) -> Result<(), TooOften> {
        if credential.is_some_and(|hash| self.proved().has(hash)) {
            return Ok(());
        }
        match self.fail(peer, 0) {
            Decision::Allowed(allowance) if allowance.remaining == 0 => {
                self.refused[CLASSES.len()].fetch_add(1, Ordering::Relaxed);
                Err(TooOften {
                    name: FAILED,
                    decision: Decision::Refused {
                        allowance,
                        retry_after: allowance.period,
                    },
                })
            }
            _ => Ok(()),
        }
    }

    /// A credential from `peer` did not work.
    pub fn failed(&self, peer: Peer, credential: Option<&TokenHash>) {
        if let Some(hash) = credential {
            self.proved().remove(hash);
        }
        self.fail(peer, 1);
    }

    /// A credential worked.
    pub fn worked(&self, credential: &TokenHash) {
        self.proved().add(*credential);
    }

    /// How many requests of each class were refused, by its name.
    pub fn refused(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let names = CLASSES.map(Class::name).into_iter().chain([FAILED]);
        let counts = self.refused.iter();
        names.zip(counts.map(|count| count.load(Ordering::Relaxed)))
    }

    fn take(&self, limiter: &Limiter, client: Client, class: Class) -> Result<(), TooOften> {
        let name = class.name();
        let Some(route) = limiter.route(name) else {
            return Ok(());
        };
        let decision = limiter.take(client, route, 1, self.begun.elapsed());
        if decision.is_allowed() {
            return Ok(());
        }
        self.refused[class as usize].fetch_add(1, Ordering::Relaxed);
        Err(TooOften { name, decision })
    }

    fn fail(&self, peer: Peer, cost: u32) -> Decision {
        match self.failures.route(FAILED) {
            Some(route) => {
                let now = self.begun.elapsed();
                self.failures.take(Client::at(peer.0), route, cost, now)
            }
            None => Decision::Unlimited,
        }
    }

    fn proved(&self) -> std::sync::MutexGuard<'_, Proved> {
        self.proved.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Proved {
    fn has(&mut self, hash: &TokenHash) -> bool {
        let known = self.now.contains(hash) || self.before.contains(hash);
        if known {
            self.add(*hash);
        }
        known
    }

    fn add(&mut self, hash: TokenHash) {
        if self.now.len() >= PROVED {
            self.before = std::mem::take(&mut self.now);
        }
        self.now.insert(hash);
    }

    fn remove(&mut self, hash: &TokenHash) {
        self.now.remove(hash);
        self.before.remove(hash);
    }
}

fn limiter(rates: &[Rate]) -> Result<Limiter, LimitError> {
    let names: Vec<_> = rates.iter().map(|rate| rate.0.name()).collect();
    let limit = |rate: &Rate| Limit::Bucket {
        count: rate.1,
        period: Duration::from_secs(1),
        burst: rate.2,
    };
    let routes = rates
        .iter()
        .map(|rate| (rate.0.name().to_owned(), Some(limit(rate))));
    let rules = Rules {
        default: None,
        routes: routes.collect(),
    };
    Limiter::new(&names, &rules, LimiterSize::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(address: &str) -> Peer {
        Peer(address.parse().unwrap())
    }

    #[test]
    fn classes_of_requests() {
        for (method, path, class) in [
            (Method::POST, "/api/register", Class::Join),
            (Method::POST, "/api/invites", Class::Join),
            (Method::POST, "/link", Class::Join),
            (Method::GET, "/link", Class::Open),
            (Method::GET, "/api/changes", Class::Feed),
            (Method::POST, "/api/sync/diff", Class::Read),
            (Method::GET, "/api/file/download", Class::Read),
            (Method::POST, "/api/file/upload", Class::Write),
            (Method::DELETE, "/api/metadata", Class::Write),
            (Method::GET, "/health", Class::Open),
            (Method::GET, "/nothing", Class::Open),
        ] {
            assert_eq!(Class::of(&method, path), class, "{method} {path}");
        }
    }

    #[test]
    fn an_address_has_its_share_of_each_class() {
        let throttle = Throttle::default();
        let ask = |address, class| throttle.admit(peer(address), class);
        let refused = (0..1000).find_map(|_| ask("192.0.2.1", Class::Join).err());
        let refused = refused.expect("nobody registers a thousand times at once");
        assert_eq!(refused.name, "join");
        assert!(ask("192.0.2.1", Class::Read).is_ok());
        assert!(ask("192.0.2.2", Class::Join).is_ok());
        for _ in 0..1000 {
            assert!(ask("127.0.0.1", Class::Join).is_ok());
        }
        assert!(throttle.refused().any(|told| told == ("join", 1)));
    }

    #[test]
    fn who_fails_is_not_heard_and_who_worked_is() {
        let throttle = Throttle::default();
        let (good, other) = (TokenHash::of("good"), TokenHash::of("other"));
        let here = peer("192.0.2.1");
        throttle.worked(&good);
        for _ in 0..100 {
            throttle.failed(here, Some(&other));
        }
        let refused = throttle.hear(here, Some(&other)).unwrap_err();
        assert_eq!(refused.name, "failed");
        assert!(throttle.hear(here, Some(&good)).is_ok());
        assert!(throttle.hear(peer("192.0.2.2"), Some(&other)).is_ok());
        // One that does not work any more is like the others.
        throttle.failed(here, Some(&good));
        assert!(throttle.hear(here, Some(&good)).is_err());
    }

    #[test]
    fn what_worked_is_bounded() {
        let mut proved = Proved::default();
        let hash = |number: usize| TokenHash::of(&number.to_string());
        for number in 0..3 * PROVED {
            proved.add(hash(number));
        }
        assert!(proved.now.len() + proved.before.len() <= 2 * PROVED);
        assert!(proved.has(&hash(3 * PROVED - 1)));
        assert!(!proved.has(&hash(0)));
    }
}
