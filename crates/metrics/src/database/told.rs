//! What the log was told of series in this generation: known to the writing thread alone.

use crate::head::{SHARDS, SeriesId};
use crate::ingest::Kind;

/// By shard and slot.
#[derive(Debug)]
pub(super) struct Told {
    shards: Vec<Vec<Row>>,
    /// Rows of other rounds say nothing.
    round: u32,
}

#[derive(Debug, Clone, Copy, Default)]
struct Row {
    /// In which the series' labels were told.
    round: u32,
    /// What was told of its metric last.
    kind: Option<Kind>,
}

/// What the log is still to be told before a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct News {
    /// The labels of its series.
    pub(super) labels: bool,
    /// The kind of its metric.
    pub(super) kind: Option<Kind>,
}

impl Default for Told {
    fn default() -> Self {
        Self {
            shards: vec![Vec::new(); SHARDS],
            round: 1,
        }
    }
}

impl Told {
    /// What is news; afterwards it is none.
    pub(super) fn tell(&mut self, id: SeriesId, kind: Option<Kind>) -> News {
        let rows = &mut self.shards[id.shard()];
        let slot = id.slot() as usize;
        if slot >= rows.len() {
            // Doubling would leave half of it empty, for a million series.
            rows.reserve_exact(slot + 1 - rows.len() + rows.len() / 8);
            rows.resize(slot + 1, Row::default());
        }
        let row = &mut rows[slot];
        let labels = row.round != self.round;
        let other_kind = kind.filter(|_| labels || row.kind != kind);
        row.round = self.round;
        row.kind = kind.or(row.kind);
        News {
            labels,
            kind: other_kind,
        }
    }

    /// Forgets what was told of a series: its number is free for another.
    pub(super) fn forget(&mut self, id: SeriesId) {
        if let Some(row) = self.shards[id.shard()].get_mut(id.slot() as usize) {
            *row = Row::default();
        }
    }

    /// Forgets everything: a generation begins, or it is not known what the log has.
    pub(super) fn forget_all(&mut self) {
        self.round = self.round.wrapping_add(1).max(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_told_once_in_a_round() {
        let mut told = Told::default();
        let id = SeriesId::new(3, 70);
        let (gauge, counter) = (Some(Kind::Gauge), Some(Kind::Counter));
        let check = |told: &mut Told, given, labels, kind| {
            assert_eq!(told.tell(id, given), News { labels, kind });
        };
        check(&mut told, None, true, None);
        check(&mut told, gauge, false, gauge);
        check(&mut told, gauge, false, None);
        check(&mut told, None, false, None);
        check(&mut told, counter, false, counter);
        told.forget_all();
        check(&mut told, counter, true, counter);
        told.forget(id);
        check(&mut told, None, true, None);
    }
}
