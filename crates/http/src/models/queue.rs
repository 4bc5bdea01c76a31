//! A bounded queue between the acceptor of the threads model and its workers.
//!
//! It never waits for room: whoever finds it full is told so at once, since a
//! client that waits unanswered asks again and makes the crowd larger.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// First in, first out.
#[derive(Debug)]
pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    /// Something came, or nothing will.
    changed: Condvar,
    capacity: usize,
}

#[derive(Debug)]
struct State<T> {
    waiting: VecDeque<T>,
    /// Workers that wait for something.
    idle: usize,
    is_closed: bool,
}

impl<T> Queue<T> {
    /// A queue of up to `capacity` that wait, beside those that idle workers take
    /// at once.
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            state: Mutex::new(State {
                waiting: VecDeque::new(),
                idle: 0,
                is_closed: false,
            }),
            changed: Condvar::new(),
            capacity,
        }
    }

    /// Adds `item`, or gives it back: the queue is full or closed.
    pub(super) fn put(&self, item: T) -> Result<(), T> {
        let mut state = self.lock();
        if state.is_closed || state.waiting.len() >= self.capacity + state.idle {
            return Err(item);
        }
        state.waiting.push_back(item);
        self.changed.notify_one();
        Ok(())
    }

    /// Waits for the next; none when the queue is closed and empty.
    pub(super) fn take(&self) -> Option<T> {
        let mut state = self.lock();
        loop {
            if let Some(item) = state.waiting.pop_front() {
                return Some(item);
            }
            if state.is_closed {
                return None;
            }
            state.idle += 1;
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        }
    }

    /// Whether something waits that no idle worker takes.
    pub(super) fn is_crowded(&self) -> bool {
        let state = self.lock();
        state.waiting.len() > state.idle
    }

    /// Lets nothing in any more.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // Every change is one assignment: a panic leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn what_does_not_fit_comes_back() {
        let queue = Queue::new(2);
        assert_eq!((queue.put(1), queue.put(2)), (Ok(()), Ok(())));
        assert_eq!(queue.put(3), Err(3));
        assert!(queue.is_crowded());
        assert_eq!(queue.take(), Some(1));
        assert_eq!(queue.put(4), Ok(()));
    }

    #[test]
    fn a_closed_queue_gives_what_it_has() {
        let queue = Queue::new(2);
        queue.put(1).unwrap();
        queue.close();
        assert_eq!(queue.put(2), Err(2));
        assert_eq!((queue.take(), queue.take()), (Some(1), None));
    }

    #[test]
    fn without_room_an_idle_worker_is_enough() {
        let queue = Arc::new(Queue::new(0));
        assert_eq!(queue.put(1), Err(1));
        let worker = std::thread::spawn({
            let queue = Arc::clone(&queue);
            move || queue.take()
        });
        // Refused until the worker has come to wait.
        while queue.put(2).is_err() {
            std::thread::yield_now();
        }
        assert_eq!(worker.join().unwrap(), Some(2));
    }

    #[test]
    fn everything_put_is_taken_once() {
        let queue = Arc::new(Queue::new(7));
        let workers: Vec<_> = (0..3)
            .map(|_| {
                let queue = Arc::clone(&queue);
                std::thread::spawn(move || std::iter::from_fn(|| queue.take()).collect::<Vec<_>>())
            })
            .collect();
        for item in 0..1000 {
            while queue.put(item).is_err() {
                std::thread::yield_now();
            }
        }
        queue.close();
        let mut taken: Vec<i32> = Vec::new();
        for worker in workers {
            taken.extend(worker.join().unwrap());
        }
        taken.sort_unstable();
        assert_eq!(taken, (0..1000).collect::<Vec<_>>());
    }
}
