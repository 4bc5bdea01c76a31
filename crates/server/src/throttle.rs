//! How often a client may ask the node, by class of request: per address before
//! anyone has signed in, per device afterwards, and per address for credentials
//! that did not work.
//!
//! Counting is `httpd::limit`'s; which requests are of which class, and what they
//! may do unless [`crate::config`] says something else, is decided here. Who is asked
//! is [`crate::api`]'s business. The table for clients is in `docs/protocol.md`.

use base::DeviceId;
use http::Method;
use httpd::limit::{
    Client, Decision, Limit, LimitError, Limiter, LimiterSize, Quota, RECORDED_CLASSES, Recorder,
    Rules,
};
use serde::Deserialize;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// The address that a request came from. Absent where no listener is in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

/// What a request is for, as far as limits are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// A token is exchanged or made.
    Join,
    /// Something is to change.
    Write,
    /// Something is read.
    Read,
    /// A feed is opened.
    Feed,
    /// Samples of metrics are sent.
    Push,
    /// Anyone may ask: probes, metrics, the page.
    Open,
}

/// All classes, in the order of their numbers.
pub const CLASSES: [Class; 6] = [
    Class::Join,
    Class::Write,
    Class::Read,
    Class::Feed,
    Class::Push,
    Class::Open,
];

/// What comes back in each second, and what may be saved.
struct Rate(Class, u32, u32);

/// Of one address, which may be that of a whole office. Registering is rare, and a
/// class of a hundred that joins at once waits for half a minute. A folder that
/// syncs asks some 600 times a second at most (files of 1 MiB on this machine), small
/// files 512 at a time; so a dozen of the fastest share an address without a wait.
const OF_AN_ADDRESS: [Rate; 6] = [
    Rate(Class::Join, 2, 60),
    Rate(Class::Write, 5000, 10_000),
    Rate(Class::Read, 10_000, 10_000),
    Rate(Class::Feed, 2000, 10_000),
    Rate(Class::Push, 10_000, 10_000),
    Rate(Class::Open, 200, 2000),
];

/// Of one device: the fastest folder seen, several times over.
const OF_A_DEVICE: [Rate; 6] = [
    Rate(Class::Join, 20, 200),
    Rate(Class::Write, 2000, 10_000),
    Rate(Class::Read, 3000, 10_000),
    Rate(Class::Feed, 500, 5000),
    Rate(Class::Push, 10_000, 10_000),
    Rate(Class::Open, 200, 2000),
];

/// Credentials that did not work, of one address: a person mistypes a few, a device
/// that was removed tries now and then. Whoever goes on is told to wait. It bears only
/// on those that fail: an address may be that of many, behind a proxy even of all, and
/// to look a credential up costs little.
const FAILURES: Limit = Limit::Bucket {
    count: 1,
    period: Duration::from_secs(2),
    burst: 30,
};

/// Its name in headers and figures.
const FAILED: &str = "failed";

/// The name of the limit of samples in headers and figures.
const SAMPLES: &str = "samples";

/// The names of everything that is counted, in the order of their numbers.
const KINDS: [&str; CLASSES.len() + 2] = [
    CLASSES[0].name(),
    CLASSES[1].name(),
    CLASSES[2].name(),
    CLASSES[3].name(),
    CLASSES[4].name(),
    CLASSES[5].name(),
    FAILED,
    SAMPLES,
];

const _: () = assert!(KINDS.len() <= RECORDED_CLASSES as usize);

/// How often clients may ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Whoever is at one address, by the name of the class.
    pub addresses: Rules,
    /// One device, by the name of the class.
    pub devices: Rules,
    /// One address, with credentials that do not work.
    pub failures: Option<Limit>,
    /// Samples of metrics of one device, if there is a bound; see
    /// [`Throttle::samples_at_once`].
    pub samples: Option<Limit>,
}

/// The limits of a node, and where its clients stand with them.
pub struct Throttle {
    addresses: Limiter,
    devices: Limiter,
    failures: Limiter,
    samples: Limiter,
    samples_at_once: AtomicUsize,
    refused: [AtomicU64; KINDS.len()],
    decisions: Recorder,
    begun: Instant,
}

