//! The channel between a master and one of its processes: messages, and descriptors
//! with them (`SCM_RIGHTS`).
//!
//! It is the standard input of the process: what a program is started with is the
//! one descriptor that needs no number to be agreed on. When either side ends, the
//! other sees the end of the channel.

use super::assign::SlotSet;
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg,
    sendmsg, socketpair,
};
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream as StdStream;
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::UnixStream;

/// The most descriptors of one message: what the kernel allows (`SCM_MAX_FD`).
const MAX_DESCRIPTORS: usize = 253;

const MESSAGE_BYTES: usize = 64;
const WORD_BYTES: usize = 8;

/// What is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Message {
    /// To a worker, first: who it is. With the scoreboard, the listeners, and
    /// whatever else the program wants its workers to have.
    Welcome(Welcome),
    /// To a worker: accept from these slots and no others.
    Listen(SlotSet),
    /// To a worker: here is a connection.
    Connection,
    /// To a worker: accept nothing more, and end with your connections. If it is
    /// the last, nobody accepts after it.
    Drain { is_last: bool },
    /// To a worker: open your logs again.
    ReopenLogs,
    /// To a program that takes over, first: here are the listeners.
    Handover,
    /// From any of them: I can serve.
    Ready,
}

/// Who a worker is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Welcome {
    /// Its row of the scoreboard.
    pub(super) row: u32,
    pub(super) seat: u32,
    pub(super) generation: u64,
    /// How many of the descriptors are listeners.
    pub(super) listeners: u32,
    /// How long its connections may take to end.
    pub(super) grace: Duration,
    pub(super) deadline: Duration,
    /// It stays on the processor of its seat.
    pub(super) is_pinned: bool,
}

impl Message {
    fn words(&self) -> [u64; MESSAGE_BYTES / WORD_BYTES] {
        let millis = |duration: Duration| duration.as_millis() as u64;
        match *self {
            Self::Welcome(welcome) => [
                1,
                u64::from(welcome.row),
                u64::from(welcome.seat),
                welcome.generation,
                u64::from(welcome.listeners),
                millis(welcome.grace),
                millis(welcome.deadline),
                u64::from(welcome.is_pinned),
            ],
            Self::Listen(slots) => [2, slots.0 as u64, (slots.0 >> 64) as u64, 0, 0, 0, 0, 0],
            Self::Connection => [3, 0, 0, 0, 0, 0, 0, 0],
            Self::Drain { is_last } => [4, u64::from(is_last), 0, 0, 0, 0, 0, 0],
            Self::ReopenLogs => [5, 0, 0, 0, 0, 0, 0, 0],
            Self::Handover => [6, 0, 0, 0, 0, 0, 0, 0],
            Self::Ready => [7, 0, 0, 0, 0, 0, 0, 0],
        }
    }

    fn encode(&self) -> [u8; MESSAGE_BYTES] {
        let mut bytes = [0; MESSAGE_BYTES];
        for (place, word) in bytes.chunks_exact_mut(WORD_BYTES).zip(self.words()) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    /// None for what no master or worker of this version says.
    fn decode(bytes: &[u8]) -> Option<Self> {
        let (words, []) = bytes.as_chunks::<WORD_BYTES>() else {
            return None;
        };
        let words: Vec<u64> = words.iter().map(|word| u64::from_le_bytes(*word)).collect();
        let [kind, a, b, c, d, e, f, g] = words[..] else {
            return None;
        };
        Some(match kind {
            1 => Self::Welcome(Welcome {
                row: u32::try_from(a).ok()?,
                seat: u32::try_from(b).ok()?,
                generation: c,
                listeners: u32::try_from(d).ok()?,
                grace: Duration::from_millis(e),
                deadline: Duration::from_millis(f),
                is_pinned: g != 0,
            }),
            2 => Self::Listen(SlotSet(u128::from(a) | u128::from(b) << 64)),
            3 => Self::Connection,
            4 => Self::Drain { is_last: a != 0 },
            5 => Self::ReopenLogs,
            6 => Self::Handover,
            7 => Self::Ready,
            _ => return None,
        })
    }
}

/// One end. Nothing on it waits.
#[derive(Debug)]
pub(super) struct Channel(OwnedFd);

/// One end, in a loop that can wait for what comes. The loop takes it for a stream;
/// it is only asked whether there is something, and messages keep their bounds.
#[derive(Debug)]
pub(super) struct Line(UnixStream);

/// A message and what came with it.
pub(super) type Received = (Message, Vec<OwnedFd>);

impl Channel {
    /// Both ends; the second is for a process that is about to be started.
    pub(super) fn pair() -> io::Result<(Self, OwnedFd)> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (own, other) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        Ok((Self(own), other))
    }

