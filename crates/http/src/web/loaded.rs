//! A configuration with everything opened that it names, shared by all loops.
//!
//! It never changes: a reload makes another one, and each loop takes it up at its
//! next request. What a loop keeps of its own is in [`super::handler`].

use super::config::{Config, Monitoring, SiteConfig};
use super::counts::{Counts, Totals};
use super::server::WebError;
use crate::files::{Options, Root};
use crate::limit::{Client, Decision, Limiter, LimiterSize, Quota, Route, Rules};
use crate::log::Log;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Instant;

/// The one route that limits are on.
const ROUTE: &str = "web";

/// What is in force.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) sites: Vec<LoadedSite>,
    pub(super) monitoring: Monitoring,
}

/// A directory that is held.
#[derive(Debug)]
pub(super) struct LoadedSite {
    pub(super) config: SiteConfig,
    pub(super) root: Arc<Root>,
    pub(super) options: Arc<Options>,
    /// It is files and nothing else.
    pub(super) is_plain: bool,
}

/// What all loops share.
#[derive(Debug)]
pub(super) struct Shared {
    current: RwLock<Arc<Loaded>>,
    generation: AtomicU64,
    limiter: Limiter,
    route: Route,
    is_limited: AtomicBool,
    is_monitored: AtomicBool,
    /// Of all loops.
    counts: Mutex<Vec<Arc<Counts>>>,
    log: Option<Arc<Log>>,
    /// Of the limiter's clock, which is one for all loops.
    begun: Instant,
}

impl Loaded {
    /// Opens what `config` names.
    pub(super) fn open(config: &Config) -> Result<Self, WebError> {
        config.check()?;
        let sites = config.sites.iter().map(LoadedSite::open);
        Ok(Self {
            sites: sites.collect::<Result<_, _>>()?,
            monitoring: config.monitoring.clone(),
        })
    }

    /// The number of the site that is for `host`, which a single site need not know.
    #[inline]
    pub(super) fn site_of<'a>(&self, host: impl FnOnce() -> &'a str) -> usize {
        match self.sites.len() {
            1 => 0,
            _ => self.search(host()),
        }
    }

    fn search(&self, host: &str) -> usize {
        let name = without_port(host);
        let is_for = |site: &LoadedSite| {
            let mut hosts = site.config.hosts.iter();
            hosts.any(|own| own.eq_ignore_ascii_case(name))
        };
        self.sites.iter().position(is_for).unwrap_or(0)
    }
}

impl LoadedSite {
    fn open(config: &SiteConfig) -> Result<Self, WebError> {
        Ok(Self {
            is_plain: config.redirects.is_empty()
                && config.users.is_empty()
                && config.cors.is_none(),
            config: config.clone(),
            root: Arc::new(Root::open(&config.directory, config.links)?),
            options: Arc::new(config.options.clone()),
        })
    }
}

impl Shared {
    pub(super) fn new(config: &Config, log: Option<Arc<Log>>) -> Result<Self, WebError> {
        let limiter = Limiter::new(&[ROUTE], &rules(config), LimiterSize::default())?;
        Ok(Self {
            current: RwLock::new(Arc::new(Loaded::open(config)?)),
            generation: AtomicU64::new(0),
            route: limiter.route(ROUTE).expect("it was just named"),
            limiter,
            is_limited: config.limit.is_some().into(),
            is_monitored: is_monitored(config).into(),
            counts: Mutex::default(),
            log,
            begun: Instant::now(),
        })
    }

    /// Puts another configuration in force; on an error the former stays.
    pub(super) fn reload(&self, config: &Config) -> Result<(), WebError> {
        let loaded = Arc::new(Loaded::open(config)?);
        self.limiter.reload(&rules(config))?;
        self.is_limited
            .store(config.limit.is_some(), Ordering::Relaxed);
        self.is_monitored
            .store(is_monitored(config), Ordering::Relaxed);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = loaded;
        self.generation.fetch_add(1, Ordering::Release);
        Ok(())
    }

    /// How often there was a reload.
    #[inline]
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    pub(super) fn current(&self) -> Arc<Loaded> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// What is allowed to `address`; it counts.
    #[inline]
    pub(super) fn ask(&self, address: IpAddr) -> Decision {
        if !self.is_limited.load(Ordering::Relaxed) {
            return Decision::Unlimited;
        }
        let client = Client::at(address);
        self.limiter
            .take(client, self.route, 1, self.begun.elapsed())
    }

    /// Whether anybody may ask for figures.
    #[inline]
    pub(super) fn is_monitored(&self) -> bool {
        self.is_monitored.load(Ordering::Relaxed)
    }

    /// The counts of a loop that begins.
    pub(super) fn counts(&self) -> Arc<Counts> {
        let counts = Arc::default();
        let mut all = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(Arc::clone(&counts));
        counts
    }

    /// What all loops have done.
    pub(super) fn totals(&self) -> Totals {
        let all = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let mut totals = Totals {
            workers: all.len(),
            uptime: self.begun.elapsed(),
            limiter: self.limiter.stats(),
            log: self.log.as_ref().map(|log| log.stats()),
            ..Totals::default()
        };
        for counts in all.iter() {
            totals.add(counts);
        }
        totals
    }

    /// The header lines that tell a client of `decision`.
    pub(super) fn lines(&self, decision: Decision) -> Vec<u8> {
        let mut lines = Vec::new();
        decision.write_lines(self.limiter.name(self.route), &mut lines);
        lines
    }
}

fn is_monitored(config: &Config) -> bool {
    let monitoring = &config.monitoring;
    monitoring.status.is_some() || monitoring.metrics.is_some()
}

fn rules(config: &Config) -> Rules {
    Rules {
        default: config.limit,
        ..Rules::default()
    }
}

/// `host` as a configuration names it. The core has checked its form.
fn without_port(host: &str) -> &str {
    if host.starts_with('[') {
        return host.find(']').map_or(host, |end| &host[..=end]);
    }
    host.split(':').next().unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::without_port;

    #[test]
    fn a_host_is_compared_without_its_port() {
        for (host, expected) in [
            ("a.example", "a.example"),
            ("a.example:8080", "a.example"),
            ("a.example:", "a.example"),
            ("[::1]:80", "[::1]"),
            ("[::1]", "[::1]"),
            ("", ""),
        ] {
            assert_eq!(without_port(host), expected, "{host}");
        }
    }
}
