//! Clients that push samples to a node that is killed: what was acknowledged must be there,
//! as it was sent, and nothing else.
//!
//! What a request carries follows from its client and its number (`request`), and a sample's
//! value tells which request it is of. So a client has to note no sample, only how far each
//! request went (`notes`), and an export is held to that. The clients send as fast as they
//! are answered. Who kills the node, and when, is the caller's business.

mod notes;
mod request;

use std::io::{BufRead, BufReader};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, bail, ensure};

use self::notes::{Check, Notes};
use self::request::{Format, Request};
use crate::site::{Administrator, Node};

pub use self::notes::Checked;
pub use self::request::SAMPLES;

/// All series that have a name: `{__name__!=""}`.
const EVERYTHING: &str = "/api/v1/export?match[]=%7B__name__!%3D%22%22%7D";

/// Only against a node that would hang.
const PATIENCE: Duration = Duration::from_secs(60);

/// Between two attempts at a node that has no room.
const PAUSE: Duration = Duration::from_millis(20);

/// The most requests of one client: its notes and those of an export take 7 bytes for each,
/// and the newest of its samples lies less than an hour ahead.
const MOST_REQUESTS: usize = 3_000_000;

/// Every so many requests one is sent a second time as it was, as by a client that did not
/// see the answer.
const REPEATED: usize = 16;

/// Every so many requests one is sent a second time with other values, which then count.
const REPLACED: usize = 24;

/// Clients, each with its own series.
pub struct Senders {
    /// The time of the first samples, in milliseconds since 1970.
    begin: i64,
    senders: Vec<Sender>,
}

/// One client.
struct Sender {
    number: usize,
    format: Format,
    notes: Notes,
    /// A request that broke off, when it is to be sent again.
    again: Option<Request>,
}

/// How an attempt ended.
enum Sent {
    /// It was answered with 2xx.
    Acknowledged,
    /// It was answered that nothing of it was taken.
    Full,
    /// Nobody knows.
    BrokenOff,
}

impl Senders {
    /// So many clients that send JSON and one that sends line protocol. Samples of now are at
    /// `begin`, in milliseconds since 1970, and later by a millisecond with each request.
    pub fn new(json: usize, begin: i64) -> Self {
        let sender = |number| Sender {
            number,
            format: if number < json {
                Format::Json
            } else {
                Format::Line
            },
            notes: Notes::default(),
            again: None,
        };
        Self {
            begin,
            senders: (0..=json).map(sender).collect(),
        }
    }

    /// Has all of them push to `node` while `during` has it: each until `during` ends or the
    /// node is gone.
    ///
    /// # Errors
    /// Those of `during`, and when the node answers what it should not.
    pub fn push_while<T>(
        &mut self,
        node: Node,
        during: impl FnOnce(Node) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let administrator = node.administrator();
        let (is_over, begin) = (AtomicBool::new(false), self.begin);
        std::thread::scope(|scope| {
            let senders = self.senders.iter_mut();
            let (to, is_over) = (&administrator, &is_over);
            let push = |sender| scope.spawn(move || push_until(sender, to, begin, is_over));
            let pushing: Vec<_> = senders.map(push).collect();
            let done = during(node);
            is_over.store(true, Ordering::Relaxed);
            for sender in pushing {
                sender.join().expect("a client that fails says so")?;
            }
            done
        })
    }

    /// Holds everything that `node` exports to what was sent. The node's own metrics are
    /// passed over.
    ///
    /// # Errors
    /// When the export fails or is none.
    pub fn check(&self, node: &Node) -> anyhow::Result<Checked> {
        let mut exported = node.administrator().ask("GET", EVERYTHING)?;
        self.check_lines(BufReader::new(exported.body_mut().as_reader()))
    }

    fn check_lines(&self, lines: impl BufRead) -> anyhow::Result<Checked> {
        let notes = self.senders.iter().map(|sender| &sender.notes).collect();
        let mut check = Check::new(notes, self.begin);
        for line in lines.lines() {
            check.take(&line.context("an export that breaks off")?)?;
        }
        Ok(check.end())
    }
}

fn push_until(
    sender: &mut Sender,
    node: &Administrator,
    begin: i64,
    is_over: &AtomicBool,
) -> anyhow::Result<()> {
    // One of its own, so that no connection to a node that was killed is used again.
    let agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(PATIENCE))
        .build()
        .new_agent();
    while !is_over.load(Ordering::Relaxed) {
        let request = sender.next()?;
        if !sender.push(&agent, node, begin, &request)? {
            return Ok(());
        }
    }
    Ok(())
}

impl Sender {
    /// What to send now.
    fn next(&mut self) -> anyhow::Result<Request> {
        if let Some(request) = self.again.take() {
            return Ok(request);
        }
        let number = self.notes.requests();
        ensure!(
            number < MOST_REQUESTS,
            "client {} has sent {number} requests, which is as many as it notes",
            self.number
        );
        Ok(Request {
            client: self.number,
            number,
            version: 0,
        })
    }

