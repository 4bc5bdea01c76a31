//! A configuration from a YAML file: what is wrong is named with its line.
//!
//! [`parse`] is pure. The shapes of the file are those of [`server`] and, for each
//! directory, of [`site`]; what they become is a [`Config`], whose own checks speak here
//! with the line of the site they are about. docs/web.md describes every key.

mod server;
mod site;

use super::config::Config;
use crate::limit::parse_period;
use crate::yaml::{self, ReadError, Wrong, at};
use serde_saphyr::Spanned;
use std::path::Path;
use std::time::Duration;

/// The configuration in the file at `path`. What it names is relative to its folder.
///
/// # Errors
/// The file cannot be read, or says something that cannot be.
pub fn read(path: &Path) -> Result<Config, ReadError> {
    yaml::read(path, |text| parse(text, folder_of(path)))
}

/// The configuration that is the `text` of the file at `path`.
pub(super) fn parse_file(text: &str, path: &Path) -> Result<Config, ReadError> {
    parse(text, folder_of(path)).map_err(|wrong| wrong.of(path))
}

fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

/// The configuration that `text` says; what it names is relative to `folder`.
///
/// # Errors
/// The first thing that is wrong, with its line.
pub fn parse(text: &str, folder: &Path) -> Result<Config, Wrong> {
    yaml::parse::<server::File>(text)?.config(folder)
}

fn period(text: &Spanned<String>) -> Result<Duration, Wrong> {
    let parsed = parse_period(&text.value).filter(|period| !period.is_zero());
    let wrong = || format!("{:?} is no time, such as 30s, 5m or 500ms", text.value);
    at(text.referenced, parsed.ok_or_else(wrong))
}

#[cfg(test)]
mod tests {
    use super::{Config, Wrong, parse};
    use crate::files::Links;
    use crate::limit::Limit;
    use crate::log::{Format, Target};
    use crate::models::{Bounds, Strategy};
    use crate::web::{AccessLog, Model};
    use std::path::Path;
    use std::time::Duration;

    fn read(text: &str) -> Result<Config, Wrong> {
        parse(text, Path::new("/etc/web"))
    }

    #[test]
    fn a_short_file_is_the_defaults() {
        let config = read("sites:\n  - directory: www\n").unwrap();
        assert_eq!(config.listen, Config::default().listen);
        assert_eq!(config.sites.len(), 1);
        assert_eq!(config.sites[0].directory, Path::new("/etc/web/www"));
        assert!(config.sites[0].users.is_empty());
    }

