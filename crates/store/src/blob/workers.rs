//! Threads that verify uploads whose bytes have all come, and make them durable:
//! many at once, so that they share the disk's syncs.

use super::BlobError;
use super::health::Health;
use super::upload::Upload;
use super::whole::Staged;
use crate::fs::File;
use crate::lock::lock;
use std::io;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// The threads, and what waits for them.
pub(super) struct Workers {
    queue: Option<Sender<Task>>,
    threads: Vec<JoinHandle<()>>,
}

/// What a worker does.
pub(super) enum Task {
    /// Verifies an upload in chunks, then syncs it.
    Chunks(Arc<Upload>),
    /// Syncs what came whole and was verified on the way.
    Whole(Arc<Staged>),
}

impl Workers {
    pub(super) fn start(count: usize, health: &Health) -> io::Result<Self> {
        let (sender, receiver) = channel();
        let receiver = Arc::new(Mutex::new(receiver));
        let threads = (0..count.max(1))
            .map(|number| {
                let (receiver, health) = (Arc::clone(&receiver), health.clone());
                std::thread::Builder::new()
                    .name(format!("blob-sync-{number}"))
                    .spawn(move || Self::work(&receiver, &health))
            })
            .collect::<io::Result<_>>()?;
        Ok(Self {
            queue: Some(sender),
            threads,
        })
    }

    fn work(queue: &Mutex<Receiver<Task>>, health: &Health) {
        loop {
            let next = lock(queue).recv();
            match next {
                Ok(Task::Chunks(upload)) => upload.verify_and_sync(health),
                Ok(Task::Whole(staged)) => staged.sync(health),
                Err(_) => return,
            }
        }
    }

    /// Has `task` done soon.
    pub(super) fn hand(&self, task: Task) {
        let queue = self
            .queue
            .as_ref()
            .expect("the queue ends with the workers");
        queue.send(task).expect("workers live as long as the queue");
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        drop(self.queue.take());
        for thread in self.threads.drain(..) {
            // A panic was reported by the panic hook already.
            let _ = thread.join();
        }
    }
}

/// Makes the file of an upload durable. After a failure other than a full disk
/// nothing more is taken, and the file is emptied: the page cache may go on
/// showing what never reached the disk, and without its end nobody takes it up
/// again, not even after a restart.
pub(super) fn sync(file: &dyn File, path: &Path, health: &Health) -> Result<(), BlobError> {
    let Err(error) = file.sync_data() else {
        return Ok(());
    };
    let _ = file.set_len(0);
    Err(match BlobError::io("sync", path, error) {
        BlobError::Io { source, .. } => health.fail(path, source),
        full => full,
    })
}
