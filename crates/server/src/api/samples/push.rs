//! Samples in, in four formats: our own JSON, Prometheus' remote write, Influx' line
//! protocol, and JSON Lines. An answer that says they were taken is sent once they are
//! durable and can be asked for.
//!
//! A body is read whole first (`room`). A small one is parsed where it arrived: that
//! takes some microseconds, less than handing it to a thread. A large one, and one of which
//! much comes when it is undone, is parsed by a thread of the node's pool, so that nobody
//! else waits for it.

use super::super::Service;
use super::super::input::{self, Query};
use super::client::Sender;
use super::coding::Coding;
use super::refusals::{self, Place};
use super::room::{Arrived, Room, SMALL_BYTES};
use super::tally::{Format, Tallies};
use crate::problem::Problem;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use metrics::database::{Intake, WriteError};
use metrics::head::{Client, SeriesId};
use metrics::ingest::{self, Batch, Precision};
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;
use store::log::LogError;
use tokio::sync::oneshot;

/// A body that is undone where it arrives comes as short as this, and as much of snappy,
/// which multiplies by 22 at most, is undone there.
const CODED_BYTES: usize = 4 << 10;

/// What all requests with samples share.
#[derive(Default)]
pub struct Pushes {
    room: Room,
    tallies: Tallies,
}

/// What became of a request.
struct Taken {
    batch: Batch<SeriesId>,
    /// Samples that are kept.
    accepted: usize,
}

#[derive(Deserialize)]
pub struct JsonOptions {
    /// Whether all items are kept or none, as a flag.
    atomic: Option<String>,
}

#[derive(Deserialize)]
pub struct LineOptions {
    precision: Option<String>,
}

