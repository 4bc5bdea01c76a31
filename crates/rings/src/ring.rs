//! The ring. The producer never waits: an event for which there is no room is counted by
//! its kind instead, and loses its place in the order, never its count.
//!
//! ```text
//!            head            tail            positions only grow; position p is slot p % length
//!   ──────────┼───────────────┼──────────▶   head ≤ tail ≤ head + length
//!    was read │ can be read   │ free
//! ```
//!
//! `tail` is written by the producer alone, `head` by the consumer alone, and each reads
//! the other's with `Acquire` what was stored with `Release`:
//! - who sees a `tail` sees the slots before it as they were written, for they were
//!   stored before it;
//! - who sees a `head` may write the slots before it again, for they were read before it.
//!
//! The slots themselves are atomics only so that this needs no `unsafe`; ordered by the
//! two positions, `Relaxed` is enough for them. The tallies are read alone, ordered with
//! nothing: `Relaxed` too.

use crate::sync::{Arc, AtomicU64, AtomicUsize, Ordering};

/// What both ends share.
#[derive(Debug)]
struct Shared {
    /// A power of two of them.
    slots: Box<[AtomicU64]>,
    /// How many events were read; written by the consumer.
    head: AtomicUsize,
    /// How many were pushed into slots; written by the producer.
    tail: AtomicUsize,
    /// Events without room, by kind, since the ring was made; written by the producer.
    overflowed: Box<[AtomicU64]>,
}

/// The end where events come in. Pushing takes it exclusively, so no two threads do.
#[derive(Debug)]
pub struct Producer {
    shared: Arc<Shared>,
    tail: usize,
    /// The head as it was last seen: at most as far as it is.
    head: usize,
}

/// The end where events are read, by one thread at a time.
#[derive(Debug)]
pub struct Consumer {
    shared: Arc<Shared>,
    head: usize,
    /// The tallies as they were last told.
    told: Box<[u64]>,
}

/// A ring for `length` events (rounded up to a power of two, at least 1) that are numbers
/// below `kinds` (at least 1).
pub fn ring(length: usize, kinds: usize) -> (Producer, Consumer) {
    let zeros = |count: usize| (0..count).map(|_| AtomicU64::new(0)).collect();
    let kinds = kinds.max(1);
    let shared = Arc::new(Shared {
        slots: zeros(length.max(1).next_power_of_two()),
        head: AtomicUsize::new(0),
        tail: AtomicUsize::new(0),
        overflowed: zeros(kinds),
    });
    let producer = Producer {
        shared: Arc::clone(&shared),
        tail: 0,
        head: 0,
    };
    let consumer = Consumer {
        shared,
        head: 0,
        told: vec![0; kinds].into(),
    };
    (producer, consumer)
}

impl Producer {
    /// Adds an event, or counts it as overflowed when the ring is full. An event that is no
    /// kind of this ring passes as any other, and overflows as the last kind.
    pub fn push(&mut self, event: u64) {
        if !self.has_room() {
            return self.overflow(event);
        }
        let slots = &self.shared.slots;
        slots[self.tail & (slots.len() - 1)].store(event, Ordering::Relaxed);
        self.tail = self.tail.wrapping_add(1);
        self.shared.tail.store(self.tail, Ordering::Release);
    }

    /// Looks for the consumer's progress only when the ring seems full: its head lies in
    /// another core's cache.
    fn has_room(&mut self) -> bool {
        let length = self.shared.slots.len();
        if self.tail.wrapping_sub(self.head) == length {
            self.head = self.shared.head.load(Ordering::Acquire);
        }
        self.tail.wrapping_sub(self.head) < length
    }

    fn overflow(&self, event: u64) {
        let tallies = &self.shared.overflowed;
        let kind = usize::try_from(event).unwrap_or(usize::MAX);
        let tally = &tallies[kind.min(tallies.len() - 1)];
        // Nobody else writes it, so nothing comes between the two.
        let count = tally.load(Ordering::Relaxed);
        tally.store(count.wrapping_add(1), Ordering::Relaxed);
    }
}

