//! Random series, the same for both: what is pushed to Prometheus and what our evaluator
//! reads from memory.
//!
//! Every sample lies at a time whose last digit is [`ODD`], while queries look at whole
//! hundredths of a second: so none lies on the edge of a range, which Prometheus 2 counts
//! to it and Prometheus 3 does not.
//!
//! Values are multiples of a quarter, so that sums of them are exact in any order.

use base::SeededRandom;
use metrics::chunk::Sample;
use metrics::eval::{EvalError, Labels, STALE, Select, SeriesCursor, TimeRange};
use metrics::promql::LabelMatcher;

/// The last digit of every sample's time.
const ODD: i64 = 7;

/// Samples lie within this long, in milliseconds: Prometheus takes none that is an hour
/// older than the newest.
pub const SPAN: i64 = 50 * 60_000;

/// The earliest first sample, at the end of 2018; the latest is some years on.
const EARLIEST: i64 = 1_546_000_000_000;

/// A counter behind a hole is at least this, far from zero compared with what it grows by:
/// where a range begins in a hole and its counter near zero, Prometheus 2 extrapolates
/// further than Prometheus 3.
const FAR: f64 = 1e6;

/// Bounds of the buckets of histograms, as they are written.
const BOUNDS: [&str; 5] = ["0.1", "0.5", "1", "2.5", "+Inf"];

/// Random series, by the order of their labels.
pub struct Memory {
    /// The whole second at which the first series begin.
    pub start: i64,
    /// Each with its samples by time.
    pub series: Vec<(Labels, Vec<Sample>)>,
}

/// Chosen series, of which one is looked at.
struct Chosen<'a> {
    series: std::vec::IntoIter<&'a (Labels, Vec<Sample>)>,
    current: Option<&'a (Labels, Vec<Sample>)>,
}

/// When a sample is taken.
#[derive(Clone, Copy)]
struct Moment {
    /// In milliseconds.
    time: i64,
    place: Place,
}

/// Where among the others a sample is taken.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Usual,
    /// It is the first, or the one before it is missing.
    AfterHole,
    /// It is the mark that the series has ended, for a while.
    End,
}

/// What a series measures.
#[derive(Clone, Copy)]
enum Kind {
    Counter,
    Gauge,
    /// A gauge that is now and then no number, or infinite.
    Odd,
    State,
}

impl Memory {
    /// Series drawn at random.
    pub fn random(random: &SeededRandom) -> Self {
        let start = EARLIEST + random.below(200_000_000) as i64 * 1000;
        let mut memory = Self {
            start,
            series: Vec::new(),
        };
        memory.fill(random);
        memory.series.sort_by(|one, other| one.0.cmp(&other.0));
        memory
    }

    /// How many samples there are.
    pub fn samples(&self) -> usize {
        self.series.iter().map(|(_, samples)| samples.len()).sum()
    }

    fn fill(&mut self, random: &SeededRandom) {
        for job in ["api", "web"] {
            for instance in ["1", "2", "3"] {
                let place = [("job", job), ("instance", instance)];
                for code in ["200", "404", "500"] {
                    let labels = [("__name__", "requests_total"), ("code", code)];
                    self.draw(random, &place, &labels, Kind::Counter);
                }
                self.draw(random, &place, &[("__name__", "up")], Kind::State);
                self.draw(random, &place, &[("__name__", "queue")], Kind::Gauge);
                self.draw(random, &place, &[("__name__", "odd")], Kind::Odd);
            }
            for room in ["cellar", "attic"] {
                let labels = [("__name__", "temperature"), ("room", room)];
                self.draw(random, &[("job", job)], &labels, Kind::Gauge);
            }
            let version = ["1.0", "1.1"][random.below(2) as usize];
            let labels = [("__name__", "build"), ("version", version)];
            self.draw(random, &[("job", job)], &labels, Kind::State);
            self.histogram(random, &[("job", job)]);
        }
    }

    fn draw(
        &mut self,
        random: &SeededRandom,
        place: &[(&str, &str)],
        labels: &[(&str, &str)],
        kind: Kind,
    ) {
        let mut value = 0.0;
        let samples = moments(random, self.start).into_iter().map(|moment| {
            value = next(random, kind, value, moment);
            let is_end = moment.place == Place::End;
            let value = if is_end { f64::from_bits(STALE) } else { value };
            let time = moment.time;
            Sample { time, value }
        });
        let labels = Labels::new(place.iter().chain(labels).copied());
        self.series.push((labels, samples.collect()));
    }

