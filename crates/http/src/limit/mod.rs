//! How often a client may ask: sliding windows and token buckets.
//!
//! `window` and `bucket` are the two algorithms, pure functions of a time
//! that the caller gives. A [`Limiter`] keeps one state per client and route, in
//! bounded room, under [`Rules`] that may be changed while it runs. What a
//! refused client is told is in [`Decision`]. Who a client is, and which routes
//! there are, is the caller's business; a counter shared by several machines
//! takes a limiter's place behind [`Quota`]. A [`Recorder`] counts what was decided about
//! whom, for the figures of whoever asks.

mod bucket;
mod decision;
mod limiter;
mod recorder;
mod rules;
mod window;

pub use bucket::TokenBucket;
pub use decision::{Allowance, Decision};
pub use limiter::{Client, Limiter, LimiterSize, LimiterStats, Quota, Route};
pub use recorder::{Decisions, RECORDED_CLASSES, RECORDED_CLIENTS, Recorder};
pub use rules::{Limit, LimitError, MAX_COUNT, MAX_PERIOD, Rules, parse_period};
pub use window::SlidingWindow;
