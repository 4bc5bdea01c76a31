//! Bytes on the disk of a sample of node_exporter, everything that is needed to find it
//! among them; and whether what went in comes out.

use anyhow::ensure;

use super::super::report::Row;
use super::Bench;
use super::client::escaped;
use super::corpus::{Corpus, JOBS, make_blocks};
use super::disk::{bytes_below, still};
use super::figures::{self, Bar};
use super::server::{Server, System, data_folder};

/// Bytes of a request: series come whole.
const BODY_BYTES: usize = 1 << 20;

/// Measures it, once: bytes repeat themselves.
///
/// # Errors
/// When a server does not run, or a node gives other samples than it took.
pub fn run(bench: &Bench, corpus: &Corpus) -> anyhow::Result<Vec<Row>> {
    let samples = corpus.samples() as f64;
    let ours = atoll(bench, corpus)? as f64 / samples;
    let victoria = victoria_metrics(bench, corpus)? as f64 / samples;
    let prometheus = prometheus(bench, corpus)? as f64 / samples;
    let work = format!(
        "bytes of a sample, {:.2} M of node_exporter in {} series",
        samples / 1e6,
        corpus.0.len()
    );
    let show = |bytes| format!("{bytes:.3} B");
    let row = |rival: System, bytes, bar| {
        let rival = (rival.name(), &[bytes][..]);
        figures::row(&work, &[ours], rival, Some(Bar::AtMost(bar)), show)
    };
    Ok(vec![
        row(System::Prometheus, prometheus, 0.5),
        row(System::VictoriaMetrics, victoria, 1.1),
        Row::figure(
            "the same, exported as it was imported, bit by bit",
            "equal".to_owned(),
            String::new(),
            "lossless".to_owned(),
            true,
        ),
    ])
}

fn atoll(bench: &Bench, corpus: &Corpus) -> anyhow::Result<u64> {
    let data = data_folder(bench, "data")?;
    let server = System::Atoll.start_on(bench, &data)?;
    import(&server, corpus)?;
    server.flush()?;
    let bytes = still(|| bytes_below(&data.join("metrics").join("parts")))?;
    let target = format!("/api/v1/export?match[]={}", escaped(JOBS));
    let exported = String::from_utf8(server.client().get(&target)?)?;
    ensure!(
        Corpus::read(&exported)? == *corpus,
        "the node does not export what was imported"
    );
    server.stop()?;
    Ok(bytes)
}

fn victoria_metrics(bench: &Bench, corpus: &Corpus) -> anyhow::Result<u64> {
    let data = data_folder(bench, "data")?;
    let server = System::VictoriaMetrics.start_on(bench, &data)?;
    import(&server, corpus)?;
    server.flush()?;
    server.client().get("/internal/force_merge")?;
    let size = || Ok(bytes_below(&data.join("data"))? + bytes_below(&data.join("indexdb"))?);
    still(size)?;
    server.stop()?;
    size()
}

fn prometheus(bench: &Bench, corpus: &Corpus) -> anyhow::Result<u64> {
    let data = data_folder(bench, "data")?;
    make_blocks(bench, &corpus.open_metrics(), &data)?;
    bytes_below(&data)
}

fn import(server: &Server, corpus: &Corpus) -> anyhow::Result<()> {
    let client = server.client();
    let mut body = String::new();
    let send = |body: &str| client.post("/api/v1/import", &[], body.as_bytes());
    for line in corpus.lines() {
        body += &line;
        if body.len() > BODY_BYTES {
            send(&body)?;
            body.clear();
        }
    }
    if !body.is_empty() {
        send(&body)?;
    }
    Ok(())
}
