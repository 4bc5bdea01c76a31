//! Reads series: the last value of each at each step, or its values over a range of
//! time before each step, which `windows` finds among them.
//!
//! Ranges are open to the left: what lies just as far back as a range or the lookback is
//! long is not in it. See
//! <https://prometheus.io/docs/prometheus/latest/querying/basics/#time-series-selectors>.

use super::engine::ValueSeries;
use super::error::EvalError;
use super::evaluator::{Evaluator, misplaced};
use super::labels::Labels;
use super::select::TimeRange;
use super::steps::Steps;
use super::vector::{ABSENT, Column, is_present};
use super::windows::{Window, Windows};
use crate::chunk::Sample;
use crate::promql::{At, Expr, ExprKind, MatrixSelector, Subquery, TimeModifiers, VectorSelector};

/// Takes the samples of a series that lie in any range, none of them stale.
type VisitSamples<'v> = dyn FnMut(Labels, &[Sample]) -> Result<(), EvalError> + 'v;

/// When something looks.
#[derive(Debug, Clone, Copy)]
struct Looks {
    /// Always at this time, if there is one, else at that of the step.
    fixed: Option<i64>,
    /// So long before that.
    offset: i64,
}

/// The ranges of time before each step.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ranges<'s> {
    looks: Looks,
    length: i64,
    pub(super) steps: &'s Steps,
}

impl Evaluator<'_> {
    /// For each series, at each step, what its last sample tells.
    pub(super) fn instant_vector(
        &mut self,
        selector: &VectorSelector,
        steps: &Steps,
        told: fn(&Sample) -> f64,
    ) -> Result<Vec<Column>, EvalError> {
        let ranges = Ranges {
            looks: self.looks(&selector.time)?,
            length: self.settings.lookback,
            steps,
        };
        refuse_boundary(selector)?;
        let mut columns = Vec::new();
        let mut series = self.source.select(selector.matchers(), ranges.all())?;
        while series.advance()? {
            let samples = series.samples()?;
            self.budget.read(samples.len())?;
            self.budget.hold(steps.count())?;
            let values = last_values(ranges.cut(samples), &ranges, told);
            let labels = series.labels().clone();
            columns.push(Column { labels, values });
        }
        Ok(columns)
    }

    /// For each series of a range vector, at each step whose range has samples, what is
    /// computed from them, if anything.
    pub(super) fn over_windows(
        &mut self,
        expr: &Expr,
        steps: &Steps,
        mut compute: impl FnMut(&Window<'_>) -> Result<Option<f64>, EvalError>,
    ) -> Result<Vec<Column>, EvalError> {
        let mut columns = Vec::new();
        let ranges = self.ranges(expr, steps)?;
        let mut windows = Windows::default();
        let mut watch = self.budget.watch();
        let mut watched = |window: &Window<'_>| {
            watch.work(window.samples.len())?;
            compute(window)
        };
        self.range_samples(expr, &ranges, &mut |labels, samples| {
            let values = windows.values(samples, &ranges, &mut watched)?;
            columns.push(Column { labels, values });
            Ok(())
        })?;
        Ok(columns)
    }

    /// The samples of a range vector before the one step that there is.
    pub(super) fn range_vector(
        &mut self,
        expr: &Expr,
        steps: &Steps,
    ) -> Result<Vec<ValueSeries>, EvalError> {
        let mut series = Vec::new();
        let ranges = self.ranges(expr, steps)?;
        let most = self.budget.limits().points;
        let mut held = 0;
        self.range_samples(expr, &ranges, &mut |labels, samples| {
            // A sample takes the place of two points.
            held += 2 * samples.len();
            if held > most {
                return Err(EvalError::TooManyPoints(most));
            }
            if !samples.is_empty() {
                let samples = samples.to_vec();
                series.push(ValueSeries { labels, samples });
            }
            Ok(())
        })?;
        Ok(series)
    }

    fn ranges<'s>(&self, expr: &Expr, steps: &'s Steps) -> Result<Ranges<'s>, EvalError> {
        let (time, length) = match expr.without_parentheses().kind() {
            ExprKind::Matrix(MatrixSelector { vector, range }) => (&vector.time, range),
            ExprKind::Subquery(Subquery { time, range, .. }) => (time, range),
            _ => return Err(misplaced(expr)),
        };
        let length = length.positive_milliseconds(self.moments.durations())?;
        Ok(Ranges {
            looks: self.looks(time)?,
            length: length.cast_signed(),
            steps,
        })
    }

    fn range_samples(
        &mut self,
        expr: &Expr,
        ranges: &Ranges<'_>,
        each: &mut VisitSamples<'_>,
    ) -> Result<(), EvalError> {
        match expr.without_parentheses().kind() {
            ExprKind::Matrix(matrix) => self.selected_samples(&matrix.vector, ranges, each),
            ExprKind::Subquery(subquery) => self.subquery_samples(subquery, ranges, each),
            _ => Err(misplaced(expr)),
        }
    }

    fn selected_samples(
        &mut self,
        selector: &VectorSelector,
        ranges: &Ranges<'_>,
        each: &mut VisitSamples<'_>,
    ) -> Result<(), EvalError> {
        refuse_boundary(selector)?;
        let mut fresh = Vec::new();
        let mut series = self.source.select(selector.matchers(), ranges.all())?;
        while series.advance()? {
            // They share their memory, so that the samples can be looked at beside them.
            let labels = series.labels().clone();
            let samples = series.samples()?;
            self.budget.read(samples.len())?;
            self.budget.hold(ranges.steps.count())?;
            each(labels, without_stale(ranges.cut(samples), &mut fresh))?;
        }
        Ok(())
    }

    fn subquery_samples(
        &mut self,
        subquery: &Subquery,
        ranges: &Ranges<'_>,
        each: &mut VisitSamples<'_>,
    ) -> Result<(), EvalError> {
        let steps = self.subquery_steps(subquery, ranges)?;
        let mut samples = Vec::new();
        for column in self.vector(&subquery.expr, &steps)? {
            self.budget.go_on()?;
            self.budget.hold(ranges.steps.count())?;
            samples.clear();
            let values = steps.times().zip(&column.values);
            let values = values.filter(|(_, value)| is_present(**value));
            samples.extend(values.map(|(time, value)| Sample {
                time,
                value: *value,
            }));
            each(column.labels, &samples)?;
        }
        Ok(())
    }

    /// All multiples of the subquery's step that lie in any of the ranges.
    fn subquery_steps(&self, subquery: &Subquery, ranges: &Ranges<'_>) -> Result<Steps, EvalError> {
        let step = match &subquery.step {
            Some(step) => step.positive_milliseconds(self.moments.durations())?,
            None => self.settings.subquery_step.unsigned_abs(),
        };
        let step = step.cast_signed();
        let TimeRange { start, end } = ranges.all();
        let first = start.div_euclid(step) * step;
        let first = if first < start { first + step } else { first };
        Steps::new(first, end, step, self.budget.limits().steps)
    }

    fn looks(&self, time: &TimeModifiers) -> Result<Looks, EvalError> {
        let fixed = time.at.map(|at| match at {
            At::Milliseconds(time) => time,
            At::Start => self.moments.start,
            At::End => self.moments.end,
        });
        let offset = time.offset.as_ref();
        let offset = offset.map(|offset| offset.milliseconds(self.moments.durations()));
        let offset = offset.transpose()?.unwrap_or(0);
        Ok(Looks { fixed, offset })
    }
}

