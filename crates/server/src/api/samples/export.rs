//! Samples out as JSON Lines: streamed, a series at a time, to whoever reads as fast as it
//! likes. One that cannot go on breaks off, so that nobody takes a part for the whole.

use super::super::Service;
use super::super::body::{self, Outgoing};
use super::chosen::Chosen;
use super::client::Asker;
use crate::problem::Problem;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header;
use metrics::api::export as write_lines;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Pieces that wait to be sent, each of about 64 KiB.
const PIECES: usize = 4;

/// How long an export may take. For as long, the head keeps what it has seen, and a thread is
/// held.
const EXPORT_TIME: Duration = Duration::from_secs(3600);

const TOO_LONG: &str = "the export took more than an hour: ask for less at once";

/// `GET /api/v1/export?match[]=…&start=…&end=…`
pub async fn export(
    State(service): State<Arc<Service>>,
    _: Asker,
    Chosen(selection): Chosen,
) -> Result<Response, Problem> {
    let (outgoing, streamed) = body::stream(None);
    let exported = Arc::clone(&service);
    let (pieces, made) = mpsc::channel::<Bytes>(PIECES);
    // A thread waits as long as the reader lets it, so it is none of those that answer
    // queries.
    let job = move |(): &mut ()| {
        let (gone, begun) = (pieces.clone(), Instant::now());
        let is_over = move || gone.is_closed() || begun.elapsed() >= EXPORT_TIME;
        let view = exported.node.metrics().view().until(is_over);
        let sent = write_lines(&view, &selection.selectors, selection.range, |piece| {
            match pieces.blocking_send(Bytes::copy_from_slice(piece)) {
                Ok(()) => ControlFlow::Continue(()),
                // Who asked has gone.
                Err(_) => ControlFlow::Break(()),
            }
        });
        sent.map(drop).map_err(|error| error.to_string())
    };
    let running = service.exports.submit(job)?;
    service.stream(async move {
        match tokio::time::timeout(EXPORT_TIME, send(&outgoing, made)).await {
            Ok(sent) => sent?,
            Err(_) => return outgoing.break_off(TOO_LONG.to_owned()).await,
        }
        match running.wait().await {
            Ok(Ok(())) => Ok(()),
            // Told in the log by whoever sends the answer.
            Ok(Err(reason)) => outgoing.break_off(reason).await,
            Err(problem) => outgoing.break_off(problem.to_string()).await,
        }
    })?;
    let media_type = [(header::CONTENT_TYPE, "application/stream+json")];
    Ok((media_type, streamed).into_response())
}

async fn send(outgoing: &Outgoing, mut made: mpsc::Receiver<Bytes>) -> Result<(), body::Gone> {
    while let Some(piece) = made.recv().await {
        outgoing.send(piece).await?;
    }
    Ok(())
}
