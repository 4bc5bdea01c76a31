//! What a file says of the server as a whole, in the shapes of the file, and what becomes
//! of it. A directory that it serves is a [`SiteFile`].

use super::period;
use super::site::SiteFile;
use crate::limit::Limit;
use crate::log::{Format, Target};
use crate::models::processes::Recycle;
use crate::models::{Bounds, ModelName, Strategy};
use crate::serve::Timeouts;
use crate::web::check::{check_addresses, check_connections, check_path, check_workers};
use crate::web::config::{AccessLog, Config, Model, Monitoring, PathLimit, Pool, parse_bytes};
use crate::web::lines::Lines;
use crate::web::proof::{Pair, Proof, Tls};
use crate::yaml::{Wrong, at};
use serde::Deserialize;
use serde_saphyr::{Location, Spanned};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct File {
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
    certificate: Option<Spanned<PathBuf>>,
    key: Option<Spanned<PathBuf>>,
    self_signed: Option<Spanned<PathBuf>>,
    hsts: Option<Spanned<String>>,
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
    file: Spanned<PathBuf>,
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

impl File {
    pub(super) fn config(self, folder: &Path) -> Result<Config, Wrong> {
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
            config.tls = Some(tls.value.tls(folder, place, &mut config.lines)?);
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
        let log = self.access_log;
        config.access_log = log.map(|log| log.access_log(folder, &mut config.lines));
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
                .map(|text| {
                    let wrong = |_| format!("{:?} is no address, such as 192.0.2.7", text.value);
                    at(text.referenced, text.value.parse::<IpAddr>().map_err(wrong))
                })
                .collect::<Result<_, _>>()?,
        };
        let whole = self.sites.referenced;
        for site in self.sites.value {
            let place = site.referenced;
            let site = site.value.site(folder, &mut config.lines)?;
            config.sites.push(site);
            // The sites before it are sound.
            at(place, config.check())?;
        }
        at(whole, config.check())?;
        Ok(config)
    }
}

impl TlsFile {
    fn tls(self, folder: &Path, place: Location, lines: &mut Lines) -> Result<Tls, Wrong> {
        let proof = match (self.certificate, self.key, self.self_signed) {
            (Some(certificate), Some(key), None) => Ok(Proof::Files(Pair {
                certificate: lines.note(folder, &certificate),
                key: lines.note(folder, &key),
            })),
            (None, None, Some(file)) => Ok(Proof::SelfSigned(lines.note(folder, &file))),
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
    fn access_log(self, folder: &Path, lines: &mut Lines) -> AccessLog {
        AccessLog {
            target: match self.file.value.as_os_str() == "-" {
                true => Target::Stdout,
                false => Target::File(lines.note(folder, &self.file)),
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

fn monitoring_path(path: Spanned<String>) -> Result<String, Wrong> {
    at(path.referenced, check_path(&path.value))?;
    Ok(path.value)
}

fn bytes(text: &Spanned<String>) -> Result<u64, Wrong> {
    at(text.referenced, parse_bytes(&text.value))
}
