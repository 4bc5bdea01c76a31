//! One connection at a time: what the sequential model and each worker of the
//! threads model do with the one they have.
//!
//! A client that keeps its connection keeps everybody behind it waiting. So, while
//! others wait, a connection has its share of time, and is let go in peace after
//! that: it is told `Connection: close` in its next answer, and is ended when it
//! stays idle for as long again.

use super::drain::{Drain, Stop};
use super::protocol::{Phase, Protocol};
use std::future::{Future, pending};
use std::net::{SocketAddr, TcpStream};
use std::rc::Rc;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until};

/// How patient one worker is with one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// What a connection is given while others wait.
    pub share: Duration,
    /// How it ends when everything does.
    pub drain: Drain,
}

impl Default for Patience {
    /// A quarter of a second is thousands of requests of a busy client, and the
    /// most that an idle one costs the next, twice.
    fn default() -> Self {
        Self {
            share: Duration::from_millis(250),
            drain: Drain::default(),
        }
    }
}

/// Serves `stream` to its end. `crowded` ends when others wait.
pub(super) async fn serve_one<P: Protocol>(
    protocol: &Rc<P>,
    (stream, peer): (TcpStream, SocketAddr),
    patience: Patience,
    crowded: impl Future<Output = ()>,
    stop: &Stop,
) {
    let begun = Instant::now();
    tokio::select! {
        biased;
        () = Rc::clone(protocol).serve(stream, peer) => {}
        () = make_room(&**protocol, begun, patience.share, crowded) => {}
        () = end(&**protocol, patience.drain, stop.clone()) => {}
    }
    if !stop.is_stopped() {
        protocol.enter(Phase::Serving);
    }
}

/// Lets the connection go when it had its share and others wait; never ends, since
/// one that is at work may end its work.
async fn make_room<P: Protocol>(
    protocol: &P,
    begun: Instant,
    share: Duration,
    crowded: impl Future<Output = ()>,
) {
    crowded.await;
    sleep_until(begun + share).await;
    protocol.enter(Phase::LastRequests);
    sleep(share).await;
    protocol.enter(Phase::Ending);
    pending::<()>().await;
}

/// Ends when the connection must.
async fn end<P: Protocol>(protocol: &P, drain: Drain, mut stop: Stop) {
    let since = stop.stopped().await;
    drain.run(protocol, since).await;
}
