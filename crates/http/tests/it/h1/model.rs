//! Random pipelines of requests, with services that read all, some or nothing of
//! their content and answer in every framing. Every content is full of text that
//! looks like a request; a connection that loses its place would answer that.

use http::StatusCode;
use httpd::date::response_date;
use httpd::h1::{BodyPlan, BodySize, BodyStep, Connection, HeaderSlots, Limits, Next};
use proptest::collection::vec;
use proptest::prelude::*;

const LIMITS: Limits = Limits {
    request_line_bytes: 100,
    head_bytes: 300,
    headers: 10,
    body_bytes: 1_000_000,
    chunk_line_bytes: 20,
    chunk_extension_bytes: 20,
    trailer_bytes: 100,
    drain_bytes: 150,
};

/// One request and what its service does.
#[derive(Clone, Debug)]
struct Exchange {
    head_only: bool,
    chunk: Option<usize>,
    content: usize,
    /// How much content the service reads before it answers.
    wants: usize,
    answer: Answer,
    closes: bool,
}

#[derive(Clone, Copy, Debug)]
enum Answer {
    Whole,
    Known,
    Streaming,
}

impl Exchange {
    /// The bytes of the request with this number.
    fn message(&self, number: usize) -> Vec<u8> {
        let method = if self.head_only { "HEAD" } else { "POST" };
        let content = bait(self.content);
        let mut message = format!("{method} /{number} HTTP/1.1\r\nHost: h\r\n").into_bytes();
        let Some(size) = self.chunk else {
            let length = format!("Content-Length: {}\r\n\r\n", content.len());
            message.extend_from_slice(length.as_bytes());
            message.extend_from_slice(&content);
            return message;
        };
        message.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n");
        for chunk in content.chunks(size) {
            message.extend_from_slice(format!("{:X}\r\n", chunk.len()).as_bytes());
            message.extend_from_slice(chunk);
            message.extend_from_slice(b"\r\n");
        }
        message.extend_from_slice(b"0\r\n\r\n");
        message
    }

    /// The content of the response to it.
    fn response(&self, number: usize) -> Vec<u8> {
        let read = self.wants.min(self.content);
        format!("{number} read {read} ").repeat(3).into_bytes()
    }
}

fn bait(length: usize) -> Vec<u8> {
    let request = b"\r\n0\r\n\r\nGET /bait HTTP/1.1\r\nHost: h\r\n\r\n";
    request.iter().copied().cycle().take(length).collect()
}

fn exchange() -> impl Strategy<Value = Exchange> {
    (
        prop::bool::weighted(0.1),
        prop::option::of(1..100usize),
        prop_oneof![Just(0), 1..400usize],
        prop_oneof![Just(0), 1..300usize, Just(usize::MAX)],
        prop_oneof![
            Just(Answer::Whole),
            Just(Answer::Known),
            Just(Answer::Streaming)
        ],
        prop::bool::weighted(0.05),
    )
        .prop_map(
            |(head_only, chunk, content, wants, answer, closes)| Exchange {
                head_only,
                chunk,
                content,
                wants,
                answer,
                closes,
            },
        )
}

/// A driver whose reads are as long as the test says.
struct Driver<'t> {
    exchanges: &'t [Exchange],
    input: &'t [u8],
    reads: std::iter::Cycle<std::slice::Iter<'t, usize>>,
    buffer: Vec<u8>,
    connection: Connection,
    out: Vec<u8>,
    /// Targets in the order in which they were received.
    received: Vec<String>,
    /// How much content of each the service had read when it answered.
    read: Vec<usize>,
    /// Content of the current request that was read.
    content: Vec<u8>,
}

impl Driver<'_> {
    fn run(&mut self) {
        loop {
            match self.connection.next() {
                Next::ReceiveHead => self.receive_head(),
                Next::Respond => self.serve(),
                Next::Drain => drop(self.receive_body()),
                Next::Upgraded => unreachable!("no upgrade is offered"),
                Next::Close { .. } => return,
            }
        }
    }

    fn read(&mut self) {
        let length = self.reads.next().map_or(1, |&length| length);
        let (now, later) = self.input.split_at(length.min(self.input.len()));
        if now.is_empty() {
            self.connection.input_ended();
        }
        self.buffer.extend_from_slice(now);
        self.input = later;
    }

    fn receive_head(&mut self) {
        let mut slots = HeaderSlots::new();
        let head = self.connection.receive_head(&self.buffer, &mut slots);
        match head.expect("every request is valid") {
            Some(head) => {
                self.received.push(head.target().path().to_owned());
                let consumed = head.consumed();
                self.buffer.drain(..consumed);
            }
            None if self.connection.next() == Next::ReceiveHead => self.read(),
            None => {}
        }
    }

    /// One step of the content; whether it is whole.
    fn receive_body(&mut self) -> bool {
        let step = self.connection.receive_body(&self.buffer);
        let step = step.expect("every content is valid");
        if let BodyStep::Data(range) = &step {
            self.content.extend_from_slice(&self.buffer[range.clone()]);
        }
        self.buffer.drain(..step.consumed());
        if matches!(step, BodyStep::NeedMore { .. }) {
            self.read();
        }
        matches!(step, BodyStep::End(_))
    }

    fn serve(&mut self) {
        let number = self.received.len() - 1;
        let exchange = &self.exchanges[number];
        self.content.clear();
        while self.content.len() < exchange.wants && !self.receive_body() {}
        let read = self.content.len();
        assert!(read >= exchange.wants.min(exchange.content));
        assert_eq!(self.content, bait(exchange.content)[..read]);
        self.read.push(read);
        self.answer(exchange, &exchange.response(number));
    }

    fn answer(&mut self, exchange: &Exchange, content: &[u8]) {
        let (connection, out) = (&mut self.connection, &mut self.out);
        if exchange.closes {
            connection.close_soon();
        }
        let date = response_date(0);
        let head = connection
            .respond(out, StatusCode::OK, &date)
            .expect("a response is due");
        let size = match exchange.answer {
            Answer::Whole => {
                head.finish_with(content).expect("lengths agree");
                return;
            }
            Answer::Known => BodySize::Known(content.len() as u64),
            Answer::Streaming => BodySize::Streaming,
        };
        if head.finish(size).expect("lengths agree") == BodyPlan::Send {
            for piece in content.chunks(7) {
                connection.send_body(out, piece).expect("lengths agree");
            }
            connection.end_body(out, None).expect("lengths agree");
        }
    }
}

