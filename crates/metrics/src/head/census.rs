//! How many series there are, and whose they are: a bound for each client and one for all,
//! lest one client's mistake (an id in a label) take everyone's memory.

use super::id::Client;
use crate::ingest::SeriesRefusal;
use std::collections::HashMap;

/// How many series there may be at once in the head. Those that got no sample for a while
/// leave it, and are found in parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeriesLimits {
    /// Of all clients: some 2 GiB of memory at 1 KiB each, unless set otherwise.
    pub total: u64,
    /// Of one client.
    pub client: u64,
}

/// Series by client.
#[derive(Debug, Default)]
pub(super) struct Census {
    limits: SeriesLimits,
    total: u64,
    /// How many each client has, by the client's number.
    counts: Vec<(Client, u64)>,
    numbers: HashMap<Client, u32>,
    /// Numbers of no client.
    free: Vec<u32>,
}

impl Default for SeriesLimits {
    fn default() -> Self {
        Self {
            total: 2_000_000,
            client: 1_000_000,
        }
    }
}

impl Census {
    pub(super) fn new(limits: SeriesLimits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// Counts another series, if there may be one; gives the client's number.
    pub(super) fn add(&mut self, client: Client) -> Result<u32, SeriesRefusal> {
        let SeriesLimits {
            total,
            client: most,
        } = self.limits;
        if self.total >= total {
            return Err(SeriesRefusal::Total { limit: total });
        }
        let number = self.numbers.get(&client);
        let has = number.map_or(0, |number| self.counts[*number as usize].1);
        if has >= most {
            return Err(SeriesRefusal::Client { limit: most });
        }
        Ok(self.add_anyway(client))
    }

    /// Counts another series that was taken before, whatever the limits say now.
    pub(super) fn add_anyway(&mut self, client: Client) -> u32 {
        self.total += 1;
        let Self {
            counts,
            numbers,
            free,
            ..
        } = self;
        let number = *numbers.entry(client).or_insert_with(|| match free.pop() {
            Some(number) => {
                counts[number as usize] = (client, 0);
                number
            }
            None => {
                counts.push((client, 0));
                counts.len() as u32 - 1
            }
        });
        counts[number as usize].1 += 1;
        number
    }

    /// A series of the client with this number has gone.
    pub(super) fn remove(&mut self, number: u32) {
        self.total -= 1;
        let (client, count) = &mut self.counts[number as usize];
        *count -= 1;
        if *count == 0 {
            self.numbers.remove(client);
            self.free.push(number);
        }
    }

    pub(super) fn set_limits(&mut self, limits: SeriesLimits) {
        self.limits = limits;
    }

    pub(super) const fn total(&self) -> u64 {
        self.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_client_and_all_have_a_bound() {
        let mut census = Census::new(SeriesLimits {
            total: 5,
            client: 3,
        });
        let (one, other) = (Client(1), Client(2));
        let full = |limit| Err(SeriesRefusal::Client { limit });
        let steps = [Ok(0), Ok(0), Ok(0), full(3)];
        assert_eq!(steps.map(|_| census.add(one)), steps);
        let steps = [Ok(1), Ok(1), Err(SeriesRefusal::Total { limit: 5 })];
        assert_eq!(steps.map(|_| census.add(other)), steps);
        census.remove(0);
        assert_eq!(census.add(one), Ok(0));
        (0..3).for_each(|_| census.remove(0));
        (0..2).for_each(|_| census.remove(1));
        assert_eq!((census.total(), census.numbers.len()), (0, 0));
        // The number of a client that has none is another's.
        assert_eq!(census.add(Client(3)), Ok(1));
    }
}
