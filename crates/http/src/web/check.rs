//! What a web server cannot be told: the checks of a [`Config`], which open nothing.
//!
//! The first thing that is wrong is said. Each check that a file can be told the line of
//! stands alone, for [`super::file`]; what shows only when directories and certificates
//! are opened, [`super::loaded`] says.

use super::config::{Config, Model, Monitoring, PathLimit, SiteConfig};
use super::cors::CorsError;
use super::redirect::{RedirectError, endless};
use super::users::UserError;
use crate::files::OptionsError;
use crate::limit::LimitError;
use crate::models::Bounds;
use crate::models::processes::{MAX_SLOTS, Recycle};
use std::net::SocketAddr;
use std::path::PathBuf;

/// What a configuration cannot say.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ConfigError {
    /// There is nothing to serve.
    #[error("no site is configured: name at least one directory to serve")]
    NoSite,
    /// More sites than one server is for.
    #[error("{0} sites: use at most {max}", max = Config::MAX_SITES)]
    TooManySites(usize),
    /// Too few or too many workers.
    #[error("{0} workers: use 1 to {max}", max = Config::MAX_WORKERS)]
    Workers(usize),
    /// Too few or too many connections.
    #[error("{0} connections: use 1 to {max}", max = Config::MAX_CONNECTIONS)]
    Connections(usize),
    /// Nowhere to listen, or at too many addresses.
    #[error("{0} addresses to listen on: use 1 to {max}", max = Config::MAX_ADDRESSES)]
    Addresses(usize),
    /// An address is there twice.
    #[error("{0} is there twice: listen on it once")]
    AddressTwice(SocketAddr),
    /// More processes, or listeners for them, than a pool has.
    #[error("{0} processes with a listener each: use at most {MAX_SLOTS} listeners in all")]
    Slots(usize),
    /// Fewer workers at least than one, or than at most.
    #[error("at least {minimum} workers of {workers}: use 1 to {workers}")]
    Minimum {
        /// At least.
        minimum: usize,
        /// At most.
        workers: usize,
    },
    /// No number of bytes.
    #[error("{0:?} is no number of bytes, such as 256 MiB")]
    Bytes(String),
    /// A worker that would be replaced at once.
    #[error("workers would be replaced all the time: {0}")]
    Recycle(&'static str),
    /// A limit is for paths that cannot be told in a header.
    #[error(
        "limit for {0:?}: write whole segments of letters, digits, '-', '_' and '.', \
         such as /api or /a/b"
    )]
    LimitPrefix(String),
    /// A path has two limits.
    #[error("two limits for {0:?}: the second would never count")]
    LimitTwice(String),
    /// Two sites claim a host.
    #[error("host {0:?} is named by two sites: remove it from one")]
    HostTwice(String),
    /// A host cannot be asked for.
    #[error("host {0:?} cannot be asked for: write a name or an address without port")]
    Host(String),
    /// An option of a site is wrong.
    #[error("site {directory}: {source}")]
    Options {
        /// Of the site.
        directory: PathBuf,
        /// What is wrong.
        source: OptionsError,
    },
    /// A redirect leads nowhere.
    #[error(transparent)]
    Redirect(#[from] RedirectError),
    /// A user cannot be known.
    #[error(transparent)]
    User(#[from] UserError),
    /// A rule for other sites' scripts is wrong.
    #[error(transparent)]
    Cors(#[from] CorsError),
    /// Nobody could ask for a certificate.
    #[error("site {0}: a certificate of its own needs `hosts`, and `tls` of the server")]
    Certificate(PathBuf),
    /// A realm would end its quotes.
    #[error("realm {0:?}: leave out quotes, backslashes and control characters")]
    Realm(String),
    /// A path can never be asked for.
    #[error("path {0:?} must begin with a slash and be of visible ASCII without query")]
    MonitoringPath(String),
    /// The limit is out of range.
    #[error(transparent)]
    Limit(#[from] LimitError),
}

impl Config {
    /// Refuses what could never be served.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.sites.is_empty() {
            return Err(ConfigError::NoSite);
        }
        if self.sites.len() > Self::MAX_SITES {
            return Err(ConfigError::TooManySites(self.sites.len()));
        }
        check_addresses(&self.listen)?;
        check_workers(self.workers)?;
        self.check_pool()?;
        check_connections(self.connections)?;
        if let Some(limit) = &self.limit {
            limit.check()?;
        }
        self.check_limits()?;
        self.monitoring.check()?;
        let mut known = Vec::new();
        for site in &self.sites {
            site.check()?;
            if site.certificate.is_some() && (site.hosts.is_empty() || self.tls.is_none()) {
                return Err(ConfigError::Certificate(site.directory.clone()));
            }
            for host in &site.hosts {
                let host = host.to_ascii_lowercase();
                if known.contains(&host) {
                    return Err(ConfigError::HostTwice(host));
                }
                known.push(host);
            }
        }
        Ok(())
    }

    /// Refuses a pool that these workers cannot be.
    pub(super) fn check_pool(&self) -> Result<(), ConfigError> {
        let (pool, workers) = (&self.pool, self.workers);
        if matches!(self.model, Model::Processes(_)) {
            let listeners = self.listen.len() * self.model.listeners(workers);
            if workers.max(listeners) > MAX_SLOTS {
                return Err(ConfigError::Slots(workers.max(listeners)));
            }
        }
        if let Some(minimum) = pool.minimum
            && !(1..=workers).contains(&minimum)
        {
            return Err(ConfigError::Minimum { minimum, workers });
        }
        let Recycle {
            requests,
            age,
            resident_bytes,
            ..
        } = pool.recycle;
        let churns = [
            (requests == Some(0), "give each at least one request"),
            (
                age.is_some_and(|age| age < Self::MIN_AGE),
                "give each at least 1s",
            ),
            (
                resident_bytes.is_some_and(|bytes| bytes < Self::MIN_MEMORY),
                "give each at least 32 MiB",
            ),
        ];
        match churns.iter().find(|(churns, _)| *churns) {
            Some((_, advice)) => Err(ConfigError::Recycle(advice)),
            None => Ok(()),
        }
    }

    /// Refuses limits that could never count.
    pub(super) fn check_limits(&self) -> Result<(), ConfigError> {
        for (place, PathLimit { prefix, limit }) in self.limits.iter().enumerate() {
            let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            let mut segments = prefix.strip_prefix('/').into_iter().flat_map(|rest| {
                let rest = rest.strip_suffix('/').unwrap_or(rest);
                rest.split('/')
            });
            let is_path = |name: &str| !name.is_empty() && name.chars().all(is_plain);
            if !prefix.starts_with('/') || !segments.all(is_path) {
                return Err(ConfigError::LimitPrefix(prefix.clone()));
            }
            if self.limits[..place].iter().any(|one| one.prefix == *prefix) {
                return Err(ConfigError::LimitTwice(prefix.clone()));
            }
            limit.map_or(Ok(()), |limit| limit.check())?;
        }
        Ok(())
    }
}

impl SiteConfig {
    /// Refuses what could never be served.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.options
            .check()
            .map_err(|source| ConfigError::Options {
                directory: self.directory.clone(),
                source,
            })?;
        for host in &self.hosts {
            check_host(host)?;
        }
        for redirect in &self.redirects {
            redirect.check()?;
        }
        if let Some(first) = endless(&self.redirects) {
            let from = self.redirects[first].from.clone();
            return Err(RedirectError::Endless(from).into());
        }
        if let Some(cors) = &self.cors {
            cors.check()?;
        }
        let breaks_quotes = |c: char| matches!(c, '"' | '\\') || c.is_control();
        match self.realm.contains(breaks_quotes) {
            true => Err(ConfigError::Realm(self.realm.clone())),
            false => Ok(()),
        }
    }
}

