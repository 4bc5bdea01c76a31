//! Turning a client away so that it hears why.
//!
//! A socket that is closed before everything in it was read is reset, and with that
//! what was written to it: whoever is refused is listened to until it has heard.
//! Who is refused is decided by whoever has no room: [`super::threads`], for
//! instance.

use rustix::net::{Shutdown, shutdown};
use std::cell::RefCell;
use std::io::{self, Write};
use std::net::TcpStream as StdStream;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Refused clients that are listened to at the same time, so that they see the
/// refusal and no reset; more are cut off.
const MAX_REFUSED: usize = 256;

/// How long one of them may take, and how much may be read from it.
const REFUSED_PATIENCE: Duration = Duration::from_secs(1);
const REFUSED_BYTES: usize = 64 * 1024;

/// The clients that one loop has turned away and still listens to.
#[derive(Debug, Default)]
pub struct Refused(RefCell<JoinSet<()>>);

impl Refused {
    /// Tells a client `words`, why it cannot be served, and lets it go.
    ///
    /// # Panics
    /// Outside a [`tokio::task::LocalSet`].
    pub fn add(&self, stream: StdStream, words: &'static [u8]) {
        let mut refused = self.0.borrow_mut();
        while refused.try_join_next().is_some() {}
        if words.is_empty() {
            return;
        }
        // A new connection has room for a few words.
        let told = (&stream).write_all(words);
        if told.is_err() || refused.len() >= MAX_REFUSED {
            return;
        }
        refused.spawn_local(async move {
            // Whoever takes longer, or has gone, is let go.
            let _ = timeout(REFUSED_PATIENCE, hear_out(stream)).await;
        });
    }

    /// Ends when the last of them has gone.
    pub async fn gone(self) {
        self.0.into_inner().join_all().await;
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
