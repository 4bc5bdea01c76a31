//! What the log was told of series in this generation: known to the writing thread alone.

use crate::head::{SHARDS, SeriesId};
use crate::ingest::Kind;

/// Rows that are held together. A vector of all of them would leave those behind from which
/// it grew, for a million series more than the rows themselves.
const PAGE: usize = 512;

/// By shard and slot.
#[derive(Debug)]
pub(super) struct Told {
    /// Of each shard the pages up to the last that was needed.
    shards: Vec<Vec<Page>>,
    /// Rows of other rounds say nothing.
    round: u32,
}

type Page = Box<[Row; PAGE]>;

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
        let pages = &mut self.shards[id.shard()];
        let (page, place) = place_of(id);
        if page >= pages.len() {
            pages.resize_with(page + 1, || Box::new([Row::default(); PAGE]));
        }
        let row = &mut pages[page][place];
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
        let (page, place) = place_of(id);
        if let Some(rows) = self.shards[id.shard()].get_mut(page) {
            rows[place] = Row::default();
        }
    }

    /// Forgets everything: a generation begins, or it is not known what the log has.
    pub(super) fn forget_all(&mut self) {
        self.round = self.round.wrapping_add(1).max(1);
    }
}

const fn place_of(id: SeriesId) -> (usize, usize) {
    let slot = id.slot() as usize;
    (slot / PAGE, slot % PAGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_told_once_in_a_round() {
        let mut told = Told::default();
        let id = SeriesId::new(3, 1070);
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