/// Takes one response from the start of `bytes`: its content, whether the
/// connection ends with it, and what follows.
fn take_response<'b>(bytes: &'b [u8], exchange: &Exchange) -> (Vec<u8>, bool, &'b [u8]) {
    let mut slots = [httparse::EMPTY_HEADER; 16];
    let mut response = httparse::Response::new(&mut slots);
    let parsed = response.parse(bytes).expect("the response is valid");
    let rest = &bytes[parsed.unwrap()..];
    let value = |name: &str| {
        let mut fields = response.headers.iter().filter(|field| field.name == name);
        let value = fields
            .next()
            .map(|field| str::from_utf8(field.value).expect("text"));
        assert!(fields.next().is_none(), "{name} is there once at most");
        value
    };
    assert!(value("date").is_some());
    let closes = value("connection") == Some("close");
    if exchange.head_only {
        return (Vec::new(), closes, rest);
    }
    if let Some(length) = value("content-length") {
        let (content, rest) = rest.split_at(length.parse().expect("a number"));
        return (content.to_vec(), closes, rest);
    }
    assert_eq!(value("transfer-encoding"), Some("chunked"));
    let (content, rest) = take_chunks(rest);
    (content, closes, rest)
}

fn take_chunks(mut bytes: &[u8]) -> (Vec<u8>, &[u8]) {
    let mut content = Vec::new();
    loop {
        let parsed = httparse::parse_chunk_size(bytes).expect("a chunk size");
        let (at, size) = parsed.unwrap();
        let (chunk, rest) = bytes[at..].split_at(size as usize);
        content.extend_from_slice(chunk);
        bytes = rest.strip_prefix(b"\r\n").expect("the end of a chunk");
        if size == 0 {
            return (content, bytes);
        }
    }
}

fn check(exchanges: &[Exchange], reads: &[usize]) -> Result<(), TestCaseError> {
    let numbered = exchanges.iter().enumerate();
    let input: Vec<u8> = numbered
        .flat_map(|(number, exchange)| exchange.message(number))
        .collect();
    let mut driver = Driver {
        exchanges,
        input: &input,
        reads: reads.iter().cycle(),
        buffer: Vec::new(),
        connection: Connection::new(LIMITS),
        out: Vec::new(),
        received: Vec::new(),
        read: Vec::new(),
        content: Vec::new(),
    };
    driver.run();

    let mut rest = driver.out.as_slice();
    let mut closed = false;
    for (number, target) in driver.received.iter().enumerate() {
        let exchange = &exchanges[number];
        prop_assert_eq!(target, &format!("/{number}"));
        prop_assert!(!closed, "a request was received after the last response");
        let (content, closes, after) = take_response(rest, exchange);
        if !exchange.head_only {
            prop_assert_eq!(content, exchange.response(number));
        }
        (rest, closed) = (after, closes);
        let left = exchange.content - driver.read[number];
        let too_much = exchange.chunk.is_none() && left as u64 > LIMITS.drain_bytes;
        prop_assert_eq!(closed, exchange.closes || too_much);
        // Of chunks nobody knows how many are left, so the end may come unannounced.
        let unread_chunks = exchange.chunk.is_some() && exchange.wants <= exchange.content;
        if !closed && !unread_chunks {
            let goes_on = (number + 1).min(exchanges.len() - 1);
            prop_assert!(driver.received.len() > goes_on, "the next is received");
        }
    }
    prop_assert!(rest.is_empty(), "nothing follows the last response");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_connection_keeps_its_place(
        exchanges in vec(exchange(), 1..6),
        reads in vec(1..300usize, 1..20),
    ) {
        check(&exchanges, &reads)?;
    }
}
