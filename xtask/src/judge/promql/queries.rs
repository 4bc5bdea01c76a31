//! Random queries that mean something: typed, over the names and labels of `series`.
//!
//! What Prometheus 2 answers in another way than Prometheus 3, and what Prometheus leaves
//! open, is not asked; comments beside the choices say what and why. The words that the
//! choices are among lie in `vocabulary`.

use base::SeededRandom;

use super::series::SPAN;
use super::vocabulary::{
    AGGREGATIONS, ARITHMETIC, COMPARISONS, COUNTERS, DATES, EXACT, GAUGES, GROUPINGS, MATCHINGS,
    NUMBERS, OF_COUNTER, OF_VECTOR, OTHERS, OVER_TIME, RANGES, SETS, STEPS, SUBQUERY_RANGES,
    UNLIKE,
};

/// Draws queries.
pub struct Queries<'a> {
    /// Where the choices come from.
    pub random: &'a SeededRandom,
    /// When the samples begin, in milliseconds.
    pub start: i64,
}

/// A query and when it looks.
#[derive(Debug, Clone)]
pub struct Query {
    /// The query.
    pub text: String,
    /// Whether the order of its answer means something.
    pub is_ordered: bool,
    /// When it is asked, in milliseconds.
    pub times: Times,
}

/// When a query is asked, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub enum Times {
    /// At one time.
    Instant(i64),
    /// From a time to a time, each a step after the one before it.
    Range {
        /// The first.
        start: i64,
        /// The last is at most this.
        end: i64,
        /// From one to the next.
        step: i64,
    },
}

/// Levels of a query at most.
const DEPTH: u32 = 4;