    #[test]
    fn a_long_file_is_read_whole() {
        let config = read(
            "listen: '[::1]:8443'\nmodel: events\nbalance: least-loaded\nworkers: 3\n\
             access-log: {file: access.log, format: json}\nlimit: 100 per 1s\n\
             timeouts: {idle: 2m, write: 500ms}\n\
             status: /-/status\nmetrics: /-/metrics\nmonitors: [192.0.2.1]\n\
             sites:\n\
             - hosts: [a.example]\n  directory: /srv/a\n  links: never\n  listing: true\n  \
             spa: /index.html\n  error-pages: {404: /404.html}\n  \
             cache: [{pattern: '*.css', value: max-age=60}]\n  \
             headers: {X-Frame-Options: DENY}\n  types: {foo: text/x-foo}\n  \
             redirects: [{from: /old, to: /new, status: 308}]\n  \
             users: {alice: secret}\n  realm: a place\n  \
             cors: {origins: ['https://b.example'], max-age: 5m}\n\
             - directory: /srv/b\n",
        )
        .unwrap();
        assert_eq!(config.listen, ["[::1]:8443".parse().unwrap()]);
        assert_eq!(config.model, Model::Events(Strategy::LeastLoaded));
        assert_eq!(config.workers, 3);
        let log = AccessLog {
            target: Target::File("/etc/web/access.log".into()),
            format: Format::Json,
        };
        assert_eq!(config.access_log, Some(log));
        assert_eq!(config.limit, Limit::parse("100 per 1s").unwrap());
        assert_eq!(config.timeouts.idle, Duration::from_secs(120));
        let processes = read(
            "listen: ['127.0.0.1:80', '[::1]:80']\nmodel: processes\nworkers: 3\n\
             processes: {minimum: 2, requests: 9, age: 1d, memory: 64 MiB, pinned: true}\n\
             limits: [{prefix: /a, limit: 1 per 1s}, {prefix: /b, limit: none}]\n\
             connections: {per-address: 7}\n\
             sites: [{directory: www}]\n",
        )
        .unwrap();
        assert_eq!(processes.listen.len(), 2);
        assert_eq!(processes.model, Model::Processes(Strategy::PerSlot));
        let (pool, recycle) = (processes.pool, processes.pool.recycle);
        assert_eq!((pool.minimum, pool.is_pinned), (Some(2), true));
        assert_eq!(
            (recycle.requests, recycle.age, recycle.resident_bytes),
            (Some(9), Some(Duration::from_secs(86_400)), Some(64 << 20))
        );
        assert_eq!(processes.limits[1].limit, None);
        let bounds = Bounds {
            per_address: 7,
            ..Config::default().connections
        };
        assert_eq!(processes.connections, bounds);
        assert_eq!(config.timeouts.write, Duration::from_millis(500));
        assert_eq!(config.monitoring.clients.len(), 1);
        let site = &config.sites[0];
        assert_eq!(site.links, Links::Refused);
        assert_eq!(site.options.fallback.as_deref(), Some("/index.html"));
        assert_eq!(site.redirects[0].status, 308);
        assert_eq!(
            site.cors.as_ref().unwrap().max_age,
            Duration::from_secs(300)
        );
        assert_eq!(site.realm, "a place");
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let check = |text: &str, line, reason: &str| {
            let wrong = read(text).unwrap_err();
            assert_eq!(wrong.line, line, "{text}: {wrong}");
            assert!(wrong.reason.contains(reason), "{text}: {wrong}");
            assert!(!wrong.reason.contains(" at line "), "{text}: {wrong}");
        };
        check("sites: []", 1, "no site");
        check("listen: x\nsites:\n- directory: a", 1, "no address");
        check("\nworkers: many\nsites:\n- directory: a", 2, "");
        check("workers: 0\nsites:\n- directory: a", 1, "0 workers");
        check("worker: 1\nsites:\n- directory: a", 1, "worker");
        check("model: fast\nsites:\n- directory: a", 1, "fast");
        check(
            "connections: {total: 0}\nsites:\n- directory: a",
            1,
            "0 connections",
        );
        check("limit: often\nsites:\n- directory: a", 1, "limit \"often\"");
        check("timeouts:\n  idle: 5\nsites:\n- directory: a", 2, "no time");
        check(
            "monitors:\n- 127.0.0.1\n- me\nsites:\n- directory: a",
            3,
            "",
        );
        check("status: x\nsites:\n- directory: a", 1, "path \"x\"");
        check("sites:\n- directory: a\n  colour: red", 3, "colour");
        check("sites:\n- hosts: [a]", 2, "directory");
        check(
            "sites:\n- directory: a\n- directory: b\n  headers: {Content-Length: '0'}",
            3,
            "written by the connection",
        );
        check(
            "sites:\n- directory: a\n  redirects:\n  - {from: /a, to: /b}\n  - {from: b, to: c}",
            5,
            "redirect from \"b\"",
        );
        check(
            "sites:\n- directory: a\n  redirects: [{from: /a*, to: 'https://b.example*'}]",
            3,
            "would become a part of the host",
        );
        check(
            "sites:\n- directory: a\n  users:\n    'a:b': c",
            4,
            "user \"a:b\"",
        );
        for nobody in ["{}", "", "# alice: secret"] {
            let text = format!("sites:\n- directory: a\n  users: {nobody}");
            check(&text, 3, "users are nobody");
        }
        check(
            "sites:\n- directory: a\n  cors: {origins: [a]}",
            3,
            "origin \"a\"",
        );
        check(
            "sites:\n- {directory: a, hosts: [a]}\n- {directory: b, hosts: [A]}",
            3,
            "two sites",
        );
        check(
            "sites:\n- directory: a\n  redirects:\n  - {from: /a, to: /b}\n  - {from: /c, to: /c}",
            5,
            "redirect from \"/c\"",
        );
        check("sites:\n- directory: a\n  directory: b", 3, "directory");
        check("sites: {", 1, "");
    }

    /// Nobody who writes a file knows what a sequence, a field or a usize is.
    #[test]
    fn what_is_wrong_is_said_in_words() {
        let check = |start: &str, reason: &str| {
            let text = format!("{start}\nsites: [{{directory: a}}]");
            assert_eq!(read(&text).unwrap_err().reason, reason, "{start}");
        };
        check("workers: many", "expected a whole number, not below 0");
        check("workers: [1]", "expected a single value");
        check("processes: {pinned: 1}", "expected true or false");
        check("monitors: a", "expected a list");
        check("monitors: [a]", "\"a\" is no address, such as 192.0.2.7");
        check("timeouts: 5", "expected keys with values");
        check(
            "timeouts: {idle: 5, all: 6}",
            "there is no key `all` here, only idle, head, body, write",
        );
        check("access-log: {}", "the key `file` is missing");
        check(
            "balance: x",
            "\"x\" is none of per-slot, shared, least-loaded",
        );
        check(
            "workers: 1\nworkers: 2",
            "the key `workers` is there twice: remove one",
        );
        check(
            "access-log: {file: ~}",
            "nothing is said here: write a text, or leave the key out",
        );
    }
}