/// What is counted, and where refusals of it are.
#[derive(Clone, Copy)]
struct Kind {
    name: &'static str,
    number: usize,
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
            "/metrics" if !reads => Self::Push,
            "/api/v1/write" | "/api/v1/import" | "/write" | "/api/v2/write" => Self::Push,
            // Queries come as forms too.
            _ if path.starts_with("/api/v1/") && !path.starts_with("/api/v1/admin/") => Self::Read,
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
            Self::Push => "push",
            Self::Open => "open",
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            addresses: rules(&OF_AN_ADDRESS),
            devices: rules(&OF_A_DEVICE),
            failures: Some(FAILURES),
            samples: None,
        }
    }
}

impl Default for Throttle {
    fn default() -> Self {
        Self::new(&Limits::default()).expect("the rates above are in range; a test makes them all")
    }
}

impl Throttle {
    /// Nobody has asked yet.
    ///
    /// # Errors
    /// A limit is out of range, or of no class.
    pub fn new(limits: &Limits) -> Result<Self, LimitError> {
        let (classes, size) = (CLASSES.map(Class::name), LimiterSize::default());
        Ok(Self {
            addresses: Limiter::new(&classes, &limits.addresses, size)?,
            devices: Limiter::new(&classes, &limits.devices, size)?,
            failures: Limiter::new(&[FAILED], &only(limits.failures), size)?,
            samples: Limiter::new(&[SAMPLES], &only(limits.samples), size)?,
            samples_at_once: AtomicUsize::new(at_once(limits.samples)),
            refused: Default::default(),
            decisions: Recorder::default(),
            begun: Instant::now(),
        })
    }

    /// Puts other limits in force; what clients have used so far stays counted.
    ///
    /// # Errors
    /// As [`Throttle::new`]. Limits that a [`crate::config::Config`] has never fail.
    pub fn adopt(&self, limits: &Limits) -> Result<(), LimitError> {
        self.addresses.reload(&limits.addresses)?;
        self.devices.reload(&limits.devices)?;
        self.failures.reload(&only(limits.failures))?;
        self.samples.reload(&only(limits.samples))?;
        let at_once = at_once(limits.samples);
        self.samples_at_once.store(at_once, Ordering::Relaxed);
        Ok(())
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
        self.take(&self.addresses, Client::at(peer.0), class.into())
    }

    /// Whether `device` may ask for something of `class` now.
    ///
    /// # Errors
    /// [`TooOften`].
    pub fn admit_device(&self, device: DeviceId, class: Class) -> Result<(), TooOften> {
        self.admit_known(number(device), class)
    }

    /// Whether a client may ask for something of `class` now that is known by a number:
    /// that of its device, or of the credential that it sends.
    ///
    /// # Errors
    /// [`TooOften`].
    pub fn admit_known(&self, client: u128, class: Class) -> Result<(), TooOften> {
        self.take(&self.devices, Client::Known(client), class.into())
    }

    /// A credential from `peer` did not work; whether that may be told, or the client
    /// is to wait.
    ///
    /// # Errors
    /// [`TooOften`] when too many others did not work either.
    pub fn failed(&self, peer: Peer) -> Result<(), TooOften> {
        let kind = Kind {
            name: FAILED,
            number: CLASSES.len(),
        };
        self.take(&self.failures, Client::at(peer.0), kind)
    }

    /// How many requests of each class were refused, by its name.
    pub fn refused(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = self.refused.iter();
        let counts = counts.map(|count| count.load(Ordering::Relaxed));
        KINDS.into_iter().zip(counts)
    }

    /// What was decided about whom; [`Throttle::class_name`] has the names of classes.
    pub const fn decisions(&self) -> &Recorder {
        &self.decisions
    }

