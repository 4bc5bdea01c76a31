//! Healthy clients that ask on time, and slow ones between them, all moved by one
//! thread that never sleeps.
//!
//! A request's time counts from the moment for which it was scheduled, not from when it
//! could be sent: a server that stalls is charged with all that it kept from being
//! asked. The thread has the core of the load to itself, and at no moment two things to
//! do, so that what is measured is the server and not who ran when.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use super::accounting;
use super::client::Client;
use super::crowd::Crowd;
use super::servers::Running;
use crate::bench::latency::percentile;

/// Healthy clients, which take turns.
pub const CLIENTS: usize = 16;

/// Between two requests of them: far from what a server can do, so that nobody waits
/// for anything but the slow ones.
pub const INTERVAL: Duration = Duration::from_micros(500);

/// The first slow client moves so long after the first request. The time between two of
/// them is a multiple of twice this, and so is that between requests: never both at once.
const AFTER: Duration = Duration::from_micros(50);

/// Each slow client has one turn in this time.
const SLOW: Duration = Duration::from_secs(1);

/// What is not answered so long after the last request never is.
const LIMIT: Duration = Duration::from_secs(10);

/// What healthy clients have seen.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    pub p50: Duration,
    pub p99: Duration,
    /// How late the thread itself was for 1 % of the requests at least: no figure of
    /// the server, but of who else ran on its core.
    pub late: Duration,
    /// CPU of the server, as a part of a core.
    pub cpu: f64,
}

/// The healthy clients of a server.
pub struct Healthy {
    address: String,
    clients: Vec<(Client, VecDeque<Duration>)>,
}

/// Who is to do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// The next healthy one asks.
    Ask(usize),
    /// A slow one moves.
    Step(usize),
}

/// When who is to do something, since a start.
struct Schedule {
    /// When the next request is, and how many there were.
    ask: (Duration, usize),
    /// The same for steps of slow clients.
    step: (Duration, usize),
    /// Slow clients, and the time between two steps of theirs.
    slow: Option<(usize, Duration)>,
}

impl Healthy {
    /// Connects all of them; each has been answered once.
    ///
    /// # Errors
    /// When the server refuses one.
    pub fn connect(running: &Running) -> anyhow::Result<Self> {
        let address = running.address().to_owned();
        let come = || {
            let mut client = Client::connect(&address)?;
            client.ask()?;
            let response = client.receive()?;
            ensure!(response.status == 200, "it answered {}", response.status);
            client.never_wait()?;
            Ok((client, VecDeque::new()))
        };
        let clients: anyhow::Result<_> = (0..CLIENTS).map(|_| come()).collect();
        Ok(Self {
            clients: clients.context("a healthy client was refused")?,
            address,
        })
    }

    /// Asks on time for so long, while the slow ones, if any, move between.
    ///
    /// # Errors
    /// When a request fails or is not answered.
    pub fn ask(
        &mut self,
        running: &Running,
        mut crowd: Option<&mut Crowd>,
        time: Duration,
    ) -> anyhow::Result<Seen> {
        let mut schedule = Schedule::of(crowd.as_ref().map_or(0, |crowd| crowd.len()));
        let before = accounting::tree_cpu(running.pid())?;
        let (mut times, mut late) = (Vec::new(), Vec::new());
        let begun = Instant::now();
        let mut next = schedule.next();
        while next.0 < time || self.is_waiting() {
            let now = begun.elapsed();
            ensure!(
                now < time + LIMIT,
                "a healthy client was not answered in {LIMIT:?}"
            );
            if next.0 <= now && next.0 < time {
                match (next.1, &mut crowd) {
                    (Turn::Ask(place), _) => {
                        late.push(now - next.0);
                        self.ask_at(place, next.0)?;
                    }
                    (Turn::Step(place), Some(crowd)) => crowd.step(place),
                    (Turn::Step(_), None) => {}
                }
                next = schedule.next();
            }
            self.receive(begun, &mut times)
                .context("a healthy client was not served")?;
        }
        let took = begun.elapsed();
        let used = accounting::tree_cpu(running.pid())? - before;
        times.sort();
        late.sort();
        Ok(Seen {
            p50: percentile(&times, 50),
            p99: percentile(&times, 99),
            late: percentile(&late, 99),
            cpu: used.as_secs_f64() / took.as_secs_f64(),
        })
    }

    /// One that still waits for its last answer asks when that has come.
    fn ask_at(&mut self, place: usize, scheduled: Duration) -> anyhow::Result<()> {
        let (client, waiting) = &mut self.clients[place];
        if waiting.is_empty() {
            client.ask()?;
        }
        waiting.push_back(scheduled);
        Ok(())
    }

    /// Takes the answers that have come.
    fn receive(&mut self, begun: Instant, times: &mut Vec<Duration>) -> anyhow::Result<()> {
        for (client, waiting) in &mut self.clients {
            let Some(&scheduled) = waiting.front() else {
                continue;
            };
            let response = match client.receive() {
                Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                response => response?,
            };
            ensure!(
                response.status == 200,
                "it was answered {}",
                response.status
            );
            times.push(begun.elapsed().saturating_sub(scheduled));
            waiting.pop_front();
            if response.closes {
                *client = Client::connect(&self.address)?;
                client.never_wait()?;
            }
            if !waiting.is_empty() {
                client.ask()?;
            }
        }
        Ok(())
    }

    fn is_waiting(&self) -> bool {
        self.clients.iter().any(|(_, waiting)| !waiting.is_empty())
    }
}

impl Schedule {
    /// For so many slow clients.
    fn of(slow: usize) -> Self {
        Self {
            ask: (Duration::ZERO, 0),
            step: (AFTER, 0),
            slow: (slow > 0).then(|| (slow, SLOW.div_f64(slow as f64))),
        }
    }

    /// The next turn, and when it is.
    fn next(&mut self) -> (Duration, Turn) {
        match self.slow {
            Some((slow, between)) if self.step.0 < self.ask.0 => {
                let (time, number) = self.step;
                self.step = (time + between, number + 1);
                (time, Turn::Step(number % slow))
            }
            _ => {
                let (time, number) = self.ask;
                self.ask = (time + INTERVAL, number + 1);
                (time, Turn::Ask(number % CLIENTS))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::http::{FULL, QUICK};

    /// All turns of a second.
    fn second(slow: usize) -> Vec<(Duration, Turn)> {
        let mut schedule = Schedule::of(slow);
        let turns = std::iter::repeat_with(|| schedule.next());
        turns.take_while(|turn| turn.0 < SLOW).collect()
    }

    #[track_caller]
    fn check(slow: usize) {
        let turns = second(slow);
        let places = |step: bool| {
            let found = turns.iter().filter_map(move |(_, turn)| match *turn {
                Turn::Step(place) if step => Some(place),
                Turn::Ask(place) if !step => Some(place),
                _ => None,
            });
            found.collect::<Vec<_>>()
        };
        assert_eq!(places(true), (0..slow).collect::<Vec<_>>());
        let asked: Vec<_> = (0..CLIENTS).cycle().take(2000).collect();
        assert_eq!(places(false), asked, "{slow}");
        let never_at_once = |pair: &[(Duration, Turn)]| pair[1].0 - pair[0].0 >= AFTER;
        assert!(turns.windows(2).all(never_at_once), "{slow}");
    }

    #[test]
    fn all_take_turns_and_never_two_at_once() {
        for scale in [&FULL, &QUICK] {
            check(scale.slow_connections);
        }
        check(0);
    }
}
