//! Tasks of a loop, each of which serves one connection after another: to make a task
//! and to throw it away costs more than to answer a request on it.
//!
//! Which connections a loop gets is decided by [`super::events`].

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Poll, Waker};

/// Tasks that wait for their next connection; about a kilobyte each. More than come at
/// once between two looks at the listener would not be used.
const IDLE: usize = 64;

/// See the module. `F` is the serving of one connection, which
/// [`super::Protocol::serve`] has begun: it counts as open already, so that a loop that
/// ends waits for it also while no task has polled it.
pub(super) struct Tasks<F> {
    idle: RefCell<Vec<Rc<Seat<F>>>>,
}

/// Where a task waits.
struct Seat<F> {
    next: Cell<Option<F>>,
    task: Cell<Option<Waker>>,
}

impl<F: Future<Output = ()> + 'static> Tasks<F> {
    /// Of the loop that runs now.
    pub(super) fn new() -> Rc<Self> {
        Rc::new(Self {
            idle: RefCell::default(),
        })
    }

    /// Lets a task do `serving`.
    pub(super) fn run(self: &Rc<Self>, serving: F) {
        let idle = self.idle.borrow_mut().pop();
        match idle {
            Some(seat) => seat.give(serving),
            None => {
                let seat = Rc::<Seat<F>>::default();
                seat.give(serving);
                tokio::task::spawn_local(Rc::clone(self).serve_all(seat));
            }
        }
    }

    /// One after another. What is served lies in one place, since an `async fn` stores
    /// an argument that it takes by value twice.
    async fn serve_all(self: Rc<Self>, first: Rc<Seat<F>>) {
        let mut seat = Some(first);
        let mut serving = pin!(None);
        while let Some(at) = seat.take() {
            serving.set(Some(at.taken().await));
            drop(at);
            if let Some(serving) = serving.as_mut().as_pin_mut() {
                serving.await;
            }
            serving.set(None);
            seat = self.sit_down();
        }
    }

    /// A seat among the idle, if one is free. A task that has never been idle keeps
    /// none: its connection may stay for long, and is one of many.
    fn sit_down(&self) -> Option<Rc<Seat<F>>> {
        let mut idle = self.idle.borrow_mut();
        let is_free = idle.len() < IDLE;
        is_free.then(|| {
            let seat = Rc::<Seat<F>>::default();
            idle.push(Rc::clone(&seat));
            seat
        })
    }
}

impl<F> Default for Seat<F> {
    fn default() -> Self {
        Self {
            next: Cell::new(None),
            task: Cell::new(None),
        }
    }
}

impl<F> Seat<F> {
    fn give(&self, serving: F) {
        self.next.set(Some(serving));
        if let Some(task) = self.task.take() {
            task.wake();
        }
    }

    /// The next to be served.
    async fn taken(&self) -> F {
        poll_fn(|context| match self.next.take() {
            Some(serving) => Poll::Ready(serving),
            None => {
                self.task.set(Some(context.waker().clone()));
                Poll::Pending
            }
        })
        .await
    }
}
