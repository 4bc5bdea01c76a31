//! `atoll web` over TLS, to a client that trusts one certificate and nothing else.

use super::{Place, connect, expect, text};
use crate::{await_that, refused};
use harness::process::{Signal, signal};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::fs;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

/// What `host` at `address` answers about `/a.txt`, proven by the certificate in the
/// file `trusted`.
fn get(address: SocketAddr, host: &str, trusted: &Path) -> io::Result<String> {
    get_target(address, host, "/a.txt", trusted)
}

/// The same about `target`.
fn get_target(address: SocketAddr, host: &str, target: &str, trusted: &Path) -> io::Result<String> {
    let mut roots = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_file(trusted).unwrap();
    roots.add(certificate).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = StreamOwned::new(connection, connect(address));
    let request = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[test]
fn a_certificate_of_its_own_is_made_once_and_kept() {
    let place = Place::new();
    let pem = place.at("tls/own.pem");
    let flag = format!("--tls-self-signed={}", text(&pem));
    let mut said = Vec::new();
    for model in ["sequential", "threads", "events", "processes"] {
        let web = place.serve(&[&flag, "--model", model, "--workers", "2"]);
        for host in ["localhost", "127.0.0.1"] {
            let answer = get(web.address(), host, &pem).unwrap();
            expect(&answer, "200", &["\r\n\r\nhello\n"]);
        }
        let printed = web.stop();
        let line = printed.lines().find(|line| line.contains("sha256:"));
        said.push(line.unwrap().to_owned());
    }
    said.dedup();
    assert_eq!(said.len(), 1, "{said:?}");
    let mode = fs::metadata(&pem).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn hosts_have_certificates_and_a_wrong_one_changes_nothing() {
    for model in ["events", "processes"] {
        let place = Place::new();
        // Made by a server, and used as files from then on.
        for name in ["a", "b", "c"] {
            place.write(
                &format!("{name}.yaml"),
                format!(
                    "listen: 127.0.0.1:0\ntls: {{self-signed: {name}.pem}}\n\
                 sites: [{{directory: www, hosts: [{name}.example]}}]\n"
                ),
            );
            let text = place.read(&format!("{name}.yaml"));
            place.serve_file(&text).stop();
        }
        let (a, b, c) = (place.at("a.pem"), place.at("b.pem"), place.at("c.pem"));
        fs::copy(&a, place.at("live.pem")).unwrap();
        let web = place.serve_file(&format!(
            "listen: 127.0.0.1:0\nmodel: {model}\nworkers: 1\n\
             tls: {{certificate: live.pem, key: live.pem, hsts: 1h}}\n\
             sites:\n- directory: www\n- directory: www\n  hosts: [b.example]\n  \
             tls: {{certificate: b.pem, key: b.pem}}\n"
        ));
        let address = web.address();
        let answer = get(address, "a.example", &a).unwrap();
        expect(
            &answer,
            "200",
            &["strict-transport-security: max-age=3600\r\n"],
        );
        get(address, "b.example", &b).unwrap();
        get(address, "b.example", &a).unwrap_err();

        place.write("live.pem", "nothing\n");
        web.signal(Signal::HUP);
        web.told("RELOADING=1");
        web.told("READY=1");
        let printed = web.printed();
        let last = printed.lines().last().unwrap();
        assert!(
            last.contains("the former configuration stays") && last.contains("live.pem has no"),
            "{model}: {printed}"
        );
        get(address, "a.example", &a).unwrap();

        fs::copy(&c, place.at("live.pem")).unwrap();
        web.signal(Signal::HUP);
        // A worker goes on until the one after it is ready.
        await_that("the new certificate", || {
            get(address, "c.example", &c).is_ok()
        });
        await_that("the end of the old one", || {
            get(address, "a.example", &a).is_err()
        });
        web.stop();
    }
}

/// Every answer says that browsers are to come back encrypted (RFC 6797 7.1).
#[test]
fn hsts_is_told_with_whatever_is_answered() {
    let place = Place::new();
    let web = place.serve_file(
        "listen: 127.0.0.1:0\ntls: {self-signed: own.pem, hsts: 1h}\nstatus: /-/status\n\
         limits: [{prefix: /rare, limit: 1 per 1d}]\n\
         sites: [{directory: www, redirects: [{from: /old, to: /a.txt}]}, \
         {directory: www, hosts: [b.example], users: {a: b}}]\n",
    );
    let own = place.at("own.pem");
    for (host, target, status) in [
        ("localhost", "/a.txt", "200"),
        ("localhost", "/none", "404"),
        ("localhost", "/old", "302"),
        ("localhost", "/-/status", "200"),
        ("localhost", "/rare", "404"),
        ("localhost", "/rare", "429"),
        ("b.example", "/a.txt", "401"),
    ] {
        let answer = get_target(web.address(), host, target, &own).unwrap();
        let line = "\r\nstrict-transport-security: max-age=3600\r\n";
        expect(&answer, status, &[line]);
        assert_eq!(answer.matches(line).count(), 1, "{target}");
    }
    web.stop();
}

/// Who renews a certificate writes its file and that of its key one after the other,
/// and a worker may begin between the two.
#[test]
fn a_worker_that_begins_later_proves_itself_as_the_others_do() {
    let place = Place::new();
    let start = "listen: 127.0.0.1:0\nmodel: processes\nworkers: 1\nstatus: /-/status\n";
    let text = |tls: &str| format!("{start}tls: {tls}\nsites: [{{directory: www}}]\n");
    place.serve_file(&text("{self-signed: own.pem}")).stop();
    let own = place.at("own.pem");
    fs::copy(&own, place.at("live.pem")).unwrap();
    let web = place.serve_file(&text("{certificate: live.pem, key: live.pem}"));
    let worker = || {
        let page = get_target(web.address(), "localhost", "/-/status", &own).ok()?;
        let (_, rest) = page.split_once(": process ")?;
        rest.split(',').next()?.parse::<u32>().ok()
    };
    let first = worker().unwrap();
    place.write("live.pem", "half a certificate\n");
    signal(first, Signal::KILL).unwrap();
    await_that("another worker", || {
        worker().is_some_and(|worker| worker != first)
    });
    let answer = get(web.address(), "localhost", &own).unwrap();
    expect(&answer, "200", &["hello\n"]);
    web.stop();
}

#[test]
fn a_look_leaves_nothing_behind() {
    let place = Place::new();
    place.write(
        "web.yaml",
        "tls: {self-signed: own.pem}\naccess-log: {file: access.log}\n\
         sites: [{directory: www}]\n",
    );
    let file = place.at("web.yaml");
    let output = crate::atoll(&["web", "--check", "--config", text(&file)]);
    assert!(output.status.success(), "{output:?}");
    assert!(!place.at("own.pem").exists() && !place.at("access.log").exists());
    place.write(
        "web.yaml",
        "access-log: {file: no/access.log}\nsites: [{directory: www}]\n",
    );
    refused(
        &["web", "--check", "--config", text(&file)],
        1,
        "no/access.log",
    );
}

#[test]
fn what_proves_nothing_is_named() {
    let place = Place::new();
    let www = place.at("www");
    let (missing, empty) = (place.at("missing.pem"), place.at("www/a.txt"));
    let web = |flags: &[&str], code, part: &str| {
        let words = ["web", text(&www), "--listen", "127.0.0.1:0"];
        refused(&[&words[..], flags].concat(), code, part);
    };
    let pair = |path| ["--tls-cert", text(path), "--tls-key", text(path)];
    web(&["--tls-cert", "a.pem"], 2, "--tls-key");
    web(&pair(&missing), 1, "missing.pem");
    web(&pair(&empty), 1, "has no certificate");
    let own = format!("--tls-self-signed={}/x.pem", text(&empty));
    web(&[&own], 1, "a.txt/x.pem");
    for (content, part) in [
        ("tls: {}\n", "line 1: tls needs"),
        ("tls: {certificate: a.pem}\n", "line 1: tls needs"),
        ("tls: {self-signed: a.pem, hsts: long}\n", "line 1: "),
    ] {
        place.write(
            "web.yaml",
            format!("{content}sites: [{{directory: www}}]\n"),
        );
        refused(&["web", "--config", text(&place.at("web.yaml"))], 1, part);
    }
    place.write(
        "web.yaml",
        "sites:\n- directory: www\n  hosts: [a]\n  tls: {certificate: a.pem, key: a.pem}\n",
    );
    let file = place.at("web.yaml");
    let words = ["web", "--config", text(&file)];
    refused(&words, 1, "line 2: ");
    refused(&words, 1, "a certificate of its own needs");
}
