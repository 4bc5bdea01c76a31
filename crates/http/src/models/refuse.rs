//! Turning a client away so that it hears why.
//!
//! A socket that is closed before everything in it was read is reset, and with that
//! what was written to it: whoever is refused is listened to until it has heard.
//! Who is refused is decided by whoever has no room: [`super::threads`] and
//! [`super::Admission`].

use rustix::net::{Shutdown, shutdown};
use std::cell::RefCell;
use std::io::{self, Write};
use std::net::TcpStream as StdStream;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How long one of them may take, and how much may be read from it.
const REFUSED_PATIENCE: Duration = Duration::from_secs(1);
const REFUSED_BYTES: usize = 64 * 1024;

/// The clients that one loop has turned away and still listens to.
#[derive(Debug)]
pub struct Refused {
    clients: RefCell<JoinSet<()>>,
    /// What is left of how many all loops may listen to at the same time.
    room: Arc<Semaphore>,
}

impl Refused {
    /// Nobody yet. Beyond what `room` has permits for, clients are cut off and may see
    /// a reset in place of why.
    pub fn new(room: Arc<Semaphore>) -> Self {
        Self {
            clients: RefCell::default(),
            room,
        }
    }

    /// Tells a client `words`, why it cannot be served, and lets it go.
    ///
    /// # Panics
    /// Outside a [`tokio::task::LocalSet`].
    pub fn add(&self, stream: StdStream, words: &'static [u8]) {
        let mut clients = self.clients.borrow_mut();
        while clients.try_join_next().is_some() {}
        if words.is_empty() {
            return;
        }
        // A new connection has room for a few words.
        let told = (&stream).write_all(words);
        let Ok(permit) = Arc::clone(&self.room).try_acquire_owned() else {
            return;
        };
        if told.is_err() {
            return;
        }
        clients.spawn_local(async move {
            // Whoever takes longer, or has gone, is let go.
            let _ = timeout(REFUSED_PATIENCE, hear_out(stream)).await;
            drop(permit);
        });
    }

    /// Ends when the last of them has gone.
    pub async fn gone(self) {
        self.clients.into_inner().join_all().await;
    }
}

async fn hear_out(stream: StdStream) -> io::Result<()> {
    let stream = TcpStream::from_std(stream)?;
    shutdown(&stream, Shutdown::Write)?;
    let mut sink = [0; 4096];
    let mut read = 0;
    while read < REFUSED_BYTES {
        stream.readable().await?;
        match stream.try_read(&mut sink) {
            Ok(0) => break,
            Ok(length) => read += length,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