    /// The name of a class of [`Throttle::decisions`] in figures.
    pub fn class_name(class: u8) -> &'static str {
        KINDS.get(usize::from(class)).copied().unwrap_or_default()
    }

    /// How many samples one request may have; with more it would be refused for ever.
    pub fn samples_at_once(&self) -> usize {
        self.samples_at_once.load(Ordering::Relaxed)
    }

    /// Whether a client, known by its number, may send so many samples now.
    ///
    /// # Errors
    /// [`TooOften`].
    pub fn admit_samples(&self, client: u128, samples: usize) -> Result<(), TooOften> {
        let kind = Kind {
            name: SAMPLES,
            number: CLASSES.len() + 1,
        };
        let samples = u32::try_from(samples).unwrap_or(u32::MAX);
        self.take_many(&self.samples, Client::Known(client), kind, samples)
    }

    fn take(&self, limiter: &Limiter, client: Client, kind: Kind) -> Result<(), TooOften> {
        self.take_many(limiter, client, kind, 1)
    }

    fn take_many(
        &self,
        limiter: &Limiter,
        client: Client,
        kind: Kind,
        cost: u32,
    ) -> Result<(), TooOften> {
        let Some(route) = limiter.route(kind.name) else {
            return Ok(());
        };
        let decision = limiter.take(client, route, cost, self.begun.elapsed());
        let allowed = decision.is_allowed();
        self.decisions.record(client, kind.number as u8, allowed);
        if allowed {
            return Ok(());
        }
        self.refused[kind.number].fetch_add(1, Ordering::Relaxed);
        Err(TooOften {
            name: kind.name,
            decision,
        })
    }
}

/// The number by which a device is known among clients.
pub fn number(device: DeviceId) -> u128 {
    u128::from(device.index()) << 16 | u128::from(device.ordinal())
}

impl From<Class> for Kind {
    fn from(class: Class) -> Self {
        Self {
            name: class.name(),
            number: class as usize,
        }
    }
}

fn rules(rates: &[Rate]) -> Rules {
    let limit = |rate: &Rate| Limit::Bucket {
        count: rate.1,
        period: Duration::from_secs(1),
        burst: rate.2,
    };
    let routes = rates
        .iter()
        .map(|rate| (rate.0.name().to_owned(), Some(limit(rate))));
    Rules {
        default: None,
        routes: routes.collect(),
    }
}

/// The most that a limit lets pass at the same time.
fn at_once(limit: Option<Limit>) -> usize {
    match limit {
        None => usize::MAX,
        Some(Limit::Window { count, .. }) => count as usize,
        Some(Limit::Bucket { burst, .. }) => burst as usize,
    }
}

fn only(limit: Option<Limit>) -> Rules {
    Rules {
        default: limit,
        ..Rules::default()
    }
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
            (Method::POST, "/metrics", Class::Push),
            (Method::GET, "/metrics", Class::Open),
            (Method::POST, "/api/v1/write", Class::Push),
            (Method::POST, "/api/v1/query", Class::Read),
            (Method::POST, "/api/v1/admin/tsdb/snapshot", Class::Write),
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
    fn decisions_are_recorded_by_client_and_class() {
        let mut limits = Limits::default();
        let once = Limit::Window {
            count: 1,
            period: Duration::from_secs(86_400),
        };
        limits
            .addresses
            .routes
            .insert("join".to_owned(), Some(once));
        let throttle = Throttle::new(&limits).unwrap();
        let address = peer("192.0.2.1");
        throttle.admit(address, Class::Join).unwrap();
        throttle.admit(address, Class::Join).unwrap_err();
        throttle.admit(peer("127.0.0.1"), Class::Join).unwrap();
        throttle.admit_known(7, Class::Push).unwrap();
        throttle.admit_samples(7, 1000).unwrap();
        throttle.failed(address).unwrap();
        throttle.decisions().drain();
        let mut told = Vec::new();
        throttle
            .decisions()
            .totals(&mut |client, class, decisions| {
                let name = Throttle::class_name(class);
                told.push((client.unwrap(), name, decisions.allowed, decisions.refused));
            });
        told.sort_by_key(|one| one.1);
        let (address, known) = (Client::at(address.0), Client::Known(7));
        assert_eq!(
            told,
            [
                (address, "failed", 1, 0),
                (address, "join", 1, 1),
                (known, "push", 1, 0),
                (known, "samples", 1, 0),
            ]
        );
    }

    #[test]
    fn who_fails_too_often_waits_alone() {
        let throttle = Throttle::default();
        let fail = |address| throttle.failed(peer(address));
        // A proxy's too.
        for address in ["192.0.2.1", "127.0.0.1"] {
            let refused = (0..100).find_map(|_| fail(address).err());
            assert_eq!(refused.expect("nobody mistypes so often").name, "failed");
            assert!(throttle.admit(peer(address), Class::Join).is_ok());
        }
        assert!(fail("192.0.2.2").is_ok());
        assert!(throttle.refused().any(|told| told == ("failed", 2)));
    }
}
