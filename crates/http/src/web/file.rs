//! A configuration from a YAML file: what is wrong is named with its line.
//!
//! [`parse`] is pure. The shapes below are those of the file; what they become is a
//! [`Config`], whose own checks speak here with the line of the site they are about.
//! docs/web.md describes every key.

use super::config::{
    AccessLog, Config, Model, ModelName, Monitoring, PathLimit, Pool, SiteConfig, check_addresses,
    check_connections, check_path, check_workers, parse_bytes,
};
use super::cors::Cors;
use super::proof::{Pair, Proof, Tls};
use super::redirect::Redirect;
use super::users::Users;
use crate::files::{CacheRule, Links, Options, Types};
use crate::limit::{Limit, parse_period};
use crate::log::{Format, Target};
use crate::models::processes::Recycle;
use crate::models::{Bounds, Strategy};
use crate::serve::Timeouts;
use crate::yaml::{self, ReadError, Wrong, at};
use serde::Deserialize;
use serde_saphyr::{Location, Spanned};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    listen: Option<Spanned<Texts>>,
    tls: Option<Spanned<TlsFile>>,
    #[serde(default)]
    model: ModelName,
    #[serde(default)]
    balance: Strategy,
    workers: Option<Spanned<usize>>,
    processes: Option<Spanned<PoolFile>>,
    connections: Option<Spanned<ConnectionsFile>>,
    access_log: Option<LogFile>,
    limit: Option<Spanned<String>>,
    #[serde(default)]
    limits: Vec<Spanned<PathLimitFile>>,
    #[serde(default)]
    timeouts: TimeoutTexts,
    status: Option<Spanned<String>>,
    metrics: Option<Spanned<String>>,
    #[serde(default)]
    monitors: Vec<Spanned<String>>,
    sites: Spanned<Vec<Spanned<SiteFile>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct TlsFile {
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    self_signed: Option<PathBuf>,
    hsts: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PairFile {
    certificate: PathBuf,
    key: PathBuf,
}

/// One text, or several.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "expected an address and port, such as 127.0.0.1:8080, or a list of them"
)]
enum Texts {
    One(String),
    Several(Vec<String>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PathLimitFile {
    prefix: String,
    limit: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct PoolFile {
    minimum: Option<usize>,
    requests: Option<u64>,
    age: Option<Spanned<String>>,
    memory: Option<Spanned<String>>,
    #[serde(default)]
    pinned: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct ConnectionsFile {
    total: Option<usize>,
    per_address: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct LogFile {
    file: PathBuf,
    #[serde(default)]
    format: LogFormat,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
enum LogFormat {
    Common,
    #[default]
    Combined,
    Json,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct TimeoutTexts {
    idle: Option<Spanned<String>>,
    head: Option<Spanned<String>>,
    body: Option<Spanned<String>>,
    write: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct SiteFile {
    #[serde(default)]
    hosts: Vec<String>,
    tls: Option<PairFile>,
    directory: PathBuf,
    #[serde(default)]
    links: Follow,
    index: Option<Vec<String>>,
    #[serde(default)]
    listing: bool,
    #[serde(default)]
    hidden: bool,
    precompressed: Option<bool>,
    compress: Option<bool>,
    spa: Option<String>,
    #[serde(default)]
    error_pages: BTreeMap<u16, String>,
    #[serde(default)]
    cache: Vec<CacheFile>,
    cache_control: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    types: BTreeMap<String, String>,
    #[serde(default)]
    redirects: Vec<Spanned<RedirectFile>>,
    users: Option<Spanned<BTreeMap<String, String>>>,
    realm: Option<String>,
    cors: Option<Spanned<CorsFile>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
enum Follow {
    #[default]
    Inside,
    Never,
    Anywhere,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CacheFile {
    pattern: String,
    value: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RedirectFile {
    from: String,
    to: String,
    /// A browser does not remember it for ever, so that a mistake can be mended.
    #[serde(default = "found")]
    status: u16,
}

fn found() -> u16 {
    302
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct CorsFile {
    origins: Vec<String>,
    #[serde(default)]
    headers: Vec<String>,
    max_age: Option<Spanned<String>>,
}

/// How long a browser may keep an answer about origins, unless it is said.
const CORS_AGE: Duration = Duration::from_secs(600);

/// The configuration that `text` says; what it names is relative to `folder`.
///
/// # Errors
/// The first thing that is wrong, with its line.
pub fn parse(text: &str, folder: &Path) -> Result<Config, Wrong> {
    yaml::parse::<File>(text)?.config(folder)
}

impl File {
    fn config(self, folder: &Path) -> Result<Config, Wrong> {
        let mut config = Config::default();
        if let Some(listen) = self.listen {
            let addresses = listen.value.each().map(|text| {
                let wrong = |_| format!("{text:?} is no address and port, such as 127.0.0.1:8080");
                at(listen.referenced, text.parse::<SocketAddr>().map_err(wrong))
            });
            config.listen = addresses.collect::<Result<_, _>>()?;
            at(listen.referenced, check_addresses(&config.listen))?;
        }
        if let Some(tls) = self.tls {
            let place = tls.referenced;
            config.tls = Some(tls.value.tls(folder, place)?);
        }
        config.model = Model::from((self.model, self.balance));
        if let Some(workers) = &self.workers {
            at(workers.referenced, check_workers(workers.value))?;
            config.workers = workers.value;
        }
        if let Some(pool) = self.processes {
            config.pool = pool.value.pool()?;
            at(pool.referenced, config.check_pool())?;
        }
        if let Some(bounds) = self.connections {
            config.connections = bounds.value.bounds();
            at(bounds.referenced, check_connections(config.connections))?;
        }
        config.access_log = self.access_log.map(|log| log.access_log(folder));
        if let Some(limit) = &self.limit {
            config.limit = at(limit.referenced, Limit::parse(&limit.value))?;
        }
        for one in self.limits {
            let PathLimitFile { prefix, limit } = one.value;
            let limit = at(one.referenced, Limit::parse(&limit))?;
            config.limits.push(PathLimit { prefix, limit });
            // Those before it are sound.
            at(one.referenced, config.check_limits())?;
        }
        config.timeouts = self.timeouts.timeouts()?;
        config.monitoring = Monitoring {
            status: self.status.map(monitoring_path).transpose()?,
            metrics: self.metrics.map(monitoring_path).transpose()?,
            clients: self
                .monitors
                .iter()
                .map(|text| at(text.referenced, text.value.parse::<IpAddr>()))
                .collect::<Result<_, _>>()?,
        };
        let whole = self.sites.referenced;
        for site in self.sites.value {
            let place = site.referenced;
            config.sites.push(site.value.site(folder)?);
            // The sites before it are sound.
            at(place, config.check())?;
        }
        at(whole, config.check())?;
        Ok(config)
    }
}

impl TlsFile {
    fn tls(self, folder: &Path, place: Location) -> Result<Tls, Wrong> {
        let proof = match (self.certificate, self.key, self.self_signed) {
            (Some(certificate), Some(key), None) => Ok(Proof::Files(Pair {
                certificate: folder.join(certificate),
                key: folder.join(key),
            })),
            (None, None, Some(file)) => Ok(Proof::SelfSigned(folder.join(file))),
            _ => Err("tls needs either `certificate` and `key`, or `self-signed`"),
        };
        Ok(Tls {
            proof: at(place, proof)?,
            hsts: self.hsts.as_ref().map(period).transpose()?,
        })
    }
}

impl Texts {
    fn each(&self) -> impl Iterator<Item = &str> {
        let all = match self {
            Self::One(text) => std::slice::from_ref(text),
            Self::Several(texts) => texts,
        };
        all.iter().map(String::as_str)
    }
}

impl PoolFile {
    fn pool(&self) -> Result<Pool, Wrong> {
        Ok(Pool {
            minimum: self.minimum,
            recycle: Recycle {
                requests: self.requests,
                age: self.age.as_ref().map(period).transpose()?,
                resident_bytes: self.memory.as_ref().map(bytes).transpose()?,
                ..Pool::default().recycle
            },
            is_pinned: self.pinned,
        })
    }
}

impl ConnectionsFile {
    fn bounds(&self) -> Bounds {
        let defaults = Config::default().connections;
        Bounds {
            total: self.total.unwrap_or(defaults.total),
            per_address: self.per_address.unwrap_or(defaults.per_address),
        }
    }
}

impl LogFile {
    fn access_log(self, folder: &Path) -> AccessLog {
        AccessLog {
            target: match self.file.as_os_str() == "-" {
                true => Target::Stdout,
                false => Target::File(folder.join(self.file)),
            },
            format: match self.format {
                LogFormat::Common => Format::Common,
                LogFormat::Combined => Format::Combined,
                LogFormat::Json => Format::Json,
            },
        }
    }
}

impl TimeoutTexts {
    fn timeouts(&self) -> Result<Timeouts, Wrong> {
        let mut timeouts = Timeouts::default();
        for (text, timeout) in [
            (&self.idle, &mut timeouts.idle),
            (&self.head, &mut timeouts.head),
            (&self.body, &mut timeouts.body),
            (&self.write, &mut timeouts.write),
        ] {
            if let Some(text) = text {
                *timeout = period(text)?;
            }
        }
        Ok(timeouts)
    }
}

impl SiteFile {
    fn site(self, folder: &Path) -> Result<SiteConfig, Wrong> {
        let defaults = SiteConfig::new(folder.join(&self.directory));
        let users = match &self.users {
            Some(users) => {
                let pairs = users.value.iter();
                let pairs = pairs.map(|(name, password)| (name.as_str(), password.as_str()));
                at(users.referenced, Users::new(pairs))?
            }
            None => Users::default(),
        };
        let redirects = self.redirects.iter().map(|redirect| {
            let RedirectFile { from, to, status } = &redirect.value;
            let read = Redirect {
                from: from.clone(),
                to: to.clone(),
                status: *status,
            };
            at(redirect.referenced, read.check()).map(|()| read)
        });
        Ok(SiteConfig {
            hosts: self.hosts,
            certificate: self.tls.map(|pair| Pair {
                certificate: folder.join(pair.certificate),
                key: folder.join(pair.key),
            }),
            links: match self.links {
                Follow::Inside => Links::Inside,
                Follow::Never => Links::Refused,
                Follow::Anywhere => Links::Anywhere,
            },
            redirects: redirects.collect::<Result<_, _>>()?,
            users,
            realm: self.realm.unwrap_or(defaults.realm),
            cors: self.cors.map(CorsFile::cors).transpose()?,
            options: Options {
                index: self.index.unwrap_or(defaults.options.index),
                listing: self.listing,
                dotfiles: self.hidden,
                precompressed: self.precompressed.unwrap_or(defaults.options.precompressed),
                compress: self.compress.unwrap_or(defaults.options.compress),
                fallback: self.spa,
                error_pages: self.error_pages.into_iter().collect(),
                cache_rules: self.cache.into_iter().map(CacheFile::rule).collect(),
                cache_control: self.cache_control.or(defaults.options.cache_control),
                types: Types::new(self.types),
                extra_fields: self.headers.into_iter().collect(),
                ..Options::default()
            },
            directory: defaults.directory,
        })
    }
}

impl CacheFile {
    fn rule(self) -> CacheRule {
        CacheRule {
            pattern: self.pattern,
            value: self.value,
        }
    }
}

impl CorsFile {
    fn cors(file: Spanned<Self>) -> Result<Cors, Wrong> {
        let place = file.referenced;
        let max_age = file.value.max_age.as_ref().map(period).transpose()?;
        let cors = Cors {
            origins: file.value.origins,
            headers: file.value.headers,
            max_age: max_age.unwrap_or(CORS_AGE),
        };
        at(place, cors.check())?;
        Ok(cors)
    }
}

fn monitoring_path(path: Spanned<String>) -> Result<String, Wrong> {
    at(path.referenced, check_path(&path.value))?;
    Ok(path.value)
}

fn period(text: &Spanned<String>) -> Result<Duration, Wrong> {
    let parsed = parse_period(&text.value).filter(|period| !period.is_zero());
    let wrong = || format!("{:?} is no time, such as 30s, 5m or 500ms", text.value);
    at(text.referenced, parsed.ok_or_else(wrong))
}

fn bytes(text: &Spanned<String>) -> Result<u64, Wrong> {
    at(text.referenced, parse_bytes(&text.value))
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
            "sites:\n- directory: a\n  users:\n    'a:b': c",
            4,
            "user \"a:b\"",
        );
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
        check("sites:\n- directory: a\n  directory: b", 3, "directory");
        check("sites: {", 1, "");
    }
}