impl Monitoring {
    /// Refuses paths that can never be asked for.
    ///
    /// # Errors
    /// The path.
    pub fn check(&self) -> Result<(), ConfigError> {
        let mut paths = self.status.iter().chain(&self.metrics);
        paths.try_for_each(|path| check_path(path))
    }
}

pub(super) fn check_addresses(addresses: &[SocketAddr]) -> Result<(), ConfigError> {
    if !(1..=Config::MAX_ADDRESSES).contains(&addresses.len()) {
        return Err(ConfigError::Addresses(addresses.len()));
    }
    let twice = addresses.iter().enumerate().find(|(place, address)| {
        // Each port 0 is another one.
        address.port() != 0 && addresses[..*place].contains(address)
    });
    twice.map_or(Ok(()), |(_, address)| {
        Err(ConfigError::AddressTwice(*address))
    })
}

pub(super) fn check_workers(workers: usize) -> Result<(), ConfigError> {
    match (1..=Config::MAX_WORKERS).contains(&workers) {
        true => Ok(()),
        false => Err(ConfigError::Workers(workers)),
    }
}

pub(super) fn check_connections(bounds: Bounds) -> Result<(), ConfigError> {
    let known = 1..=Config::MAX_CONNECTIONS;
    let mut numbers = [bounds.total, bounds.per_address].into_iter();
    let wrong = numbers.find(|number| !known.contains(number));
    wrong.map_or(Ok(()), |number| Err(ConfigError::Connections(number)))
}

