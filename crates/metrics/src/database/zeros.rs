//! The zeros that the log's next segment is written over, by a thread that has nothing else
//! to do and takes its time.

use std::time::Duration;
use store::log::Zeros;

/// Between two pieces. So zeros come at some tens of megabytes a second, several times as
/// fast as a log that is written in small pieces, and a sync seldom meets one.
const PAUSE: Duration = Duration::from_millis(5);

/// Writes them in the background. Where there is no thread to be had, or they are not wanted
/// any more, the log does without.
pub(super) fn write_in_background(mut zeros: Zeros) {
    let thread = std::thread::Builder::new().name("metrics zeros".to_owned());
    let spawned = thread.spawn(move || {
        while zeros.write_some() {
            std::thread::sleep(PAUSE);
        }
    });
    if let Err(error) = spawned {
        tracing::warn!("metrics: no thread for the log's next segment: {error}");
    }
}
