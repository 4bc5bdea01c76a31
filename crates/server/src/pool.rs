//! A bounded pool of threads for work that blocks: blob writes and database
//! reads. Nothing in the crate blocks a runtime thread or uses a runtime's own
//! blocking pool, whose size and queue know no bound that we chose.
//!
//! Each thread owns one context (a database connection, for instance). A full
//! queue refuses at once; the caller answers 503.

use crate::problem::Problem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use tokio::sync::oneshot;

type Job<C> = Box<dyn FnOnce(&mut C) + Send>;

/// Threads that each own a `C` and take jobs from one bounded queue.
pub struct Pool<C> {
    queue: Option<SyncSender<Job<C>>>,
    threads: Vec<JoinHandle<()>>,
    name: &'static str,
}

/// A job that was accepted; await [`Running::wait`] for its result.
pub struct Running<T>(oneshot::Receiver<T>);

impl<C: Send + 'static> Pool<C> {
    /// Starts one thread per context; `waiting` jobs may queue.
    ///
    /// # Errors
    /// The operating system's, when it gives no thread.
    pub fn start(name: &'static str, contexts: Vec<C>, waiting: usize) -> std::io::Result<Self> {
        let (queue, jobs) = sync_channel::<Job<C>>(waiting);
        let jobs = Arc::new(Mutex::new(jobs));
        let threads = contexts
            .into_iter()
            .map(|context| {
                let jobs = Arc::clone(&jobs);
                std::thread::Builder::new()
                    .name(name.to_owned())
                    .spawn(move || work(context, &jobs))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            queue: Some(queue),
            threads,
            name,
        })
    }

    /// Hands a job to the pool without waiting for it.
    ///
    /// # Errors
    /// [`Problem::Busy`] when the queue is full.
    pub fn submit<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut C) -> T + Send + 'static,
    ) -> Result<Running<T>, Problem> {
        let (answer, result) = oneshot::channel();
        let job: Job<C> = Box::new(move |context| {
            // The caller may have gone; its answer is then of no use.
            let _ = answer.send(job(context));
        });
        let queue = self
            .queue
            .as_ref()
            .expect("the queue is open until the pool is dropped");
        match queue.try_send(job) {
            Ok(()) => Ok(Running(result)),
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                Err(Problem::Busy(self.name))
            }
        }
    }

    /// Runs a job and waits for its result.
    ///
    /// # Errors
    /// As [`Pool::submit`] and [`Running::wait`].
    pub async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut C) -> T + Send + 'static,
    ) -> Result<T, Problem> {
        self.submit(job)?.wait().await
    }
}

impl<T> Running<T> {
    /// The job's result.
    ///
    /// # Errors
    /// [`Problem::Internal`] when the job panicked.
    pub async fn wait(self) -> Result<T, Problem> {
        self.0
            .await
            .map_err(|_| Problem::Internal("a worker failed; see the node's log".to_owned()))
    }
}

impl<C> Drop for Pool<C> {
    fn drop(&mut self) {
        self.queue = None;
        for thread in self.threads.drain(..) {
            // The last owner of a pool may be one of its own jobs.
            if thread.thread().id() != std::thread::current().id() {
                let _ = thread.join();
            }
        }
    }
}

fn work<C>(mut context: C, jobs: &Mutex<Receiver<Job<C>>>) {
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        // One broken job must not cost the pool a thread; its caller learns of
        // it through the dropped channel, the operator through the panic hook.
        let _ = catch_unwind(AssertUnwindSafe(|| job(&mut context)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
    }

    #[test]
    fn a_full_queue_refuses_and_a_panic_costs_no_thread() {
        let pool = Pool::start("test", vec![0_u32], 1).unwrap();
        let (release, gate) = mpsc::channel::<()>();
        let (started, running) = mpsc::channel();
        let first = pool
            .submit(move |count| {
                started.send(()).unwrap();
                gate.recv().unwrap();
                *count += 1;
                *count
            })
            .unwrap();
        running.recv().unwrap();
        let second = pool.submit(|_| panic!("on purpose")).unwrap();
        assert!(matches!(pool.submit(|_| ()), Err(Problem::Busy("test"))));
        release.send(()).unwrap();
        let runtime = runtime();
        assert_eq!(runtime.block_on(first.wait()).unwrap(), 1);
        let failed: Result<(), _> = runtime.block_on(second.wait());
        assert!(matches!(failed, Err(Problem::Internal(_))));
        assert_eq!(runtime.block_on(pool.run(|count| *count)).unwrap(), 1);
    }
}