pub(super) fn check_path(path: &str) -> Result<(), ConfigError> {
    let is_sent = |byte: u8| byte.is_ascii_graphic() && !b"?#".contains(&byte);
    match path.starts_with('/') && path.bytes().all(is_sent) {
        true => Ok(()),
        false => Err(ConfigError::MonitoringPath(path.to_owned())),
    }
}

/// A name, an IPv4 address, or an IPv6 address in brackets.
fn check_host(host: &str) -> Result<(), ConfigError> {
    let is_address = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .is_some_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok());
    let is_name = !host.is_empty()
        && host
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    match is_address || is_name {
        true => Ok(()),
        false => Err(ConfigError::Host(host.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::{Config, ConfigError, Model, PathLimit, SiteConfig};
    use crate::files::OptionsError;
    use crate::limit::{Limit, LimitError};
    use crate::models::Strategy;
    use std::time::Duration;

    fn config(hosts: &[&[&str]]) -> Config {
        Config {
            sites: hosts
                .iter()
                .map(|hosts| SiteConfig {
                    hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
                    ..SiteConfig::new("www")
                })
                .collect(),
            ..Config::default()
        }
    }

    #[test]
    fn what_cannot_be_served_is_refused() {
        let check = |config: Config, expected| assert_eq!(config.check(), expected);
        check(config(&[&[]]), Ok(()));
        check(config(&[&["a.example", "[::1]"], &["127.0.0.1"]]), Ok(()));
        check(config(&[]), Err(ConfigError::NoSite));
        for host in ["", "a:80", "a/b", "::1", "[x]", "a b"] {
            check(config(&[&[host]]), Err(ConfigError::Host(host.to_owned())));
        }
        check(
            config(&[&["a"], &["A"]]),
            Err(ConfigError::HostTwice("a".to_owned())),
        );
        for workers in [0, Config::MAX_WORKERS + 1] {
            let config = Config {
                workers,
                ..config(&[&[]])
            };
            check(config, Err(ConfigError::Workers(workers)));
        }
        for number in [0, Config::MAX_CONNECTIONS + 1] {
            let mut config = config(&[&[]]);
            config.connections.per_address = number;
            check(config, Err(ConfigError::Connections(number)));
        }
        let limit = Limit::Window {
            count: 0,
            period: Duration::from_secs(1),
        };
        let limited = Config {
            limit: Some(limit),
            ..config(&[&[]])
        };
        assert!(matches!(
            limited.check(),
            Err(ConfigError::Limit(LimitError::Range(_)))
        ));
        let any = "127.0.0.1:0".parse().unwrap();
        let one = "127.0.0.1:80".parse().unwrap();
        let listening = |listen: &[_]| Config {
            listen: listen.to_vec(),
            ..config(&[&[]])
        };
        check(listening(&[any, any, one]), Ok(()));
        check(
            listening(&[one, any, one]),
            Err(ConfigError::AddressTwice(one)),
        );
        check(listening(&[]), Err(ConfigError::Addresses(0)));
        let processes = |count, workers| Config {
            listen: vec![any; count],
            model: Model::Processes(Strategy::PerSlot),
            workers,
            ..config(&[&[]])
        };
        check(processes(2, 64), Ok(()));
        check(processes(2, 65), Err(ConfigError::Slots(130)));
        let limited = |prefix: &str| Config {
            limits: vec![PathLimit {
                prefix: prefix.to_owned(),
                limit: None,
            }],
            ..config(&[&[]])
        };
        for prefix in ["/a", "/a/", "/a/b-c_d.e"] {
            check(limited(prefix), Ok(()));
        }
        for prefix in ["", "/", "a", "//a", "/a//b", "/a b", "/%61"] {
            check(
                limited(prefix),
                Err(ConfigError::LimitPrefix(prefix.to_owned())),
            );
        }
        let mut prefixed = config(&[&[]]);
        prefixed.sites[0].options.prefix = "s/".to_owned();
        check(
            prefixed,
            Err(ConfigError::Options {
                directory: "www".into(),
                source: OptionsError::Prefix("s/".to_owned()),
            }),
        );
    }
}
