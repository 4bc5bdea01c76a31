//! Events: one loop on one thread per core, each with a listener of its own, and
//! nothing shared between them.
//!
//! The kernel spreads new connections over the listeners (`SO_REUSEPORT`); a
//! connection stays with the loop that accepted it. No lock, no queue and no other
//! core lies on the way of a request.

use crate::serve::{Handler, Settings, Turn, serve};
use std::io;
use std::net::TcpListener;
use std::rc::Rc;
use tokio::net::TcpListener as AsyncListener;
use tokio::task::LocalSet;

/// Serves what `listener` accepts with `handler`, on this thread, until `stop`
/// ends; then no request begins, and the loop ends with the last connection.
///
/// # Errors
/// The loop cannot begin, or its listener failed.
pub fn run<H: Handler>(
    listener: TcpListener,
    handler: H,
    settings: Settings,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let local = LocalSet::new();
    local.block_on(&runtime, async {
        let listener = AsyncListener::from_std(listener)?;
        let turn = Turn::new(handler, settings);
        let watching = Rc::clone(&turn);
        tokio::task::spawn_local(async move { watching.watch().await });
        let mut stop = std::pin::pin!(stop);
        loop {
            tokio::select! {
                biased;
                accepted = listener.accept() => match accepted {
                    Ok((stream, peer)) => drop(tokio::task::spawn_local(serve(Rc::clone(&turn), stream, peer))),
                    Err(error) => pause_for(&error).await,
                },
                () = &mut stop => break,
            }
        }
        drop(listener);
        turn.drain();
        turn.emptied().await;
        Ok(())
    })
}

/// A client that left before it was accepted costs nothing; a shortage of
/// descriptors passes when a connection ends, and must not spin until then.
async fn pause_for(error: &io::Error) {
    const SHORTAGE: std::time::Duration = std::time::Duration::from_millis(50);
    if !matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    ) {
        tracing::warn!("a connection could not be accepted: {error}");
        tokio::time::sleep(SHORTAGE).await;
    }
}