    /// The end that this process was started with.
    pub(super) fn from_standard_input() -> io::Result<Self> {
        let input = io::stdin().as_fd().try_clone_to_owned()?;
        rustix::io::ioctl_fionbio(&input, true)?;
        Ok(Self(input))
    }

    /// Sends `message`; fails, and never waits, if the other side does not read.
    pub(super) fn send(&self, message: &Message, with: &[BorrowedFd<'_>]) -> io::Result<()> {
        send(&self.0, message, with)
    }

    /// With the loop that runs now.
    pub(super) fn register(self) -> io::Result<Line> {
        UnixStream::from_std(StdStream::from(self.0)).map(Line)
    }
}

impl Line {
    /// As [`Channel::send`].
    pub(super) fn send(&self, message: &Message, with: &[BorrowedFd<'_>]) -> io::Result<()> {
        send(&self.0, message, with)
    }

    /// Waits for the next message; none if the other side has ended.
    ///
    /// # Errors
    /// It speaks another language.
    pub(super) async fn receive(&self) -> io::Result<Option<Received>> {
        self.0
            .async_io(Interest::READABLE, || try_receive(&self.0))
            .await
    }

    /// Without the loop.
    pub(super) fn into_channel(self) -> io::Result<Channel> {
        self.0.into_std().map(OwnedFd::from).map(Channel)
    }
}

fn send(to: impl AsFd, message: &Message, with: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !with.is_empty() && !control.push(SendAncillaryMessage::ScmRights(with)) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "too many descriptors for one message",
        ));
    }
    let bytes = message.encode();
    sendmsg(
        to,
        &[IoSlice::new(&bytes)],
        &mut control,
        SendFlags::NOSIGNAL,
    )?;
    Ok(())
}

/// What came; none if the other side has ended.
fn try_receive(from: impl AsFd) -> io::Result<Option<Received>> {
    let mut bytes = [0; MESSAGE_BYTES];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let into = &mut [IoSliceMut::new(&mut bytes)];
    let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
    let received = match recvmsg(from, into, &mut control, flags) {
        Ok(received) => received,
        // Ended with messages that nobody read.
        Err(Errno::CONNRESET) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let descriptors = control
        .drain()
        .filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
            _ => None,
        })
        .flatten()
        .collect();
    if received.bytes == 0 {
        return Ok(None);
    }
    if received.flags.contains(ReturnFlags::CTRUNC) {
        return Err(io::Error::other(
            "descriptors were lost: there is no room for more",
        ));
    }
    let message = Message::decode(&bytes[..received.bytes]).ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            "the channel to the master carries something else; start workers only by it",
        )
    })?;
    Ok(Some((message, descriptors)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Seek, Write};

    #[track_caller]
    fn check(message: Message) {
        assert_eq!(Message::decode(&message.encode()), Some(message));
    }

    #[test]
    fn messages_arrive_as_they_were() {
        check(Message::Welcome(Welcome {
            row: 1,
            seat: 2,
            generation: 3,
            listeners: 4,
            grace: Duration::from_millis(5),
            deadline: Duration::from_millis(6),
            is_pinned: true,
        }));
        check(Message::Listen(SlotSet(u128::MAX - 5)));
        check(Message::Connection);
        check(Message::Drain { is_last: true });
        check(Message::Drain { is_last: false });
        check(Message::ReopenLogs);
        check(Message::Handover);
        check(Message::Ready);
    }

    #[test]
    fn other_bytes_are_no_message() {
        for bytes in [&[0; MESSAGE_BYTES][..], &[9; MESSAGE_BYTES], &[1; 8], &[]] {
            assert_eq!(Message::decode(bytes), None);
        }
    }

    #[test]
    fn descriptors_travel_along() {
        let (own, other) = Channel::pair().unwrap();
        let other = Channel(other);
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"content").unwrap();
        let with = [file.as_fd(), file.as_fd()];
        own.send(&Message::Connection, &with).unwrap();
        own.send(&Message::Ready, &[]).unwrap();
        let (message, descriptors) = try_receive(&other.0).unwrap().unwrap();
        assert_eq!((message, descriptors.len()), (Message::Connection, 2));
        let mut arrived = std::fs::File::from(descriptors.into_iter().next().unwrap());
        arrived.rewind().unwrap();
        let mut text = String::new();
        arrived.read_to_string(&mut text).unwrap();
        assert_eq!(text, "content");
        let (message, descriptors) = try_receive(&other.0).unwrap().unwrap();
        assert_eq!((message, descriptors.len()), (Message::Ready, 0));
        let empty = try_receive(&other.0).unwrap_err();
        assert_eq!(empty.kind(), io::ErrorKind::WouldBlock);
        drop(own);
        assert!(try_receive(&other.0).unwrap().is_none());
    }
}
