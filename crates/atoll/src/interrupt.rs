//! Ending a client in order, one that watches or measures: the first SIGINT or
//! SIGTERM asks it to stop, and one that does not come to an end soon is ended,
//! which costs nothing but time. Other clients end at once, as any program does.

use anyhow::{Context, Result};
use std::time::Duration;
use sync::Stop;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What is under way may take so long to end; then the process does.
const GRACE: Duration = Duration::from_secs(5);

/// Lets signals stop `stop` from now on.
pub fn stops(stop: &Stop) -> Result<()> {
    let stop = stop.clone();
    first(move || stop.stop())
}

/// Lets the first signal do `stop` from now on.
pub fn first(stop: impl FnOnce() + Send + 'static) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot listen for signals")?;
    let listen = |kind| {
        let _inside = runtime.enter();
        signal(kind).context("cannot listen for signals")
    };
    let (interrupt, terminate) = (
        listen(SignalKind::interrupt())?,
        listen(SignalKind::terminate())?,
    );
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || runtime.block_on(end(stop, interrupt, terminate)))
        .context("cannot start a thread")?;
    Ok(())
}

async fn end(stop: impl FnOnce(), mut interrupt: Signal, mut terminate: Signal) {
    let mut code = heard(&mut interrupt, &mut terminate).await;
    stop();
    tokio::select! {
        () = tokio::time::sleep(GRACE) => {}
        again = heard(&mut interrupt, &mut terminate) => code = again,
    }
    std::process::exit(code);
}

/// Waits for a signal; gives the exit code that a shell expects of it.
async fn heard(interrupt: &mut Signal, terminate: &mut Signal) -> i32 {
    let kind = tokio::select! {
        _ = interrupt.recv() => SignalKind::interrupt(),
        _ = terminate.recv() => SignalKind::terminate(),
    };
    128 + kind.as_raw_value()
}