    /// The buckets, the sum and the count of one histogram, sampled together.
    fn histogram(&mut self, random: &SeededRandom, place: &[(&str, &str)]) {
        let mut counts = [0.0; BOUNDS.len()];
        let mut columns = vec![Vec::new(); BOUNDS.len() + 2];
        for moment in moments(random, self.start) {
            let (time, is_end) = (moment.time, moment.place == Place::End);
            let mut push = |column: usize, value: f64| {
                let value = if is_end { f64::from_bits(STALE) } else { value };
                columns[column].push(Sample { time, value });
            };
            let is_reset = moment.place == Place::Usual && random.below(60) == 0;
            let mut total = 0.0;
            for (column, count) in counts.iter_mut().enumerate() {
                let more = random.below(5) as f64;
                *count = match moment.place {
                    Place::AfterHole if *count < FAR => FAR + more,
                    _ if is_reset => more,
                    _ => *count + more,
                };
                total += *count;
                push(column, total);
            }
            push(BOUNDS.len(), total);
            push(BOUNDS.len() + 1, total * 0.75);
        }
        let bounds = BOUNDS.map(|bound| ("latency_bucket", bound));
        let names = bounds
            .into_iter()
            .chain([("latency_count", ""), ("latency_sum", "")]);
        for ((name, bound), samples) in names.zip(columns) {
            let labels = place.iter().copied();
            let labels = Labels::new(labels.chain([("__name__", name), ("le", bound)]));
            self.series.push((labels, samples));
        }
    }
}

impl Select for Memory {
    fn select<'s>(
        &'s self,
        matchers: &[LabelMatcher],
        _: TimeRange,
    ) -> Result<Box<dyn SeriesCursor + 's>, EvalError> {
        let is_chosen = |labels: &Labels| {
            let mut matchers = matchers.iter();
            matchers.all(|matcher| matcher.matches(labels.get(matcher.name())))
        };
        let series = self.series.iter().filter(|(labels, _)| is_chosen(labels));
        let series = series.collect::<Vec<_>>().into_iter();
        let current = None;
        Ok(Box::new(Chosen { series, current }))
    }
}

impl SeriesCursor for Chosen<'_> {
    fn advance(&mut self) -> Result<bool, EvalError> {
        self.current = self.series.next();
        Ok(self.current.is_some())
    }

    fn labels(&self) -> &Labels {
        &self.current.expect("a series is looked at").0
    }

    fn samples(&mut self) -> Result<&[Sample], EvalError> {
        Ok(&self.current.expect("a series is looked at").1)
    }
}

/// Moments at some distance from each other, with holes.
fn moments(random: &SeededRandom, start: i64) -> Vec<Moment> {
    let distance = [10_000, 15_000, 30_000][random.below(3) as usize];
    let mut moments = Vec::new();
    let mut due = start + random.below(60) as i64 * 1000;
    let mut place = Place::AfterHole;
    while due < start + SPAN {
        let time = due + random.below(40) as i64 * 10 + ODD;
        let hole = match random.below(100) {
            0..=3 => 1,
            4 => 5 + random.below(60) as i64,
            _ => 0,
        };
        if hole > 1 && random.below(2) == 0 {
            place = Place::End;
        }
        moments.push(Moment { time, place });
        place = if hole > 0 {
            Place::AfterHole
        } else {
            Place::Usual
        };
        due += distance * (1 + hole);
    }
    moments
}

fn next(random: &SeededRandom, kind: Kind, last: f64, moment: Moment) -> f64 {
    let step = random.below(80) as f64 / 4.0;
    match kind {
        // Far from each other too, so that few are equal.
        Kind::Counter if moment.place == Place::AfterHole && last < FAR => {
            FAR + random.below(1 << 20) as f64 / 4.0
        }
        Kind::Counter if moment.place == Place::Usual && random.below(40) == 0 => step,
        Kind::Counter => last + step,
        Kind::Gauge if random.below(4) == 0 => last,
        Kind::Gauge => step - 10.0,
        Kind::State => random.below(2) as f64,
        Kind::Odd => match random.below(30) {
            0 => f64::NAN,
            1 => f64::INFINITY,
            2 => f64::NEG_INFINITY,
            _ => step - 10.0,
        },
    }
}
