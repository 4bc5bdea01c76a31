//! What a model serves: a protocol that drives one connection at a time, and
//! belongs to one event loop.
//!
//! The models decide which loop gets which connection, and when it must end; what
//! is said on a connection is no business of theirs. [`crate::echo::Echo`] is the
//! smallest protocol, [`crate::serve::Turn`] is HTTP. The models themselves begin
//! at [`super`].

use std::future::Future;
use std::net::{SocketAddr, TcpStream};
use std::rc::Rc;

/// A connection protocol, as one event loop has it.
pub trait Protocol: 'static {
    /// Serves `stream` to its end. It never fails: a connection that breaks is over.
    /// The stream does not block, and the loop does not know it yet.
    ///
    /// The connection counts as open from this call on, not from the first poll:
    /// a loop that ends would forget it in between.
    fn serve(
        self: Rc<Self>,
        stream: TcpStream,
        peer: SocketAddr,
    ) -> impl Future<Output = ()> + 'static;

    /// Keeps time for the connections; polled as long as the loop runs.
    fn watch(self: Rc<Self>) -> impl Future<Output = ()> + 'static;

    /// Begins `phase`. It goes forward, or back to [`Phase::Serving`].
    fn enter(&self, phase: Phase);

    /// Ends when no connection is open.
    fn emptied(&self) -> impl Future<Output = ()>;

    /// What a client is told that cannot be served now, before anything of it is
    /// read; empty if the protocol has no words for that.
    fn busy(&self) -> &'static [u8] {
        b""
    }

    /// What has been done up to now.
    fn counts(&self) -> Counts;

    /// The protocol's own numbers, for whoever adds up those of all loops.
    fn figures(&self) -> Figures {
        Figures::default()
    }
}

/// How many numbers of its own a protocol has.
pub const FIGURES: usize = 16;

/// Numbers of a protocol's own, each of which only grows.
pub type Figures = [u64; FIGURES];

/// How willing a loop is to go on with its connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// A connection lasts as long as its client likes.
    #[default]
    Serving,
    /// Every connection ends after its next answer, and the answer says so. One
    /// that is idle may still begin: its client does not know yet, and a request
    /// that is on its way must not be lost.
    LastRequests,
    /// Idle connections end as well.
    Ending,
}

/// Numbers of one loop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections that are open.
    pub open: u64,
    /// Connections that there have been, with those that are open.
    pub connections: u64,
    /// Requests that have been received (for a protocol without requests: the
    /// times that something was).
    pub requests: u64,
}
