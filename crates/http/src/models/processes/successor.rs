//! A program that takes over: started with the listeners of the one before it, which
//! goes on until it hears that the new one serves.

use super::channel::{Channel, Line, Message};
use super::worker::{first_message, unexpected};
use super::{ROLE_VARIABLE, SUCCESSOR};
use std::io;
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};
use std::rc::Rc;

/// The program that takes over, as the one before sees it.
#[derive(Debug)]
pub(super) struct Successor {
    pub(super) child: Child,
    pub(super) line: Rc<Line>,
}

/// The program before, as the one that takes over sees it.
#[derive(Debug)]
pub(super) struct Predecessor {
    channel: Channel,
    pub(super) listeners: Vec<TcpListener>,
}

impl Successor {
    /// Starts `command` and gives it `listeners`.
    pub(super) fn start(mut command: Command, listeners: &[TcpListener]) -> io::Result<Self> {
        let (channel, theirs) = Channel::pair()?;
        let listeners: Vec<_> = listeners.iter().map(AsFd::as_fd).collect();
        channel.send(&Message::Handover, &listeners)?;
        let line = Rc::new(channel.register()?);
        let child = command
            .env(ROLE_VARIABLE, SUCCESSOR)
            .stdin(Stdio::from(theirs))
            .spawn()?;
        let process = child.id();
        // Whatever is logged: nothing else shows a program that never comes to serve.
        tracing::warn!(
            process,
            "an upgrade is under way: another program is to take over"
        );
        Ok(Self { child, line })
    }

    /// Ends it: it has failed, or is not wanted any more.
    pub(super) fn end(mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Answers who asks for an upgrade while one is under way.
pub(super) fn tell_awaited() {
    tracing::warn!(
        "no second upgrade begins: the program that is to take over has started and does not \
         serve yet; wait for it, or end it"
    );
}

/// Answers who asks for an upgrade of what ends.
pub(super) fn tell_too_late() {
    tracing::warn!("no upgrade begins: this program ends already");
}

impl Line {
    /// Waits until the process at the other end serves; false if it ended before.
    pub(super) async fn serves(&self) -> bool {
        matches!(self.receive().await, Ok(Some((Message::Ready, _))))
    }
}

impl Predecessor {
    /// Hears from it what there is to take over.
    pub(super) fn hear(channel: Channel) -> io::Result<Self> {
        let (channel, (message, descriptors)) = first_message(channel)?;
        if message != Message::Handover || descriptors.is_empty() {
            return Err(unexpected());
        }
        let listeners = descriptors.into_iter().map(TcpListener::from).collect();
        Ok(Self { channel, listeners })
    }

    /// Tells it that this program serves.
    pub(super) fn tell(self) {
        // One that is gone meanwhile needs not know.
        let _ = self.channel.send(&Message::Ready, &[]);
    }
}
