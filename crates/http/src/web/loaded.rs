//! A configuration with everything opened that it names, shared by all loops.
//!
//! It never changes: a reload makes another one, and each loop takes it up at its
//! next request. What a loop keeps of its own is in [`super::handler`].

use super::config::{Config, Monitoring, SiteConfig};
use super::counts::{Counts, Totals};
use super::limits::Limits;
use super::lines::beneath;
use super::papers::Papers;
use super::proof;
use super::server::WebError;
use crate::files::{Answer, Moment, Options, Root, Site};
use crate::log::Log;
use crate::models::Slots;
use crate::tls::{Acceptor, Certificates};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

/// What is in force.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) certificates: Option<Certificates>,
    pub(super) sites: Vec<LoadedSite>,
    pub(super) monitoring: Monitoring,
    pub(super) limits: Option<Arc<Limits>>,
    /// A header line for every answer.
    hsts: Option<String>,
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
    /// Holds handshakes, if connections are encrypted.
    acceptor: Option<Acceptor>,
    generation: AtomicU64,
    is_monitored: AtomicBool,
    /// Of all loops.
    counts: Mutex<Vec<Arc<Counts>>>,
    log: Option<Arc<Log>>,
    /// Places of connections.
    slots: Slots,
    begun: Instant,
}

impl Loaded {
    /// Opens what `config` names. Limits that `former` counted go on if they can.
    pub(super) fn open(
        config: &Config,
        papers: &mut Papers,
        former: Option<&Self>,
    ) -> Result<Self, WebError> {
        config.check()?;
        let certificates = proof::certificates(config, papers)?;
        let hsts = config.tls.as_ref().and_then(|tls| tls.hsts);
        let sites = config.sites.iter().map(LoadedSite::open);
        let sites = sites.collect::<Result<_, _>>()?;
        for site in &config.sites {
            keep_secret(papers, &site.directory)?;
        }
        // Last, since it changes what is in force.
        let limits = match former.and_then(|former| former.limits.as_ref()) {
            Some(limits) if limits.adapt(config)? => Some(Arc::clone(limits)),
            _ => Limits::new(config)?.map(Arc::new),
        };
        Ok(Self {
            certificates,
            sites,
            limits,
            monitoring: config.monitoring.clone(),
            hsts: hsts.map(|period| {
                let seconds = period.as_secs();
                format!("strict-transport-security: max-age={seconds}\r\n")
            }),
        })
    }

    /// The same answer, which may tell browsers to come back encrypted. Every answer
    /// of a host does (RFC 6797 7.1), also one that only sends them elsewhere.
    #[inline]
    pub(super) fn with_hsts(&self, answer: Answer) -> Answer {
        match &self.hsts {
            Some(line) => answer.with_lines(line.clone().into_bytes()),
            None => answer,
        }
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
        let name = plain_name(host);
        let is_for = |site: &LoadedSite| {
            let mut hosts = site.config.hosts.iter();
            hosts.any(|own| own.eq_ignore_ascii_case(name))
        };
        self.sites.iter().position(is_for).unwrap_or(0)
    }
}

/// Refuses to serve a directory in which a key of this server lies: whoever asked for it
/// would be given it.
fn keep_secret(papers: &Papers, directory: &Path) -> Result<(), WebError> {
    let Ok(served) = directory.canonicalize() else {
        return Ok(());
    };
    let lies_there = |path: &&Path| {
        let real = path.canonicalize();
        real.is_ok_and(|real| real.starts_with(&served))
    };
    match papers.secrets().find(lies_there) {
        None => Ok(()),
        Some(key) => Err(WebError::Exposed {
            key: key.to_owned(),
            directory: directory.to_owned(),
        }),
    }
}

impl LoadedSite {
    /// Refuses pages that are not there, which other answers are given in place of.
    pub(super) fn expect_pages(&self) -> Result<(), WebError> {
        let mut site = Site::new(Arc::clone(&self.root), Arc::clone(&self.options), 0)?;
        // What is kept for a while is looked at once here.
        let now = Moment {
            elapsed: Duration::ZERO,
            since_epoch: Duration::ZERO,
        };
        let errors = self.options.error_pages.iter().map(|(_, page)| page);
        for page in self.options.fallback.iter().chain(errors) {
            let reason = match site.has_page(page, now) {
                Ok(true) => continue,
                Ok(false) => "there is no such file, or none that may be served".to_owned(),
                Err(fault) => fault.to_string(),
            };
            let path = beneath(&self.config.directory, page);
            return Err(WebError::Page { path, reason });
        }
        Ok(())
    }

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
    pub(super) fn new(
        config: &Config,
        papers: &mut Papers,
        log: Option<Arc<Log>>,
        slots: Slots,
    ) -> Result<Self, WebError> {
        let loaded = Loaded::open(config, papers, None)?;
        let certificates = loaded.certificates.clone();
        Ok(Self {
            acceptor: certificates.map(Acceptor::new).transpose()?,
            current: RwLock::new(Arc::new(loaded)),
            generation: AtomicU64::new(0),
            is_monitored: is_monitored(config).into(),
            counts: Mutex::default(),
            log,
            slots,
            begun: Instant::now(),
        })
    }

    /// Puts another configuration in force; on an error the former stays.
    pub(super) fn reload(&self, config: &Config) -> Result<(), WebError> {
        let loaded = Arc::new(Loaded::open(
            config,
            &mut Papers::default(),
            Some(&self.current()),
        )?);
        if let (Some(acceptor), Some(certificates)) = (&self.acceptor, &loaded.certificates) {
            acceptor.replace(certificates.clone());
        }
        self.is_monitored
            .store(is_monitored(config), Ordering::Relaxed);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = loaded;
        self.generation.fetch_add(1, Ordering::Release);
        Ok(())
    }

    /// Who holds handshakes, if connections are encrypted.
    pub(super) fn acceptor(&self) -> Option<&Acceptor> {
        self.acceptor.as_ref()
    }

    /// How often there was a reload.
    #[inline]
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    pub(super) fn current(&self) -> Arc<Loaded> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
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
        let limits = self.current().limits.clone();
        let all = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let mut totals = Totals {
            workers: all.len(),
            uptime: self.begun.elapsed(),
            limiter: limits.map(|limits| limits.stats()).unwrap_or_default(),
            turned_away: self.slots.turned_away(),
            log: self.log.as_ref().map(|log| log.stats()),
            ..Totals::default()
        };
        for counts in all.iter() {
            totals.add(counts);
        }
        totals
    }
}

fn is_monitored(config: &Config) -> bool {
    let monitoring = &config.monitoring;
    monitoring.status.is_some() || monitoring.metrics.is_some()
}

/// `host` as a configuration names it: without port, and without the dot of a name that
/// is written to the root (RFC 3986 3.2.2). The core has checked its form.
fn plain_name(host: &str) -> &str {
    if host.starts_with('[') {
        return host.find(']').map_or(host, |end| &host[..=end]);
    }
    let name = host.split(':').next().unwrap_or(host);
    name.strip_suffix('.').unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::plain_name;

    #[test]
    fn a_host_is_compared_without_port_and_final_dot() {
        for (host, expected) in [
            ("a.example", "a.example"),
            ("a.example:8080", "a.example"),
            ("a.example:", "a.example"),
            ("a.example.", "a.example"),
            ("a.example.:80", "a.example"),
            ("[::1]:80", "[::1]"),
            ("[::1]", "[::1]"),
            ("", ""),
        ] {
            assert_eq!(plain_name(host), expected, "{host}");
        }
    }
}
