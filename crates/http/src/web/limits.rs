//! How often each address may ask, for every path and for some.
//!
//! Paths are compared as files are found by them, decoded: another spelling of a path
//! has the same limit. The counting is [`crate::limit`]'s.

use super::config::Config;
use crate::files::parse_target;
use crate::limit::{Client, Decision, LimitError, Limiter, LimiterSize, LimiterStats};
use crate::limit::{Quota, Route, Rules};
use std::net::IpAddr;
use std::time::Instant;

/// What is asked for that no prefix is for, as a client is told.
const EVERYTHING: &str = "web";

/// See the module.
#[derive(Debug)]
pub(super) struct Limits {
    limiter: Limiter,
    everything: Route,
    /// Without slashes around them; the first that fits counts.
    prefixes: Vec<(Box<str>, Route)>,
    /// Of the limiter's clock, which is one for all loops.
    begun: Instant,
}

impl Limits {
    /// What `config` says; none, if it says nothing.
    pub(super) fn new(config: &Config) -> Result<Option<Self>, LimitError> {
        if config.limit.is_none() && config.limits.is_empty() {
            return Ok(None);
        }
        let names = names(config);
        let limiter = Limiter::new(&names, &rules(config), LimiterSize::default())?;
        let route = |name| limiter.route(name).expect("the limiter was made of it");
        let named = config.limits.iter().map(|one| one.prefix.as_str());
        Ok(Some(Self {
            everything: route(EVERYTHING),
            prefixes: named
                .map(|name| (name.trim_matches('/').into(), route(name)))
                .collect(),
            limiter,
            begun: Instant::now(),
        }))
    }

    /// Counts on under what `config` says, if that is about the same paths.
    pub(super) fn adapt(&self, config: &Config) -> Result<bool, LimitError> {
        let own = self.prefixes.iter().map(|(_, route)| *route);
        let own = std::iter::once(self.everything).chain(own);
        let is_same = own
            .map(|route| self.limiter.name(route))
            .eq(names(config).iter().copied());
        if is_same {
            self.limiter.reload(&rules(config))?;
        }
        Ok(is_same)
    }

    /// What is allowed to `address` for `target`, which counts; and as what.
    pub(super) fn ask(&self, address: IpAddr, target: &str) -> (Decision, Route) {
        let route = match self.prefixes.as_slice() {
            [] => self.everything,
            prefixes => route_of(prefixes, target).unwrap_or(self.everything),
        };
        let (client, now) = (Client::at(address), self.begun.elapsed());
        (self.limiter.take(client, route, 1, now), route)
    }

    /// The header lines that tell a client of `decision`.
    pub(super) fn lines(&self, decision: Decision, route: Route) -> Vec<u8> {
        let mut lines = Vec::new();
        decision.write_lines(self.limiter.name(route), &mut lines);
        lines
    }

    pub(super) fn stats(&self) -> LimiterStats {
        self.limiter.stats()
    }
}

/// What cannot be decoded is answered by an error, and is nobody's path.
fn route_of(prefixes: &[(Box<str>, Route)], target: &str) -> Option<Route> {
    let target = parse_target(target.as_bytes(), true).ok()?;
    let fits = |prefix: &str| {
        let rest = target.path.strip_prefix(prefix.as_bytes());
        rest.is_some_and(|rest| matches!(rest, [] | [b'/', ..]))
    };
    let found = prefixes.iter().find(|(prefix, _)| fits(prefix));
    found.map(|(_, route)| *route)
}

fn names(config: &Config) -> Vec<&str> {
    let prefixes = config.limits.iter().map(|one| one.prefix.as_str());
    std::iter::once(EVERYTHING).chain(prefixes).collect()
}

fn rules(config: &Config) -> Rules {
    let limits = config.limits.iter();
    Rules {
        default: config.limit,
        routes: limits.map(|one| (one.prefix.clone(), one.limit)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::Limits;
    use crate::limit::Limit;
    use crate::web::{Config, PathLimit};
    use std::net::{IpAddr, Ipv4Addr};

    fn config() -> Config {
        let limit = |prefix: &str, text| PathLimit {
            prefix: prefix.to_owned(),
            limit: Limit::parse(text).unwrap(),
        };
        Config {
            limit: Limit::parse("100 per 1d").unwrap(),
            limits: vec![
                limit("/api/free", "none"),
                limit("/api/", "1 per 1d"),
                limit("/a", "2 per 1d"),
            ],
            ..Config::default()
        }
    }

    #[test]
    fn every_spelling_of_a_path_has_its_limit() {
        let limits = Limits::new(&config()).unwrap().unwrap();
        let client = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
        let check = |target: &str, name: &str| {
            let (decision, route) = limits.ask(client, target);
            assert_eq!(limits.limiter.name(route), name, "{target}");
            decision.is_allowed()
        };
        assert!(check("/api", "/api/"));
        for target in ["/api/x", "/%61pi/x?q=1", "//api//", "/api/%66ree2"] {
            assert!(!check(target, "/api/"), "{target}");
        }
        for target in ["/api/free", "/api/free/x", "/api/%66ree"] {
            assert!(check(target, "/api/free"));
        }
        for target in ["/", "/apix", "/b/api", "/api%2fx", "*"] {
            assert!(check(target, "web"), "{target}");
        }
        assert!(check("/a/b", "/a") && check("/a", "/a") && !check("/a/", "/a"));
    }

    #[test]
    fn what_was_counted_stays_while_the_paths_do() {
        let limits = Limits::new(&config()).unwrap().unwrap();
        let mut other = config();
        other.limits[1].limit = Limit::parse("5 per 1d").unwrap();
        assert!(limits.adapt(&other).unwrap());
        other.limits.remove(0);
        assert!(!limits.adapt(&other).unwrap());
        assert!(Limits::new(&Config::default()).unwrap().is_none());
    }
}
