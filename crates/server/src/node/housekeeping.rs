//! What a node does once an hour: leases and unfinished uploads whose time is
//! over are forgotten.

use base::Clock;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;
use store::blob::BlobStore;

/// How often. Leases last a day, so an hour more does not matter.
const PERIOD: Duration = Duration::from_secs(60 * 60);

/// Tidies until the other end of `stop` is dropped.
pub fn run(blobs: &Arc<BlobStore>, clock: &Arc<dyn Clock>, stop: &Receiver<()>) {
    while stop.recv_timeout(PERIOD) == Err(RecvTimeoutError::Timeout) {
        if let Err(error) = blobs.expire(clock.now()) {
            tracing::warn!("old uploads were not removed: {error}");
        }
    }
}
