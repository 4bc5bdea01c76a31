//! A small driver that writes down what a connection understood.
//!
//! It reads every content to its end and answers every request with an empty 200.
//! The fuzz target uses this file too.

use http::StatusCode;
use httpd::date::response_date;
use httpd::h1::{
    BodyStep, Connection, Framing, HeaderSlots, Limits, Next, Reject, RequestHead, Room, Version,
    trailer_fields,
};

/// One thing that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// A request head.
    Head(Box<SeenHead>),
    /// The content of the request, or as much of it as came before the connection
    /// ended.
    Content(Vec<u8>),
    /// The trailers behind a whole content.
    End(Vec<(String, Vec<u8>)>),
    /// A refusal.
    Rejected(Reject),
}

/// What a head said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenHead {
    /// The method.
    pub method: String,
    /// The target as sent.
    pub target: String,
    /// The version.
    pub version: Version,
    /// Host and port.
    pub host: String,
    /// All fields.
    pub fields: Vec<(String, Vec<u8>)>,
    /// How long the content is.
    pub framing: Framing,
    /// Whether the connection goes on.
    pub keep_alive: bool,
    /// Whether the client waits for 100 Continue.
    pub expects_continue: bool,
    /// The protocols offered.
    pub upgrade: Option<Vec<u8>>,
}

/// What is understood of `pieces`, received one after the other, after which the
/// client says no more.
pub fn observe<'p>(limits: Limits, pieces: impl IntoIterator<Item = &'p [u8]>) -> Vec<Seen> {
    let mut observer = Observer::new(limits);
    for piece in pieces {
        observer.buffer.extend_from_slice(piece);
        observer.go_on();
    }
    observer.connection.input_ended();
    observer.go_on();
    observer.seen
}

/// A driver with its connection and buffers.
struct Observer {
    connection: Connection,
    buffer: Vec<u8>,
    out: Vec<u8>,
    content: Vec<u8>,
    seen: Vec<Seen>,
}

impl Observer {
    fn new(limits: Limits) -> Self {
        Self {
            connection: Connection::new(limits),
            buffer: Vec::new(),
            out: Vec::new(),
            content: Vec::new(),
            seen: Vec::new(),
        }
    }

    /// Works until more bytes are needed or the connection ends.
    fn go_on(&mut self) {
        loop {
            let needs_more = match self.connection.next() {
                Next::ReceiveHead => self.receive_head(),
                Next::Respond => self.receive_body(),
                Next::Drain | Next::Upgraded => unreachable!("every content is read to its end"),
                Next::Close { .. } => return,
            };
            if needs_more && !matches!(self.connection.next(), Next::Close { .. }) {
                return;
            }
        }
    }

    fn receive_head(&mut self) -> bool {
        let mut slots = HeaderSlots::new();
        match self.connection.receive_head(&self.buffer, &mut slots) {
            Ok(Some(head)) => {
                self.seen.push(Seen::Head(Box::new(seen_head(&head))));
                let consumed = head.consumed();
                self.buffer.drain(..consumed);
                false
            }
            Ok(None) => true,
            Err(reject) => self.reject(reject),
        }
    }

    fn receive_body(&mut self) -> bool {
        let step = match self.connection.receive_body(&self.buffer) {
            Ok(step) => step,
            Err(reject) => {
                self.content_ends();
                return self.reject(reject);
            }
        };
        match &step {
            BodyStep::NeedMore { .. } => {}
            BodyStep::ContinueDue => self.connection.send_continue(&mut self.out),
            BodyStep::Data(range) => self.content.extend_from_slice(&self.buffer[range.clone()]),
            BodyStep::End(range) => {
                let trailers = trailer_fields(&self.buffer[range.clone()]);
                self.content_ends();
                let trailers = trailers
                    .iter()
                    .map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()));
                self.seen.push(Seen::End(trailers.collect()));
                self.answer();
            }
        }
        self.buffer.drain(..step.consumed());
        matches!(step, BodyStep::NeedMore { .. } | BodyStep::ContinueDue)
    }

    fn content_ends(&mut self) {
        let content = std::mem::take(&mut self.content);
        self.seen.push(Seen::Content(content));
    }

    fn answer(&mut self) {
        self.out.clear();
        self.connection
            .respond(&mut self.out, StatusCode::OK, &response_date(0))
            .expect("a response is due")
            .finish_with(b"")
            .expect("an empty content conflicts with nothing");
    }

    fn reject(&mut self, reject: Reject) -> bool {
        self.connection
            .reject(&mut self.out, &reject, &response_date(0));
        assert!(matches!(self.connection.next(), Next::Close { .. }));
        self.seen.push(Seen::Rejected(reject));
        false
    }
}

fn seen_head(head: &RequestHead<'_, '_>) -> SeenHead {
    head.to_parts(&mut Room::default())
        .expect("what is accepted fits the shared types");
    SeenHead {
        method: head.method().to_owned(),
        target: head.target().raw().to_owned(),
        version: head.version(),
        host: head.host().to_owned(),
        fields: head
            .fields()
            .map(|(name, value)| (name.to_owned(), value.to_vec()))
            .collect(),
        framing: head.framing(),
        keep_alive: head.keep_alive(),
        expects_continue: head.expects_continue(),
        upgrade: head.upgrade().map(<[u8]>::to_vec),
    }
}
