//! Parts of a date: of values that are seconds since 1970, or of the time of the step.

use super::without_names;
use crate::eval::error::EvalError;
use crate::eval::evaluator::Evaluator;
use crate::eval::labels::Labels;
use crate::eval::steps::Steps;
use crate::eval::vector::Column;
use crate::promql::Expr;
use base::calendar::{civil_from_days, days_from_civil};

const DAY: i64 = 86_400;
const HOUR: i64 = 3_600;

/// What a function tells of a time in seconds, in UTC.
pub(super) fn part(name: &str) -> Option<fn(i64) -> i64> {
    Some(match name {
        "minute" => |time| time.rem_euclid(HOUR) / 60,
        "hour" => |time| time.rem_euclid(DAY) / HOUR,
        // 1970 began on a Thursday; 0 is Sunday.
        "day_of_week" => |time| (time.div_euclid(DAY) + 4).rem_euclid(7),
        "day_of_month" => |time| date(time).2,
        "day_of_year" => |time| {
            let (year, _, _) = date(time);
            time.div_euclid(DAY) - days_from_civil(year, 1, 1) + 1
        },
        "days_in_month" => |time| {
            let (year, month, _) = date(time);
            let (next_year, next_month) = match month {
                12 => (year + 1, 1),
                _ => (year, month + 1),
            };
            days_from_civil(next_year, next_month, 1) - days_from_civil(year, month, 1)
        },
        "month" => |time| date(time).1,
        "year" => |time| date(time).0,
        _ => return None,
    })
}

impl Evaluator<'_> {
    pub(super) fn dates(
        &mut self,
        arguments: &[Expr],
        steps: &Steps,
        part: fn(i64) -> i64,
    ) -> Result<Vec<Column>, EvalError> {
        let [vector] = arguments else {
            let times = steps.times().map(|time| part(time.div_euclid(1000)) as f64);
            return Ok(vec![Column {
                labels: Labels::empty(),
                values: times.collect(),
            }]);
        };
        let mut columns = self.vector(vector, steps)?;
        for column in &mut columns {
            column.map(|value| part(value as i64) as f64);
        }
        without_names(columns)
    }
}

fn date(time: i64) -> (i64, i64, i64) {
    civil_from_days(time.div_euclid(DAY))
}
