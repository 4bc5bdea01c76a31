//! Sequential: one connection after another, on one thread.
//!
//! The smallest server there is. The others wait in the kernel's queue, and those
//! that find it full are not answered at all; a client that is slow holds everyone.

use super::drain::{Stop, stop as stopping};
use super::event_loop::event_loop;
use super::listen::Acceptor;
use super::one::{Patience, serve_one};
use super::protocol::Protocol;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::pin::pin;
use std::rc::Rc;

/// Serves what `listeners` accept with what `make` makes, on this thread, until
/// `stop` ends and what was accepted by then is served.
///
/// # Errors
/// The loop cannot begin, or `make` failed.
pub fn run<P: Protocol>(
    listeners: Vec<TcpListener>,
    make: impl FnOnce(usize) -> io::Result<Rc<P>>,
    patience: Patience,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    event_loop()?.block_on(async {
        let protocol = make(0)?;
        tokio::task::spawn_local(Rc::clone(&protocol).watch());
        let (stopper, stopped) = stopping();
        let queue = Queue {
            acceptor: Acceptor::new(listeners)?,
            waiting: RefCell::new(VecDeque::new()),
            stop: stopped,
            is_closed: Cell::new(false),
        };
        let stop = async {
            stop.await;
            stopper.stop();
            std::future::pending::<()>().await;
        };
        tokio::select! {
            biased;
            () = stop => {}
            () = queue.serve(&protocol, patience) => {}
        }
        Ok(())
    })
}

/// The connections that wait for theirs to be served.
struct Queue {
    acceptor: Acceptor,
    /// One that was accepted to see that it waits; when the server stops, all.
    waiting: RefCell<VecDeque<(TcpStream, SocketAddr)>>,
    stop: Stop,
    /// The server has stopped and takes no more.
    is_closed: Cell<bool>,
}

impl Queue {
    async fn serve<P: Protocol>(&self, protocol: &Rc<P>, patience: Patience) {
        while let Some(connection) = self.next().await {
            let crowded = pin!(self.look());
            serve_one(protocol, connection, patience, crowded, &self.stop).await;
        }
    }

    /// The next connection; none when the server has stopped and served all.
    async fn next(&self) -> Option<(TcpStream, SocketAddr)> {
        let mut stop = self.stop.clone();
        loop {
            let first = self.waiting.borrow_mut().pop_front();
            if first.is_some() {
                return first;
            }
            if stop.is_stopped() {
                if self.is_closed.replace(true) {
                    return None;
                }
                let take = |stream, peer| self.waiting.borrow_mut().push_back((stream, peer));
                self.acceptor.accept_waiting(take);
                continue;
            }
            tokio::select! {
                biased;
                _ = stop.stopped() => {}
                connection = self.acceptor.accept() => return Some(connection),
            }
        }
    }

    /// Ends when somebody waits.
    async fn look(&self) {
        if self.waiting.borrow().is_empty() {
            let connection = self.acceptor.accept().await;
            self.waiting.borrow_mut().push_back(connection);
        }
    }
}
