//! Tasks of a loop, each of which serves one connection after another: to make a task
//! and to throw it away costs more than to answer a request on it.
//!
//! Which connections a loop gets is decided by [`super::events`].

use super::protocol::Protocol;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::net::{SocketAddr, TcpStream};
use std::rc::Rc;
use std::task::{Poll, Waker};

/// Tasks that wait for their next connection; about a kilobyte each. More than come at
/// once between two looks at the listener would not be used.
const IDLE: usize = 64;

/// See the module.
pub(super) struct Tasks<P> {
    protocol: Rc<P>,
    idle: RefCell<Vec<Rc<Seat>>>,
}

type Connection = (TcpStream, SocketAddr);

/// Where a task waits.
#[derive(Default)]
struct Seat {
    next: Cell<Option<Connection>>,
    task: Cell<Option<Waker>>,
}

impl<P: Protocol> Tasks<P> {
    /// Of the loop that runs now.
    pub(super) fn new(protocol: &Rc<P>) -> Rc<Self> {
        Rc::new(Self {
            protocol: Rc::clone(protocol),
            idle: RefCell::default(),
        })
    }

    /// Begins to serve a connection.
    pub(super) fn serve(self: &Rc<Self>, stream: TcpStream, peer: SocketAddr) {
        let idle = self.idle.borrow_mut().pop();
        match idle {
            Some(seat) => seat.give((stream, peer)),
            None => {
                tokio::task::spawn_local(Rc::clone(self).run((stream, peer)));
            }
        }
    }

    async fn run(self: Rc<Self>, mut connection: Connection) {
        loop {
            let (stream, peer) = connection;
            Rc::clone(&self.protocol).serve(stream, peer).await;
            let Some(seat) = self.sit_down() else {
                return;
            };
            connection = seat.taken().await;
        }
    }

    /// A seat among the idle, if one is free. A task that has never been idle has none:
    /// its connection may stay for long, and is one of many.
    fn sit_down(&self) -> Option<Rc<Seat>> {
        let mut idle = self.idle.borrow_mut();
        let is_free = idle.len() < IDLE;
        is_free.then(|| {
            let seat = Rc::<Seat>::default();
            idle.push(Rc::clone(&seat));
            seat
        })
    }
}

impl Seat {
    fn give(&self, connection: Connection) {
        self.next.set(Some(connection));
        if let Some(task) = self.task.take() {
            task.wake();
        }
    }

    /// The next connection.
    async fn taken(&self) -> Connection {
        poll_fn(|context| match self.next.take() {
            Some(connection) => Poll::Ready(connection),
            None => {
                self.task.set(Some(context.waker().clone()));
                Poll::Pending
            }
        })
        .await
    }
}
