//! HTTP/1.1 as a state machine: bytes in, events out; no sockets, no clock.
//!
//! It serves one connection from the server's side, to the letter of RFC 9110 and
//! RFC 9112 and on the strict side of their choices: bytes that two parsers could
//! understand differently are answered with an error and end the connection. It
//! does not know what is served, by whom, or over what.
//!
//! The way of a request through these files:
//!
//! 1. [`Connection::receive_head`] finds the end of a head (`scan`), parses it
//!    where it lies (`head`), checks its target (`target`) and decides from one
//!    pass over its fields how long its content is and whether the connection goes
//!    on (`fields`).
//! 2. [`Connection::receive_body`] names content as ranges of the buffer (`body`,
//!    `chunked`, `trailers`).
//! 3. [`Connection::respond`] writes the response into a buffer (`response`,
//!    `field_block`).
//! 4. [`Connection::next`] says what is to be done next (`connection`).
//!
//! What is refused on the way is a [`Reject`]; every bound is in [`Limits`].
//!
//! # Driving it
//!
//! The driver owns the bytes: one buffer of what was received and one of what is to
//! be sent. It may let go of both while they are empty. It asks
//! [`Connection::next`], does that, and sends when it must wait or has enough; thus
//! the responses to all requests of one read leave in one write.
//!
//! ```
//! use http::StatusCode;
//! use httpd::date::response_date;
//! use httpd::h1::{BodyStep, Connection, HeaderSlots, Limits, Next};
//!
//! /// Answers everything in `input`, after which the client says no more.
//! fn serve(input: &[u8]) -> Vec<u8> {
//!     let date = response_date(784_111_777);
//!     let mut connection = Connection::new(Limits::default());
//!     let mut out = Vec::new();
//!     let mut at = 0;
//!     connection.input_ended();
//!     loop {
//!         match connection.next() {
//!             Next::ReceiveHead => {
//!                 let mut slots = HeaderSlots::new();
//!                 match connection.receive_head(&input[at..], &mut slots) {
//!                     Ok(Some(head)) => at += head.consumed(),
//!                     Ok(None) => {} // here a driver sends, then reads
//!                     Err(reject) => {
//!                         connection.reject(&mut out, &reject, &date);
//!                     }
//!                 }
//!             }
//!             Next::Respond => {
//!                 let mut size = 0;
//!                 let refused = loop {
//!                     let step = match connection.receive_body(&input[at..]) {
//!                         Ok(step) => step,
//!                         Err(reject) => break Some(reject),
//!                     };
//!                     at += step.consumed();
//!                     match step {
//!                         BodyStep::Data(content) => size += content.len(),
//!                         BodyStep::ContinueDue => connection.send_continue(&mut out),
//!                         BodyStep::NeedMore { .. } => {} // here a driver reads
//!                         BodyStep::End(_) => break None,
//!                     }
//!                 };
//!                 match refused {
//!                     Some(reject) => connection.reject(&mut out, &reject, &date),
//!                     None => connection
//!                         .respond(&mut out, StatusCode::OK, &date)
//!                         .expect("a response is due")
//!                         .finish_with(format!("{size} bytes").as_bytes())
//!                         .expect("the size is that of the content"),
//!                 };
//!             }
//!             Next::Drain => unreachable!("the content is always read"),
//!             Next::Upgraded => unreachable!("no switch is ever accepted"),
//!             Next::Close { .. } => return out,
//!         }
//!     }
//! }
//!
//! let two = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello\
//!             GET / HTTP/1.1\r\nHost: a\r\n\r\n";
//! let expected = "HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\
//!     date: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n5 bytes\
//!     HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\
//!     date: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n0 bytes";
//! assert_eq!(String::from_utf8_lossy(&serve(two)), expected);
//! ```
//!
//! # What a driver must see to
//!
//! - The buffer can grow to [`Limits::head_bytes`], and to
//!   [`Limits::trailer_bytes`].
//! - Time: [`Connection::waiting`] says what a read waits for, and the clock for a
//!   head starts with its first byte.
//! - After [`Next::Close`] with `linger`, it shuts down its sending side, and reads
//!   and forgets for a bounded while.
//! - Bytes that are left in the buffer when an upgrade is accepted are told to
//!   [`Connection::switch_protocols`].

mod body;
pub(crate) mod chunked;
mod connection;
mod field_block;
mod fields;
mod head;
mod limits;
mod line;
mod reject;
mod response;
mod room;
mod scan;
mod target;
mod trailers;

pub use body::BodyStep;
pub use connection::{Connection, Next, Waiting};
pub use field_block::{FieldBlock, ReservedField};
pub use fields::Present;
pub use head::{Framing, HeaderSlots, RequestHead, Version};
pub use limits::{Limits, MAX_HEADERS, METHOD_BYTES};
pub use line::RequestLine;
pub use reject::Reject;
pub use response::{BodyPlan, BodySize, RespondError, ResponseHead};
pub use room::Room;
pub use target::Target;
pub use trailers::trailer_fields;