/// Reads a body into a batch, or says why that cannot be read at all.
type Parse =
    Box<dyn FnOnce(&[u8], &mut Intake<'_>, &mut Batch<SeriesId>) -> Result<(), String> + Send>;

impl Pushes {
    /// Samples that came so far.
    pub(crate) const fn tallies(&self) -> &Tallies {
        &self.tallies
    }
}

/// `POST /metrics`
pub async fn json(
    State(service): State<Arc<Service>>,
    sender: Sender,
    Query(options): Query<JsonOptions>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let parse: Parse = Box::new(|body, intake, batch| {
        let read = ingest::json::parse(body, intake.now, &mut intake.series, batch);
        read.map_err(|error| error.to_string())
    });
    let all_or_none = input::flag("atomic", options.atomic.as_deref())?;
    let body = read_body(&service, &headers, body).await?;
    let taken = take(&service, sender, body, Format::Json, all_or_none, parse).await?;
    answer(&taken, Place::Index)
}

/// `POST /api/v1/import`
pub async fn import(
    State(service): State<Arc<Service>>,
    sender: Sender,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let parse: Parse = Box::new(|body, intake, batch| {
        ingest::jsonl::parse(body, &mut intake.series, batch);
        Ok(())
    });
    let body = read_body(&service, &headers, body).await?;
    let taken = take(&service, sender, body, Format::JsonLines, false, parse).await?;
    answer(&taken, Place::Line)
}

/// `POST /api/v1/write`: remote write 1.0. A sender repeats what is answered 5xx or 429 and
/// gives up what is answered otherwise, so a request of which anything was refused is 400,
/// as Prometheus answers it.
pub async fn remote_write(
    State(service): State<Arc<Service>>,
    sender: Sender,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let content_type = headers.get(header::CONTENT_TYPE);
    let content_type = content_type.and_then(|value| value.to_str().ok());
    if content_type.is_some_and(|text| text.contains("io.prometheus.write.v2")) {
        return Err(Problem::MediaType(
            "remote write 2.0 is not read: send 1.0 (`protobuf_message: prometheus.WriteRequest`)"
                .to_owned(),
        ));
    }
    let parse: Parse = Box::new(|body, intake, batch| {
        let mut buffer = Vec::new();
        let message = ingest::remote_write::decompress(body, &mut buffer);
        let read = message
            .and_then(|message| ingest::remote_write::parse(message, &mut intake.series, batch));
        read.map_err(|error| error.to_string())
    });
    let body = read_body(&service, &headers, body).await?;
    let taken = take(&service, sender, body, Format::RemoteWrite, false, parse).await?;
    nothing_or_refusals(&taken, Place::Index)
}

/// `POST /write` and `/api/v2/write`
pub async fn line_protocol(
    State(service): State<Arc<Service>>,
    sender: Sender,
    Query(options): Query<LineOptions>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let precision = precision(options.precision.as_deref())?;
    let parse: Parse = Box::new(move |body, intake, batch| {
        ingest::line_protocol::parse(body, precision, intake.now, &mut intake.series, batch);
        Ok(())
    });
    let body = read_body(&service, &headers, body).await?;
    let taken = take(&service, sender, body, Format::LineProtocol, false, parse).await?;
    nothing_or_refusals(&taken, Place::Line)
}

/// `GET /ping`: what clients of Influx ask first.
pub async fn ping() -> StatusCode {
    StatusCode::NO_CONTENT
}

fn precision(text: Option<&str>) -> Result<Precision, Problem> {
    Ok(match text.unwrap_or("ns") {
        "ns" | "n" => Precision::Nanoseconds,
        "us" | "u" | "µ" => Precision::Microseconds,
        "ms" => Precision::Milliseconds,
        "s" => Precision::Seconds,
        "m" => Precision::Minutes,
        "h" => Precision::Hours,
        other => {
            return Err(Problem::Malformed(format!(
                "the precision {other:?} is none of ns, us, ms, s, m, h"
            )));
        }
    })
}

async fn read_body(service: &Service, headers: &HeaderMap, body: Body) -> Result<Arrived, Problem> {
    let coding = Coding::of(headers)?;
    service.pushes.room.read(body, coding).await
}

/// Parses a body, queues its samples, and waits until they are kept.
async fn take(
    service: &Arc<Service>,
    sender: Sender,
    body: Arrived,
    format: Format,
    all_or_none: bool,
    parse: Parse,
) -> Result<Taken, Problem> {
    // A message of remote write is undone once more when it is parsed.
    let most = match format {
        Format::RemoteWrite => CODED_BYTES,
        _ => SMALL_BYTES,
    };
    let body = body.undo_short(CODED_BYTES, most)?;
    let is_small = body.coding.is_left() && body.bytes.len() <= most;
    let (done, written) = oneshot::channel();
    let queueing = Arc::clone(service);
    let job =
        move || body.consume(|bytes| queue(&queueing, sender, bytes, all_or_none, parse, done));
    let taken = match is_small {
        true => job()?,
        false => service.node.store(job).await?,
    };
    if taken.accepted > 0 {
        // Who does not answer is gone, and what became of the samples is not known.
        written.await.map_err(|_| lost())??;
    }
    let tallies = &service.pushes.tallies;
    tallies.count(format, taken.accepted, taken.batch.refused());
    Ok(taken)
}

fn lost() -> Problem {
    Problem::Unavailable("the store of metrics stopped; see the node's log".to_owned())
}

fn queue(
    service: &Service,
    sender: Sender,
    bytes: &[u8],
    all_or_none: bool,
    parse: Parse,
    done: oneshot::Sender<Result<(), WriteError>>,
) -> Result<Taken, Problem> {
    let mut intake = service.node.metrics().intake(Client(sender.0));
    let mut batch = Batch::default();
    batch.times = intake.times;
    parse(bytes, &mut intake, &mut batch).map_err(Problem::Malformed)?;
    if all_or_none && batch.refused() > 0 {
        batch.points.clear();
    }
    let points = std::mem::take(&mut batch.points);
    let accepted = points.len();
    if accepted > 0 {
        let most = service.throttle.samples_at_once();
        if accepted > most {
            return Err(Problem::Malformed(format!(
                "{accepted} samples in one request, and a client may send {most} at once here: \
                 send them in smaller ones"
            )));
        }
        service.throttle.admit_samples(sender.0, accepted)?;
        // Whoever waited may have gone.
        intake.write(points, Box::new(|result| drop(done.send(result))))?;
    }
    Ok(Taken { batch, accepted })
}

/// 200 when anything was taken, else 400; with every refusal.
fn answer(taken: &Taken, place: Place) -> Result<Response, Problem> {
    let Taken { batch, accepted } = taken;
    if batch.refused() == 0 {
        let text = format!("{{\"accepted\":{accepted},\"refused\":[]}}");
        let media_type = [(header::CONTENT_TYPE, "application/json")];
        return Ok((media_type, text).into_response());
    }
    let listed = refusals::listed(batch, place);
    if *accepted == 0 {
        return Err(Problem::Samples {
            detail: refusals::told(batch, place),
            refused: listed,
        });
    }
    let answer = json!({ "accepted": accepted, "refused": listed });
    Ok(axum::Json(answer).into_response())
}

/// 204, or 400 with the first refusal.
fn nothing_or_refusals(taken: &Taken, place: Place) -> Result<Response, Problem> {
    let Taken { batch, accepted } = taken;
    if batch.refused() == 0 {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let told = refusals::told(batch, place);
    Err(Problem::Samples {
        detail: format!("{told} ({accepted} were taken)"),
        refused: refusals::listed(batch, place),
    })
}

impl From<WriteError> for Problem {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Full { .. } => Self::Busy("too many samples wait to be written"),
            WriteError::Closed => Self::Unavailable("the node is stopping".to_owned()),
            WriteError::Log(LogError::Write { source, path })
                if source.kind() == std::io::ErrorKind::StorageFull =>
            {
                Self::DiskFull(format!(
                    "no space left for {}; free some and send the samples again",
                    path.display()
                ))
            }
            WriteError::Log(error) => Self::Unavailable(error.to_string()),
        }
    }
}
