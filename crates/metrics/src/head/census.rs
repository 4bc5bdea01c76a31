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
    clients: HashMap<Client, u64>,
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

    /// Counts another series, if there may be one.
    pub(super) fn add(&mut self, client: Client) -> Result<(), SeriesRefusal> {
        let SeriesLimits {
            total,
            client: most,
        } = self.limits;
        if self.total >= total {
            return Err(SeriesRefusal::Total { limit: total });
        }
        let has = self.clients.get(&client).copied().unwrap_or(0);
        if has >= most {
            return Err(SeriesRefusal::Client { limit: most });
        }
        self.add_anyway(client);
        Ok(())
    }

    /// Counts another series that was taken before, whatever the limits say now.
    pub(super) fn add_anyway(&mut self, client: Client) {
        self.total += 1;
        *self.clients.entry(client).or_default() += 1;
    }

    /// A series has gone.
    pub(super) fn remove(&mut self, client: Client) {
        self.total -= 1;
        if let Some(count) = self.clients.get_mut(&client) {
            *count -= 1;
            if *count == 0 {
                self.clients.remove(&client);
            }
        }
    }

    pub(super) fn set_limits(&mut self, limits: SeriesLimits) {
        self.limits = limits;
    }

    pub(super) const fn total(&self) -> u64 {
        self.total
    }

    #[cfg(test)]
    fn clients(&self) -> usize {
        self.clients.len()
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
        let steps = [Ok(()), Ok(()), Ok(()), full(3)];
        assert_eq!(steps.map(|_| census.add(one)), steps);
        let steps = [Ok(()), Ok(()), Err(SeriesRefusal::Total { limit: 5 })];
        assert_eq!(steps.map(|_| census.add(other)), steps);
        census.remove(one);
        assert_eq!(census.add(one), Ok(()));
        (0..3).for_each(|_| census.remove(one));
        (0..2).for_each(|_| census.remove(other));
        assert_eq!((census.total(), census.clients()), (0, 0));
    }
}
