//! Sums that lose little: Kahan's summation with Neumaier's improvement, as Prometheus
//! has it in `sum`, `avg` and their likes over time.

/// A sum, and what was lost on the way.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sum {
    sum: f64,
    lost: f64,
}

/// A mean, of a sum as long as that does not overflow.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mean {
    sum: Sum,
    count: f64,
    /// The sum is the mean itself.
    is_incremental: bool,
}

/// The spread around the mean.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Variance {
    count: f64,
    mean: Sum,
    squares: Sum,
}

impl Sum {
    pub(super) const fn new(value: f64) -> Self {
        Self {
            sum: value,
            lost: 0.0,
        }
    }

    #[must_use]
    pub(super) fn plus(self, value: f64) -> Self {
        let sum = self.sum + value;
        let lost = if sum.is_infinite() {
            0.0
        } else if self.sum.abs() >= value.abs() {
            self.lost + ((self.sum - sum) + value)
        } else {
            self.lost + ((value - sum) + self.sum)
        };
        Self { sum, lost }
    }

    pub(super) fn value(self) -> f64 {
        self.sum + self.lost
    }

    fn times(self, factor: f64) -> Self {
        Self {
            sum: self.sum * factor,
            lost: self.lost * factor,
        }
    }

    fn over(self, divisor: f64) -> Self {
        Self {
            sum: self.sum / divisor,
            lost: self.lost / divisor,
        }
    }
}

impl Mean {
    pub(super) const fn new(value: f64) -> Self {
        Self {
            sum: Sum::new(value),
            count: 1.0,
            is_incremental: false,
        }
    }

    pub(super) fn add(&mut self, value: f64) {
        self.count += 1.0;
        if !self.is_incremental {
            let sum = self.sum.plus(value);
            if !sum.sum.is_infinite() {
                self.sum = sum;
                return;
            }
            // The sum would overflow where the mean does not.
            self.is_incremental = true;
            self.sum = self.sum.over(self.count - 1.0);
        }
        let share = (self.count - 1.0) / self.count;
        self.sum = self.sum.times(share).plus(value / self.count);
    }

    pub(super) fn value(self) -> f64 {
        match self.is_incremental {
            true => self.sum.value(),
            false => self.sum.over(self.count).value(),
        }
    }
}

impl Variance {
    pub(super) fn add(&mut self, value: f64) {
        self.count += 1.0;
        let before = value - self.mean.value();
        self.mean = self.mean.plus(before / self.count);
        let after = value - self.mean.value();
        self.squares = self.squares.plus(before * after);
    }

    pub(super) fn value(self) -> f64 {
        self.squares.value() / self.count
    }
}

#[cfg(test)]
mod tests {
    use super::{Mean, Sum};

    #[test]
    fn little_is_lost() {
        let sum = [1e100, 1.0, -1e100]
            .into_iter()
            .fold(Sum::default(), Sum::plus);
        assert_eq!(sum.value(), 1.0);
        let mut mean = Mean::new(f64::MAX);
        mean.add(f64::MAX);
        mean.add(f64::MAX);
        assert!((mean.value() / f64::MAX - 1.0).abs() < 1e-15);
    }
}
