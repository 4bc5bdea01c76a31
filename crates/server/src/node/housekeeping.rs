//! What a node does every ten minutes: uploads that nobody goes on with are
//! closed, leases and unfinished uploads whose time is over are forgotten.

use base::Clock;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;
use store::blob::BlobStore;

/// How often. An upload whose client has gone holds its memory for one to two
/// of these; leases last a day, so one more does not matter.
const PERIOD: Duration = Duration::from_secs(10 * 60);

/// Tidies until the other end of `stop` is dropped.
pub fn run(blobs: &Arc<BlobStore>, clock: &Arc<dyn Clock>, stop: &Receiver<()>) {
    while stop.recv_timeout(PERIOD) == Err(RecvTimeoutError::Timeout) {
        blobs.suspend_idle();
        if let Err(error) = blobs.expire(clock.now()) {
            tracing::warn!("old uploads were not removed: {error}");
        }
    }
}
