//! hyper as oracle: what this core accepts, hyper understands alike.
//!
//! The other way round need not hold: this core refuses more. The test prints how
//! many messages each refuses, for docs/conformance.md.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use httpd::h1::Limits;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::messages::{damaged, pipeline};
use super::observe::{Seen, observe};
use super::oracle;

/// How often the two agreed.
#[derive(Debug, Default)]
struct Count {
    messages: usize,
    /// Requests that both understood, and understood alike.
    requests: usize,
    alike: usize,
    hyper_refuses_more: usize,
    /// Messages of which we refuse more, by our reason.
    we_refuse_more: BTreeMap<&'static str, usize>,
}

impl Count {
    fn compare(&mut self, message: &[u8]) {
        let (requests, we_found) = oracle::compare(message);
        self.requests += requests;
        self.messages += 1;
        match we_found {
            Ordering::Equal => self.alike += 1,
            Ordering::Less => *self.we_refuse_more.entry(refusal(message)).or_default() += 1,
            Ordering::Greater => {
                self.hyper_refuses_more += 1;
                println!("hyper refuses: {}", message.escape_ascii());
            }
        }
    }
}

/// Why this core refuses `message`.
fn refusal(message: &[u8]) -> &'static str {
    match observe(Limits::default(), [message]).last() {
        Some(Seen::Rejected(reject)) => reject.reason,
        _ => "the connection ended",
    }
}

#[test]
fn what_is_accepted_is_understood_as_hyper_does() {
    const MESSAGES: usize = 4000;
    for (name, strategy) in [
        ("built", pipeline().boxed()),
        ("damaged", damaged().boxed()),
    ] {
        let mut runner = TestRunner::deterministic();
        let mut count = Count::default();
        for _ in 0..MESSAGES {
            let message = strategy.new_tree(&mut runner).expect("no filter refuses");
            count.compare(&message.current());
        }
        println!("{name}: {count:#?}");
        assert_eq!(count.hyper_refuses_more, 0, "hyper refuses what we accept");
        assert!(count.requests > MESSAGES / 4, "messages say something");
    }
}