impl Looks {
    fn at(self, time: i64) -> i64 {
        self.fixed.unwrap_or(time) - self.offset
    }
}

impl Ranges<'_> {
    /// For each step, behind which time its range begins, and its last time.
    pub(super) fn each(&self) -> impl Iterator<Item = (i64, i64)> {
        let ends = self.steps.times().map(|time| self.looks.at(time));
        ends.map(|end| (end - self.length, end))
    }

    /// From the start of the first to the end of the last.
    fn all(&self) -> TimeRange {
        TimeRange {
            start: self.looks.at(self.steps.start()) - self.length + 1,
            end: self.looks.at(self.steps.end()),
        }
    }

    /// The samples that lie in any.
    fn cut<'a>(&self, samples: &'a [Sample]) -> &'a [Sample] {
        let TimeRange { start, end } = self.all();
        let from = samples.partition_point(|sample| sample.time < start);
        let samples = &samples[from..];
        let to = samples.partition_point(|sample| sample.time <= end);
        &samples[..to]
    }
}

/// The samples that are not stale: mostly all, which then are not copied.
fn without_stale<'a>(samples: &'a [Sample], copies: &'a mut Vec<Sample>) -> &'a [Sample] {
    // Without a way out, so that several are looked at at once.
    let stale = samples.iter().filter(|sample| !is_present(sample.value));
    if stale.count() == 0 {
        return samples;
    }
    copies.clear();
    copies.extend(samples.iter().filter(|sample| is_present(sample.value)));
    copies
}

fn last_values(samples: &[Sample], ranges: &Ranges<'_>, told: fn(&Sample) -> f64) -> Vec<f64> {
    let mut rest = samples;
    let mut last: Option<&Sample> = None;
    let value = |(start, end)| {
        while let Some((next, behind)) = rest.split_first()
            && next.time <= end
        {
            last = Some(next);
            rest = behind;
        }
        match last {
            Some(last) if last.time > start && is_present(last.value) => told(last),
            _ => ABSENT,
        }
    };
    ranges.each().map(value).collect()
}

/// What an experimental feature of Prometheus would change.
fn refuse_boundary(selector: &VectorSelector) -> Result<(), EvalError> {
    let boundary = selector.boundary;
    boundary.map_or(Ok(()), |boundary| {
        Err(EvalError::NotSupported(format!("{boundary} is")))
    })
}