impl Queries<'_> {
    /// A query at random times.
    pub fn query(&self) -> Query {
        let is_range = self.one_in(2);
        let (mut text, mut is_ordered) = (self.vector(DEPTH), false);
        match self.below(20) {
            0 => text = self.scalar(DEPTH),
            1 if !is_range => text = self.whole_range(),
            2 if !is_range => {
                let name = self.choose(&["sort", "sort_desc"]);
                // The sum of nothing else than values that differ has one order.
                text = format!("{name}(sum by (job, instance, code, room, le) ({text}))");
                is_ordered = true;
            }
            3 if !is_range => text = "\"a text\"".to_owned(),
            _ => {}
        }
        let times = if is_range {
            self.range_times()
        } else {
            Times::Instant(self.time())
        };
        Query {
            text,
            is_ordered,
            times,
        }
    }

    fn vector(&self, depth: u32) -> String {
        if depth == 0 {
            return self.selector();
        }
        let inner = || self.vector(depth - 1);
        match self.below(26) {
            0..=2 => self.selector(),
            24 | 25 => self.rate(depth - 1),
            3..=7 => format!("{}({})", self.choose(OVER_TIME), self.range(depth - 1)),
            8..=10 => self.aggregation(depth - 1),
            11 => format!("{}({})", self.choose(OF_VECTOR), inner()),
            12..=15 => self.binary(depth - 1),
            16 => format!("vector({})", self.scalar(depth - 1)),
            17 => self.histogram_quantile(depth - 1),
            18 => self.relabeled(depth - 1),
            19 => self.clamped(depth - 1),
            20 => {
                // What `@` fixes, Prometheus 2 moves where another argument moves.
                let range = self.range_with(depth - 1, self.offset());
                let quantile = self.scalar(depth - 1);
                format!("quantile_over_time({quantile}, {range})")
            }
            21 => self.trend(),
            22 => match self.below(4) {
                0 => "vector(pi())".to_owned(),
                1 => format!("{}()", self.choose(DATES)),
                // What `@` fixes, Prometheus 2 does not know the time of.
                2 => format!("timestamp({}{})", self.series(), self.offset()),
                _ => format!("{}(timestamp({}))", self.choose(DATES), self.series()),
            },
            23 => format!("{}({})", self.choose(EXACT), self.range(0)),
            _ => format!("({})", inner()),
        }
    }

    /// Prometheus 2 finds none where a value is infinite.
    fn trend(&self) -> String {
        let among = [COUNTERS, GAUGES][self.below(2) as usize];
        let series = self.choose(among);
        let range = match self.one_in(3) {
            true => self.subquery(series),
            false => format!("{series}[{}]{}", self.choose(RANGES), self.offset()),
        };
        match self.one_in(3) {
            true => format!("deriv({range})"),
            false => format!(
                "predict_linear({range}, {})",
                self.choose(&["60", "-30", "3600"])
            ),
        }
    }

    fn scalar(&self, depth: u32) -> String {
        match self.below(if depth == 0 { 3 } else { 6 }) {
            0 | 1 => self.choose(NUMBERS).to_owned(),
            2 => "time()".to_owned(),
            3 => format!("scalar({})", self.vector(depth - 1)),
            4 => {
                let operator = self.choose(ARITHMETIC);
                let (left, right) = (self.scalar(depth - 1), self.scalar(depth - 1));
                format!("({left} {operator} {right})")
            }
            _ => {
                let operator = self.choose(COMPARISONS);
                let (left, right) = (self.scalar(depth - 1), self.scalar(depth - 1));
                format!("({left} {operator} bool {right})")
            }
        }
    }

    /// A range vector.
    fn range(&self, depth: u32) -> String {
        self.range_with(depth, &self.modifiers())
    }

    fn range_with(&self, depth: u32, modifiers: &str) -> String {
        if depth == 0 || !self.one_in(4) {
            return format!("{}[{}]{modifiers}", self.series(), self.choose(RANGES));
        }
        self.subquery(&self.vector(depth - 1))
    }

    fn subquery(&self, inner: &str) -> String {
        let (range, step) = (self.choose(SUBQUERY_RANGES), self.choose(STEPS));
        // Not to later: where its first evaluation is that of the query, Prometheus, 3 too,
        // takes its offset twice from selectors with `@`.
        let offset = self.choose(&["", "", " offset 1m", " offset 7m"]);
        format!("({inner})[{range}:{step}]{offset}")
    }

    /// A range vector that is the whole query. Nothing in it is the same at each step: of
    /// that Prometheus, 3 too, gives a value even if its time is after the end.
    fn whole_range(&self) -> String {
        match self.one_in(2) {
            true => self.range(0),
            false => self.subquery(&format!("delta({}[1m])", self.choose(GAUGES))),
        }
    }

    /// Of counters alone: near zero, Prometheus 2 extrapolates further.
    fn rate(&self, depth: u32) -> String {
        let name = self.choose(OF_COUNTER);
        match depth > 0 && self.one_in(8) {
            true => format!("{name}({})", self.subquery(&self.vector(depth - 1))),
            false => {
                let (series, range) = (self.choose(COUNTERS), self.choose(RANGES));
                format!("{name}({series}[{range}]{})", self.modifiers())
            }
        }
    }

    fn series(&self) -> &'static str {
        let among = [COUNTERS, GAUGES, OTHERS][self.below(3) as usize];
        self.choose(among)
    }

    fn selector(&self) -> String {
        format!("{}{}", self.series(), self.modifiers())
    }

    fn modifiers(&self) -> String {
        let at = match self.below(16) {
            0 => format!(" @ {}", self.time() / 1000),
            1 => " @ start()".to_owned(),
            2 => " @ end()".to_owned(),
            _ => String::new(),
        };
        format!("{at}{}", self.offset())
    }

    fn offset(&self) -> &'static str {
        self.choose(&[
            "",
            "",
            "",
            "",
            "",
            " offset 1m",
            " offset 7m",
            " offset -90s",
        ])
    }

    fn aggregation(&self, depth: u32) -> String {
        let grouping = self.choose(GROUPINGS);
        match self.below(12) {
            // Of equal values Prometheus chooses any.
            0 => {
                let name = self.choose(&["topk", "bottomk"]);
                let (count, series) = (self.choose(&["1", "2", "5"]), self.choose(UNLIKE));
                format!("{name} {grouping} ({count}, {series}{})", self.modifiers())
            }
            1 => {
                let inner = self.vector(depth);
                let quantile = self.scalar(depth);
                // Prometheus, 3 too, aggregates what `@` fixes once, though this may move,
                // and moves what `@` fixes in this.
                let quantile = match inner.contains('@') || quantile.contains('@') {
                    true => self.choose(NUMBERS).to_owned(),
                    false => quantile,
                };
                format!("quantile {grouping} ({quantile}, {inner})")
            }
            // The texts of what is not exact differ in their last digit.
            2 => format!("count_values {grouping} (\"value\", {})", self.selector()),
            // In Prometheus 2 that of infinities is 0 if there is but one.
            3 => {
                let (name, series) = (self.choose(&["stddev", "stdvar"]), self.choose(GAUGES));
                format!("{name} {grouping} ({series}{})", self.modifiers())
            }
            _ => format!(
                "{} {grouping} ({})",
                self.choose(AGGREGATIONS),
                self.vector(depth)
            ),
        }
    }

    fn binary(&self, depth: u32) -> String {
        let vector = || self.vector(depth);
        let (matching, groups) = MATCHINGS[self.below(MATCHINGS.len() as u64) as usize];
        let group = self.choose(groups);
        let bool = self.choose(&["", "bool"]);
        match self.below(11) {
            0 | 1 => format!(
                "({} {} {})",
                vector(),
                self.choose(ARITHMETIC),
                self.scalar(depth)
            ),
            2 => format!(
                "({} {} {})",
                self.scalar(depth),
                self.choose(ARITHMETIC),
                vector()
            ),
            3 => format!(
                "({} {} {bool} {})",
                vector(),
                self.choose(COMPARISONS),
                self.scalar(depth)
            ),
            4 => format!(
                "({} {} {bool} {})",
                self.scalar(depth),
                self.choose(COMPARISONS),
                vector()
            ),
            5 => format!(
                "({} {} {matching} {})",
                vector(),
                self.choose(SETS),
                vector()
            ),
            6 => format!(
                "(abs({}) atan2 {matching} {group} abs({}))",
                vector(),
                vector()
            ),
            7 => {
                let operator = self.choose(COMPARISONS);
                format!(
                    "({} {operator} {bool} {matching} {group} {})",
                    vector(),
                    vector()
                )
            }
            _ => {
                let operator = self.choose(ARITHMETIC);
                format!("({} {operator} {matching} {group} {})", vector(), vector())
            }
        }
    }

    fn histogram_quantile(&self, depth: u32) -> String {
        let quantile = self.choose(&["0.5", "0.9", "0", "1", "0.99", "-1", "2", "NaN"]);
        let buckets = match self.below(4) {
            0 => "latency_bucket".to_owned(),
            1 => "rate(latency_bucket[5m])".to_owned(),
            2 => "sum by (le) (increase(latency_bucket[2m]))".to_owned(),
            _ => self.vector(depth),
        };
        format!("histogram_quantile({quantile}, {buckets})")
    }

    fn relabeled(&self, depth: u32) -> String {
        let inner = self.vector(depth);
        match self.below(3) {
            0 => format!("label_join({inner}, \"joined\", \"-\", \"job\", \"instance\")"),
            1 => format!("label_replace({inner}, \"job\", \"$1-x\", \"job\", \"(.).*\")"),
            _ => format!("label_replace({inner}, \"code\", \"\", \"code\", \"2.*|\")"),
        }
    }

    fn clamped(&self, depth: u32) -> String {
        let (inner, one) = (self.vector(depth), self.scalar(depth));
        match self.below(4) {
            0 => format!("clamp_min({inner}, {one})"),
            1 => format!("clamp_max({inner}, {one})"),
            2 => format!("round({inner}, {})", self.choose(&["1", "0.25", "5", "0"])),
            _ => format!("clamp({inner}, {one}, {})", self.scalar(depth)),
        }
    }

    fn range_times(&self) -> Times {
        let step = [1_000, 15_000, 37_000, 60_000, 300_000][self.below(5) as usize];
        let start = self.time();
        let end = start + step * self.below(20) as i64;
        Times::Range { start, end, step }
    }

    /// A whole second at which there may be samples, or just beside those.
    fn time(&self) -> i64 {
        let around = (SPAN / 1000) as u64 + 1200;
        self.start + (self.below(around) as i64 - 600) * 1000
    }

    fn choose(&self, among: &[&'static str]) -> &'static str {
        among[self.below(among.len() as u64) as usize]
    }

    fn one_in(&self, bound: u64) -> bool {
        self.below(bound) == 0
    }

    fn below(&self, bound: u64) -> u64 {
        self.random.below(bound)
    }
}
