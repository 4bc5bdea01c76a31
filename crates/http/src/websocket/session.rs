//! Messages over a connection that has become a WebSocket.
//!
//! Whoever has it calls [`WebSocket::receive`] again and again; that answers pings,
//! asks a silent client whether it is there, and says goodbye when the server ends.
//! It can be dropped at any point and called again, so that a service can wait for
//! the client and for something else at the same time.

use super::{CloseCode, Utf8Bytes};
use crate::serve::{Closing, Upgraded};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::{CapacityError, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message as Frame};

/// The buffer that each connection has for what it receives: a connection that
/// waits owns little more.
const READ_BYTES: usize = 4 * 1024;

/// Small messages gather up to this much before they are sent.
const WRITE_BYTES: usize = 4 * 1024;

/// Control frames that may lie beside a message that is being sent: each has 125 bytes
/// and a head at most (RFC 6455 5.2, 5.5), and so has the head of the message.
const CONTROL_BYTES: usize = 4 * 128;

/// What a client may still have been sending when it was told that it is over, and
/// that is read so that it sees the answer and no reset.
const LAST_BYTES: usize = 256 * 1024;

/// What a WebSocket may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The longest message, in all its frames. A longer one that comes is answered with
    /// 1009, and none that is longer can be sent.
    pub message_bytes: usize,
    /// A client that has said nothing for so long is pinged, and is gone when it
    /// says nothing for as long again.
    pub patience: Duration,
    /// How long the client may take to accept what is sent, and to answer a goodbye.
    pub farewell: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            message_bytes: 1 << 20,
            // Routers forget connections that were silent for a minute or more.
            patience: Duration::from_secs(30),
            farewell: Duration::from_secs(5),
        }
    }
}

/// What moves over a WebSocket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Text.
    Text(Utf8Bytes),
    /// Anything.
    Binary(Bytes),
}

impl Message {
    /// Its bytes.
    fn length(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }
}

/// Why a WebSocket ended without a goodbye.
#[derive(Debug, thiserror::Error)]
pub enum WebSocketError {
    /// The client has broken the protocol, or sent more than it may; it was told.
    #[error("the client was refused: {0}")]
    Refused(Error),
    /// A message is longer than [`Settings::message_bytes`]; nothing of it was sent.
    #[error("a message of {length} bytes is too long to be sent: {most} may be")]
    TooLong {
        /// Its bytes.
        length: usize,
        /// How many there may be.
        most: usize,
    },
    /// The connection is no more.
    #[error("the connection broke: {0}")]
    Broken(Error),
    /// The client has gone without a word, or takes nothing.
    #[error("the client has been silent for too long")]
    Silent,
}

/// The server's end of a WebSocket.
#[derive(Debug)]
pub struct WebSocket {
    stream: WebSocketStream<Upgraded>,
    closing: Closing,
    settings: Settings,
    state: State,
    /// A ping was answered, and the client has not taken that yet; it must until then.
    answering: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// If nothing is heard until then, the client is pinged.
    Listening { until: Instant },
    /// The client was pinged and must be heard until then.
    Pinged { until: Instant },
    /// This side has said goodbye, and the client must have until then.
    Leaving { until: Instant },
}

/// What a wait ended with.
enum Heard {
    Frame(Option<Result<Frame, Error>>),
    ServerEnds,
    Nothing,
}

impl WebSocket {
    /// The server's end over `connection`.
    pub async fn new(connection: Upgraded, settings: Settings) -> Self {
        let closing = connection.closing();
        let limits = WebSocketConfig::default()
            .read_buffer_size(READ_BYTES)
            .write_buffer_size(WRITE_BYTES)
            // One message is taken at a time. Without a bound, a client that takes
            // nothing could have its pings answered in our memory.
            .max_write_buffer_size(settings.message_bytes + WRITE_BYTES + CONTROL_BYTES)
            .max_message_size(Some(settings.message_bytes))
            .max_frame_size(Some(settings.message_bytes));
        Self {
            stream: WebSocketStream::from_raw_socket(connection, Role::Server, Some(limits)).await,
            closing,
            settings,
            state: listening(settings),
            answering: None,
        }
    }

    /// The next message; none when both sides have said goodbye. May be dropped and
    /// called again without losing anything.
    ///
    /// # Errors
    /// The WebSocket ended without a goodbye; it is of no use any more.
    pub async fn receive(&mut self) -> Result<Option<Message>, WebSocketError> {
        loop {
            // First, so that nobody is heard who does not listen.
            self.answer().await?;
            match self.hear().await {
                Heard::Frame(None | Some(Err(Error::ConnectionClosed | Error::AlreadyClosed))) => {
                    self.part().await;
                    return Ok(None);
                }
                Heard::Frame(Some(Err(error))) => return Err(self.fail(error).await),
                Heard::Frame(Some(Ok(frame))) => {
                    if let State::Leaving { .. } = self.state {
                        // It was on its way; nothing can be answered any more.
                        continue;
                    }
                    self.state = listening(self.settings);
                    match frame {
                        Frame::Text(text) => return Ok(Some(Message::Text(text))),
                        Frame::Binary(bytes) => return Ok(Some(Message::Binary(bytes))),
                        Frame::Ping(_) => {
                            let until = Instant::now() + self.settings.farewell;
                            self.answering = Some(until);
                        }
                        Frame::Pong(_) | Frame::Close(_) | Frame::Frame(_) => {}
                    }
                }
                Heard::ServerEnds => self.leave(CloseCode::Away, "the server ends").await?,
                Heard::Nothing => match self.state {
                    State::Listening { until } => {
                        let until = until + self.settings.patience;
                        self.state = State::Pinged { until };
                        self.send_frame(Frame::Ping(Bytes::new())).await?;
                    }
                    State::Pinged { .. } | State::Leaving { .. } => {
                        return Err(WebSocketError::Silent);
                    }
                },
            }
        }
    }

