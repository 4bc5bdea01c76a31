//! When a certificate is in force: from its first moment to its last (RFC 5280 4.1.2.5).

use super::error::TlsError;
use super::identity::Pem;
use crate::date::response_date;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, Error, RootCertStore};
use std::sync::Arc;

impl Pem {
    /// Refuses a certificate, or one of those above it, that is not in force at `now`.
    ///
    /// # Errors
    /// It begins later or has ended, or there is none.
    pub(crate) fn expect_in_force(&self, now: UnixTime) -> Result<(), TlsError> {
        for certificate in self.chain()? {
            let path = self.path().to_owned();
            match fault(&certificate, now) {
                Some(CertificateError::ExpiredContext { not_after, .. }) => {
                    let date = date(not_after);
                    return Err(TlsError::Expired { path, date });
                }
                Some(CertificateError::NotValidYetContext { not_before, .. }) => {
                    let date = date(not_before);
                    return Err(TlsError::Early { path, date });
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// What a client finds wrong with `certificate` that trusts it, for its time is what it
/// asks for first. One that it cannot read is none of this file's matter.
fn fault(certificate: &CertificateDer<'_>, now: UnixTime) -> Option<CertificateError> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone().into_owned()).ok()?;
    let provider = Arc::new(ring::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
    let name = ServerName::try_from("localhost").ok()?;
    let verifier = verifier.build().ok()?;
    match verifier.verify_server_cert(certificate, &[], &name, &[], now) {
        Err(Error::InvalidCertificate(error)) => Some(error),
        _ => None,
    }
}

fn date(time: UnixTime) -> String {
    String::from_utf8_lossy(&response_date(time.as_secs() as i64)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, date_time_ymd};
    use std::path::Path;
    use std::time::Duration;

    /// In force from the first day of the year `first` to that of `last`.
    fn pem(first: i32, last: i32, is_ca: IsCa) -> String {
        let mut parameters = CertificateParams::new(["a.example".to_owned()]).unwrap();
        parameters.not_before = date_time_ymd(first, 1, 1);
        parameters.not_after = date_time_ymd(last, 1, 1);
        parameters.is_ca = is_ca;
        let key = KeyPair::generate().unwrap();
        parameters.self_signed(&key).unwrap().pem()
    }

    #[test]
    fn a_chain_is_in_force_while_all_of_it_is() {
        let above = || IsCa::Ca(BasicConstraints::Unconstrained);
        let good = pem(2000, 2040, IsCa::NoCa);
        let check = |text: &str, expected: &str| {
            let pem = Pem::new(Path::new("a.pem"), text.as_bytes().to_vec());
            // 2020-09-13.
            let now = UnixTime::since_unix_epoch(Duration::from_secs(1_600_000_000));
            let found = pem.expect_in_force(now);
            let found = found.map_or_else(|error| error.to_string(), |()| String::new());
            assert!(
                found.starts_with(expected) && found.is_empty() == expected.is_empty(),
                "{found}"
            );
        };
        check(&good, "");
        check(&(good.clone() + &pem(2001, 2041, above())), "");
        let expired = "a.pem: the certificate expired on Mon, 01 Jan 2018 00:00:00 GMT";
        check(&pem(2000, 2018, IsCa::NoCa), expired);
        check(&(good + &pem(2000, 2018, above())), expired);
        let early = "a.pem: the certificate is not valid before Sat, 01 Jan 2022 00:00:00 GMT";
        check(&pem(2022, 2040, IsCa::NoCa), early);
    }
}