    /// Sends a request, and sends it again where that is its way; tells whether the node is
    /// still there.
    fn push(
        &mut self,
        agent: &ureq::Agent,
        node: &Administrator,
        begin: i64,
        request: &Request,
    ) -> anyhow::Result<bool> {
        let mut requests = vec![*request];
        if request.number.is_multiple_of(REPEATED) {
            requests.push(*request);
        }
        if request.number.is_multiple_of(REPLACED) && request.version == 0 {
            requests.push(Request {
                version: 1,
                ..*request
            });
        }
        for request in requests {
            if !self.deliver(agent, node, begin, &request)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Sends one until it is taken; tells whether it was.
    fn deliver(
        &mut self,
        agent: &ureq::Agent,
        node: &Administrator,
        begin: i64,
        request: &Request,
    ) -> anyhow::Result<bool> {
        loop {
            let before = self.notes.sent(request);
            match attempt(agent, node, self.format, begin, request)? {
                Sent::Acknowledged => {
                    self.notes.acknowledged(request);
                    return Ok(true);
                }
                // That nothing was taken is held against the node too.
                Sent::Full => self.notes.not_sent(request, before),
                Sent::BrokenOff => {
                    // The others are left as they are, and may be there or not.
                    self.again = request.number.is_multiple_of(2).then_some(*request);
                    return Ok(false);
                }
            }
            std::thread::sleep(PAUSE);
        }
    }
}

fn attempt(
    agent: &ureq::Agent,
    node: &Administrator,
    format: Format,
    begin: i64,
    request: &Request,
) -> anyhow::Result<Sent> {
    let url = format!("{}{}", node.url, format.path());
    let sent = agent
        .post(url)
        .header("authorization", &node.authorization)
        .send(format.body(request, begin));
    let Ok(mut answer) = sent else {
        return Ok(Sent::BrokenOff);
    };
    let status = answer.status().as_u16();
    let Ok(text) = answer.body_mut().read_to_string() else {
        return Ok(Sent::BrokenOff);
    };
    match status {
        204 => Ok(Sent::Acknowledged),
        200 if text.contains("\"refused\":[]") => Ok(Sent::Acknowledged),
        429 | 503 => Ok(Sent::Full),
        _ => bail!("{request:?} is answered {status}: {text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::request::exported;

    /// Two clients with five requests each: 0 to 2 acknowledged, 3 with both versions
    /// acknowledged, 4 broken off.
    fn senders() -> Senders {
        let mut senders = Senders::new(1, 1_000_000_000_000);
        for sender in &mut senders.senders {
            for (number, version) in [(0, 0), (1, 0), (2, 0), (3, 0), (3, 1), (4, 0)] {
                let request = Request {
                    client: sender.number,
                    number,
                    version,
                };
                sender.notes.sent(&request);
                if number < 4 {
                    sender.notes.acknowledged(&request);
                }
            }
        }
        senders
    }

    /// What a node has: a line for each sample.
    fn lines(senders: &Senders, requests: &[(usize, u8)]) -> Vec<String> {
        let own = r#"{"metric":{"__name__":"x","job":"atoll"},"values":[1],"timestamps":[1]}"#;
        let mut lines = vec![own.to_owned()];
        for client in 0..senders.senders.len() {
            for &(number, version) in requests {
                let request = Request {
                    client,
                    number,
                    version,
                };
                lines.extend(exported(&request, senders.begin));
            }
        }
        lines
    }

    #[track_caller]
    fn check(requests: &[(usize, u8)], change: impl FnOnce(&mut Vec<String>), expected: [u64; 3]) {
        let senders = senders();
        let mut lines = lines(&senders, requests);
        change(&mut lines);
        let checked = senders.check_lines(lines.join("\n").as_bytes()).unwrap();
        let found = [checked.lost, checked.changed, checked.invented];
        assert_eq!(found, expected, "{checked:?}");
        assert_eq!(checked.holds(), expected == [0; 3]);
    }

    #[test]
    fn what_was_acknowledged_must_be_there_and_what_was_sent_may() {
        let all = [(0, 0), (1, 0), (2, 0), (3, 1)];
        let count = SAMPLES as u64;
        check(&all, |_| {}, [0, 0, 0]);
        check(&[&all[..], &[(4, 0)]].concat(), |_| {}, [0, 0, 0]);
        check(&all[1..], |_| {}, [2 * count, 0, 0]);
        check(&all, |lines| drop(lines.pop()), [1, 0, 0]);
        check(&[(0, 0), (1, 0), (2, 0), (3, 0)], |_| {}, [0, 2 * count, 0]);
    }

    #[test]
    fn what_was_never_sent_must_not_be_there() {
        let all = [(0, 0), (1, 0), (2, 0), (3, 1)];
        let count = SAMPLES as u64;
        check(&[&all[..], &[(5, 0)]].concat(), |_| {}, [0, 0, 2 * count]);
        check(&[&all[..], &[(4, 1)]].concat(), |_| {}, [0, 0, 2 * count]);
        let twice = |lines: &mut Vec<String>| lines.push(lines[1].clone());
        check(&all, twice, [0, 0, 1]);
        let elsewhere = |lines: &mut Vec<String>| {
            lines[1] = lines[1].replace("\"client\":\"0\"", "\"client\":\"1\"");
        };
        check(&all, elsewhere, [1, 0, 1]);
        let other = |lines: &mut Vec<String>| {
            lines.push(
                r#"{"metric":{"__name__":"y"},"values":[1,2],"timestamps":[1,2]}"#.to_owned(),
            );
        };
        check(&all, other, [0, 0, 2]);
    }
}
