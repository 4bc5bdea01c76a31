//! What became of requests: by status where they were answered, by what went wrong where
//! they were not, with one example of each.

use super::answer::Answer;
use super::latencies::Latencies;
use std::collections::BTreeMap;
use std::time::Duration;

/// Why a request was not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Failure {
    /// Nobody listens there.
    Refused,
    /// No connection could be made for another reason.
    Unreachable,
    /// No encrypted connection could be made.
    Untrusted,
    /// The connection ended before the answer did.
    Broken,
    /// The answer took longer than it may.
    Late,
    /// What came is not HTTP.
    Malformed,
    /// It was due and never sent, because no client was free or the server was given up.
    Unsent,
}

/// What went wrong in one way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// How often.
    pub count: u64,
    /// What the first of them said.
    pub example: String,
}

/// What became of requests so far.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    statuses: BTreeMap<u16, u64>,
    failures: BTreeMap<Failure, Failed>,
    latencies: Latencies,
    content_bytes: u64,
    sent_bytes: u64,
}

impl Failure {
    /// All, each with its name for programs.
    pub const NAMES: [(Self, &'static str); 7] = [
        (Self::Refused, "refused"),
        (Self::Unreachable, "unreachable"),
        (Self::Untrusted, "untrusted"),
        (Self::Broken, "broken"),
        (Self::Late, "late"),
        (Self::Malformed, "malformed"),
        (Self::Unsent, "unsent"),
    ];
}

impl Tally {
    /// Counts a request that was answered after `latency`.
    pub fn answer(&mut self, answer: Answer, latency: Duration) {
        *self.statuses.entry(answer.status).or_default() += 1;
        self.content_bytes += answer.content_bytes;
        self.latencies.add(latency);
    }

    /// Counts `count` requests that were not answered; `example` tells of the first.
    pub fn fail(&mut self, failure: Failure, count: u64, example: impl FnOnce() -> String) {
        if count == 0 {
            return;
        }
        let failed = self.failures.entry(failure);
        let failed = failed.or_insert_with(|| Failed {
            count: 0,
            example: example(),
        });
        failed.count += count;
    }

    /// Counts bytes of requests on their way.
    pub fn send(&mut self, bytes: u64) {
        self.sent_bytes += bytes;
    }

    /// Counts all that `other` did.
    pub fn append(&mut self, other: &Self) {
        for (status, count) in &other.statuses {
            *self.statuses.entry(*status).or_default() += count;
        }
        for (failure, failed) in &other.failures {
            self.fail(*failure, failed.count, || failed.example.clone());
        }
        self.latencies.append(&other.latencies);
        self.content_bytes += other.content_bytes;
        self.sent_bytes += other.sent_bytes;
    }

    /// How often each status came.
    pub fn statuses(&self) -> &BTreeMap<u16, u64> {
        &self.statuses
    }

    /// What went wrong where no answer came.
    pub fn failures(&self) -> &BTreeMap<Failure, Failed> {
        &self.failures
    }

    /// How long answers took, whatever they said.
    pub fn latencies(&self) -> &Latencies {
        &self.latencies
    }

    /// Bytes of content that came, without heads and framing.
    pub fn content_bytes(&self) -> u64 {
        self.content_bytes
    }

    /// Bytes of requests that were sent, heads and all.
    pub fn sent_bytes(&self) -> u64 {
        self.sent_bytes
    }

    /// Requests that were answered, however.
    pub fn answered(&self) -> u64 {
        self.statuses.values().sum()
    }

    /// Requests that were answered with 2xx.
    pub fn succeeded(&self) -> u64 {
        self.statuses.range(200..300).map(|(_, count)| count).sum()
    }

    /// All requests.
    pub fn requests(&self) -> u64 {
        self.answered()
            + self
                .failures
                .values()
                .map(|failed| failed.count)
                .sum::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16) -> Answer {
        Answer {
            status,
            content_bytes: 10,
            keeps_connection: true,
        }
    }

    #[test]
    fn parts_add_up_and_the_first_example_stays() {
        let mut all = Tally::default();
        let mut part = Tally::default();
        all.answer(answer(200), Duration::from_millis(1));
        all.answer(answer(404), Duration::from_millis(1));
        part.answer(answer(204), Duration::from_millis(3));
        all.fail(Failure::Late, 1, || "first".to_owned());
        all.fail(Failure::Unsent, 0, || unreachable!("nothing failed"));
        part.fail(Failure::Late, 2, || "second".to_owned());
        part.fail(Failure::Broken, 1, || "broke".to_owned());
        part.send(100);
        all.append(&part);
        assert_eq!((all.requests(), all.answered(), all.succeeded()), (7, 3, 2));
        assert_eq!((all.content_bytes(), all.sent_bytes()), (30, 100));
        assert_eq!(all.latencies().count(), 3);
        let late = &all.failures()[&Failure::Late];
        assert_eq!((late.count, late.example.as_str()), (3, "first"));
        assert_eq!(all.failures().len(), 2);
    }
}