    /// Sends the answer to a ping, which lies ready.
    async fn answer(&mut self) -> Result<(), WebSocketError> {
        if let Some(until) = self.answering {
            match timeout_at(until, self.stream.flush()).await {
                Ok(Ok(())) => self.answering = None,
                Ok(Err(error)) => return Err(WebSocketError::Broken(error)),
                Err(_) => return Err(WebSocketError::Silent),
            }
        }
        Ok(())
    }

    async fn hear(&mut self) -> Heard {
        let (until, is_leaving) = match self.state {
            State::Listening { until } | State::Pinged { until } => (until, false),
            State::Leaving { until } => (until, true),
        };
        tokio::select! {
            biased;
            // First, since a client that sends all the time would hide it.
            () = self.closing.told(), if !is_leaving => Heard::ServerEnds,
            frame = self.stream.next() => Heard::Frame(frame),
            () = sleep_until(until) => Heard::Nothing,
        }
    }

    /// Sends a message; ends when the kernel has it.
    ///
    /// # Errors
    /// The message is too long; the connection broke, or the client takes nothing; also
    /// when the WebSocket has ended.
    pub async fn send(&mut self, message: Message) -> Result<(), WebSocketError> {
        let (length, most) = (message.length(), self.settings.message_bytes);
        if length > most {
            return Err(WebSocketError::TooLong { length, most });
        }
        self.send_frame(match message {
            Message::Text(text) => Frame::Text(text),
            Message::Binary(bytes) => Frame::Binary(bytes),
        })
        .await
    }

    /// Says goodbye, and waits until the client has.
    ///
    /// # Errors
    /// The client did not.
    pub async fn close(mut self, code: CloseCode, reason: &str) -> Result<(), WebSocketError> {
        self.leave(code, reason).await?;
        while self.receive().await?.is_some() {}
        Ok(())
    }

    async fn leave(&mut self, code: CloseCode, reason: &str) -> Result<(), WebSocketError> {
        let until = Instant::now() + self.settings.farewell;
        self.state = State::Leaving { until };
        self.send_frame(Frame::Close(Some(goodbye(code, reason))))
            .await
    }

    async fn send_frame(&mut self, frame: Frame) -> Result<(), WebSocketError> {
        match timeout(self.settings.farewell, self.stream.send(frame)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(WebSocketError::Broken(error)),
            Err(_) => Err(WebSocketError::Silent),
        }
    }

    /// Tells the client what it did wrong (RFC 6455 7.1.7), if it is still there.
    async fn fail(&mut self, error: Error) -> WebSocketError {
        let Some(code) = mistake(&error) else {
            return WebSocketError::Broken(error);
        };
        let goodbye = goodbye(code, &error.to_string());
        // Whoever does not want to know needs not.
        let told = timeout(self.settings.farewell, self.stream.close(Some(goodbye))).await;
        if matches!(told, Ok(Ok(()))) {
            self.part().await;
        }
        WebSocketError::Refused(error)
    }

    /// Ends the connection so that the client sees all that was sent: what it still
    /// sends would otherwise reset it (RFC 6455 7.1.1).
    async fn part(&mut self) {
        // Whoever has gone already needs nothing.
        let _ = timeout(self.settings.farewell, hear_out(self.stream.get_mut())).await;
    }
}

async fn hear_out(connection: &mut Upgraded) -> io::Result<()> {
    connection.shutdown().await?;
    let mut sink = [0; 1024];
    let mut left = LAST_BYTES;
    while left > 0 {
        match connection.read(&mut sink).await? {
            0 => break,
            length => left = left.saturating_sub(length),
        }
    }
    Ok(())
}

fn listening(settings: Settings) -> State {
    let until = Instant::now() + settings.patience;
    State::Listening { until }
}

/// The status of a mistake (RFC 6455 7.4.1); none if the connection is no more.
fn mistake(error: &Error) -> Option<CloseCode> {
    match error {
        Error::Protocol(
            ProtocolError::ResetWithoutClosingHandshake | ProtocolError::ReceivedAfterClosing,
        ) => None,
        Error::Protocol(_) => Some(CloseCode::Protocol),
        Error::Utf8(_) => Some(CloseCode::Invalid),
        Error::Capacity(CapacityError::MessageTooLong { .. }) => Some(CloseCode::Size),
        _ => None,
    }
}

/// A control frame holds 125 bytes, two of which are the code (RFC 6455 5.5).
fn goodbye(code: CloseCode, reason: &str) -> CloseFrame {
    const REASON_BYTES: usize = 123;
    let mut end = reason.len().min(REASON_BYTES);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    CloseFrame {
        code,
        reason: Utf8Bytes::from(&reason[..end]),
    }
}
