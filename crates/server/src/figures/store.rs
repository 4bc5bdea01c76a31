//! The node's figures among its own samples: every 15 seconds, with the labels
//! `job="atoll"` and `instance`, the node's name, so that dashboards have something to show
//! from the first minute.
//!
//! They come in as those of any agent do, as a document of JSON, and are subject to the same
//! bounds of series. A round that fails is not made up for: the next one counts.

use super::{Figure, gather};
use crate::api::Service;
use metrics::database::WriteError;
use metrics::head::Client;
use metrics::ingest::json::{DocumentError, ITEMS};
use metrics::ingest::{self, Batch};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, SyncSender};
use std::thread::JoinHandle;
use std::time::Duration;

/// Between two rounds: what agents of Prometheus are commonly set to.
const PERIOD: Duration = Duration::from_secs(15);

/// Whose series these are, for their bounds. No device has this number, and credentials
/// hardly ever; the highest of all is nobody's, whose series a log brings back.
const OWN: Client = Client(u128::MAX - 1);

/// The `job` of all series.
const JOB: &str = "atoll";

/// Stores the figures for as long as it is kept.
pub struct Keeper {
    /// Dropped to end the thread.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Why a round stored less than all figures.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// They could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The document is not what the parser takes.
    #[error("the document of the node's own figures cannot be read: {0}")]
    Document(#[from] DocumentError),
    /// It could not be put together.
    #[error("the document of the node's own figures cannot be written: {0}")]
    Json(#[from] serde_json::Error),
    /// Some were refused, the others are stored.
    #[error("{count} of the node's own figures were refused, the first because: {reason}")]
    Refused {
        /// How many.
        count: usize,
        /// Why the first of them.
        reason: String,
    },
}

#[derive(Serialize)]
struct Document<'f> {
    metrics: &'f [Item<'f>],
}

#[derive(Serialize)]
struct Item<'f> {
    name: String,
    value: f64,
    r#type: &'static str,
    tags: BTreeMap<&'f str, &'f str>,
}

impl Keeper {
    /// Stores the first figures at once.
    ///
    /// # Errors
    /// The operating system gives no thread.
    pub fn start(service: Arc<Service>) -> io::Result<Self> {
        let (stop, stopped) = mpsc::channel();
        let thread = std::thread::Builder::new().name("figures".to_owned());
        let thread = thread.spawn(move || keep(&service, &stopped))?;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // If it panicked, that was told where it happened.
            let _ = thread.join();
        }
    }
}

/// Tells of a failure once, until a round succeeds.
fn keep(service: &Service, stopped: &Receiver<()>) {
    let mut is_failing = false;
    loop {
        match store(service) {
            Ok(()) => is_failing = false,
            Err(error) => {
                if !is_failing {
                    tracing::warn!("the node's own figures are not all stored: {error}");
                }
                is_failing = true;
            }
        }
        if stopped.recv_timeout(PERIOD) != Err(RecvTimeoutError::Timeout) {
            return;
        }
    }
}

/// One round: gathers the figures and stores them under the node's present time; blocks
/// until they are durable.
///
/// # Errors
/// [`StoreError`]; some figures may be stored then.
pub fn store(service: &Service) -> Result<(), StoreError> {
    let name = service.node.identity().name;
    let figures = gather(service);
    let items: Vec<Item<'_>> = figures.iter().flat_map(|one| items(one, &name)).collect();
    let now = i64::try_from(service.node.now()).unwrap_or(i64::MAX);
    let (done, written) = mpsc::sync_channel(items.len().div_ceil(ITEMS));
    let mut refused = None;
    for items in items.chunks(ITEMS) {
        let document = serde_json::to_vec(&Document { metrics: items })?;
        refused = refused.or(push(service, &document, now, done.clone())?);
    }
    drop(done);
    written.into_iter().collect::<Result<(), WriteError>>()?;
    refused.map_or(Ok(()), Err)
}

/// Queues the samples of a document. The result is why some of them were refused.
fn push(
    service: &Service,
    document: &[u8],
    now: i64,
    done: SyncSender<Result<(), WriteError>>,
) -> Result<Option<StoreError>, StoreError> {
    let mut intake = service.node.metrics().intake(OWN);
    let mut batch = Batch::default();
    batch.times = intake.times;
    ingest::json::parse(document, now, &mut intake.series, &mut batch)?;
    let points = std::mem::take(&mut batch.points);
    // There is room for all answers, and whoever waited may have gone.
    intake.write(points, Box::new(move |result| drop(done.try_send(result))))?;
    Ok(batch.listed().first().map(|first| StoreError::Refused {
        count: batch.refused(),
        reason: first.reason.to_string(),
    }))
}

fn items<'f>(figure: &'f Figure, instance: &'f str) -> impl Iterator<Item = Item<'f>> {
    figure.samples.iter().map(move |sample| {
        let own = [("job", JOB), ("instance", instance)];
        let labels = sample.labels.iter();
        Item {
            name: format!("{}{}", figure.name, sample.suffix),
            value: sample.value,
            r#type: figure.kind.name(),
            tags: labels
                .map(|(label, value)| (*label, &**value))
                .chain(own)
                .collect(),
        }
    })
}
