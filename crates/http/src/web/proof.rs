//! What a server proves itself with, as a configuration names it.

use super::config::Config;
use super::papers::Papers;
use crate::tls::{Certificates, Identity, TlsError};
use rustls::pki_types::UnixTime;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

/// Connections are encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// For sites that have no certificate of their own.
    pub proof: Proof,
    /// How long browsers are to come back encrypted, and never otherwise (RFC 6797).
    pub hsts: Option<Duration>,
}

/// What a server proves itself with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// A certificate that others have signed.
    Files(Pair),
    /// One that nobody else has signed; it is made at first use and kept in this file.
    SelfSigned(PathBuf),
}

/// Two files in PEM form, which may be one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// The certificate, and behind it those above it.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

impl Pair {
    fn read(&self, papers: &mut Papers) -> Result<Identity, TlsError> {
        let certificate = papers.read("the certificate", &self.certificate)?;
        Identity::expect_certificate(&certificate)?;
        Identity::new(&certificate, &papers.read("the key", &self.key)?)
    }
}

/// The certificates that `config` names, if it names any, as `papers` have them.
pub(super) fn certificates(
    config: &Config,
    papers: &mut Papers,
) -> Result<Option<Certificates>, TlsError> {
    let Some(tls) = &config.tls else {
        return Ok(None);
    };
    let default = match &tls.proof {
        Proof::Files(pair) => pair.read(papers)?,
        Proof::SelfSigned(path) => {
            let own = papers.kept(path, &names(config))?;
            Identity::new(&own, &own)?
        }
    };
    let mut certificates = Certificates::new(default);
    for site in &config.sites {
        if let Some(pair) = &site.certificate {
            let identity = pair.read(papers)?;
            for host in &site.hosts {
                certificates = certificates.with(host, identity.clone());
            }
        }
    }
    Ok(Some(certificates))
}

/// Refuses a certificate that others have signed and that is not in force at `now`.
pub(super) fn expect_in_force(
    config: &Config,
    papers: &mut Papers,
    now: UnixTime,
) -> Result<(), TlsError> {
    let own = config
        .sites
        .iter()
        .filter_map(|site| site.certificate.as_ref());
    let default = match config.tls.as_ref().map(|tls| &tls.proof) {
        Some(Proof::Files(pair)) => Some(pair),
        Some(Proof::SelfSigned(_)) | None => None,
    };
    default.into_iter().chain(own).try_for_each(|pair| {
        let certificate = papers.read("the certificate", &pair.certificate)?;
        certificate.expect_in_force(now)
    })
}

/// What clients may call this server.
fn names(config: &Config) -> Vec<String> {
    let hosts = config.sites.iter().flat_map(|site| &site.hosts);
    let hosts = hosts.map(|host| host.trim_matches(['[', ']']).to_owned());
    let machine = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    let addresses = config.listen.iter().map(|address| address.ip());
    let addresses = addresses.filter(|address| !address.is_unspecified());
    let own = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let mut known = BTreeSet::new();
    hosts
        .chain([machine])
        .chain(addresses.map(|address| address.to_string()))
        .chain(own)
        .filter(|name| known.insert(name.clone()))
        .collect()
}