impl Consumer {
    /// Tells `each` what was pushed since the last call, as (event, how often): first those
    /// of the ring, one by one in their order, then those that overflowed, by kind. Ends
    /// after one length of the ring, however fast the producer is. The result is how many
    /// of them overflowed.
    pub fn drain(&mut self, each: &mut dyn FnMut(u64, u64)) -> u64 {
        let slots = &self.shared.slots;
        let tail = self.shared.tail.load(Ordering::Acquire);
        while self.head != tail {
            each(
                slots[self.head & (slots.len() - 1)].load(Ordering::Relaxed),
                1,
            );
            self.head = self.head.wrapping_add(1);
        }
        self.shared.head.store(self.head, Ordering::Release);
        self.drain_overflowed(each)
    }

    fn drain_overflowed(&mut self, each: &mut dyn FnMut(u64, u64)) -> u64 {
        let mut sum = 0;
        let tallies = self.shared.overflowed.iter().zip(&mut self.told);
        for (kind, (tally, told)) in (0..).zip(tallies) {
            let count = tally.load(Ordering::Relaxed);
            let new = count.wrapping_sub(*told);
            *told = count;
            if new > 0 {
                each(kind, new);
                sum += new;
            }
        }
        sum
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::ring;

    /// What is drained after `pushed`: the events, and how many of them overflowed.
    fn check(
        length: usize,
        kinds: usize,
        pushed: &[u64],
        expected: &[(u64, u64)],
        overflowed: u64,
    ) {
        let (mut producer, mut consumer) = ring(length, kinds);
        for _ in 0..3 {
            let mut found = Vec::new();
            pushed.iter().for_each(|event| producer.push(*event));
            let sum = consumer.drain(&mut |event, count| found.push((event, count)));
            assert_eq!((&*found, sum), (expected, overflowed), "{pushed:?}");
            assert_eq!(consumer.drain(&mut |_, _| panic!("all was told")), 0);
        }
    }

    #[test]
    fn what_fits_is_told_in_order_and_the_rest_by_kind() {
        check(4, 3, &[], &[], 0);
        check(4, 3, &[2, 0, 2], &[(2, 1), (0, 1), (2, 1)], 0);
        check(2, 3, &[2, 0, 1, 2, 1], &[(2, 1), (0, 1), (1, 2), (2, 1)], 3);
        check(0, 0, &[7, 7, 0], &[(7, 1), (0, 2)], 2);
        check(
            3,
            2,
            &[0, 1, 0, 9, 9],
            &[(0, 1), (1, 1), (0, 1), (9, 1), (1, 1)],
            1,
        );
    }

    #[test]
    fn nothing_is_lost_between_two_threads() {
        const EVENTS: u64 = 100_000;
        let (mut producer, mut consumer) = ring(16, 4);
        let mut sums = [0; 4];
        std::thread::scope(|threads| {
            let pushing = threads.spawn(move || (0..EVENTS).for_each(|n| producer.push(n % 4)));
            while !pushing.is_finished() {
                consumer.drain(&mut |event, count| sums[event as usize] += count);
            }
        });
        consumer.drain(&mut |event, count| sums[event as usize] += count);
        assert_eq!(sums, [EVENTS / 4; 4]);
    }
}

#[cfg(all(test, loom))]
mod model {
    use super::ring;

    /// Every order in which the two may see each other: each event comes once, as itself or
    /// as overflowed, and those of the ring in their order.
    #[test]
    fn each_event_is_told_once() {
        const EVENTS: u64 = 4;
        loom::model(|| {
            let (mut producer, mut consumer) = ring(2, EVENTS as usize + 1);
            let pushing = loom::thread::spawn(move || {
                // 0 is what a slot holds that was never written.
                (1..=EVENTS).for_each(|event| producer.push(event));
            });
            let mut told = Vec::new();
            let mut drain = |told: &mut Vec<u64>| {
                let mut all = Vec::new();
                let overflowed = consumer.drain(&mut |event, count| {
                    assert_eq!(count, 1);
                    all.push(event);
                });
                let in_order = all.len() - overflowed as usize;
                assert!(all[..in_order].is_sorted());
                told.extend(all);
            };
            drain(&mut told);
            drain(&mut told);
            pushing.join().unwrap();
            drain(&mut told);
            told.sort_unstable();
            assert!(told.into_iter().eq(1..=EVENTS));
        });
    }
}
