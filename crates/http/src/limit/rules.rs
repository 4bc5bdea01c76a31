//! Which limit is on which route, as a configuration says it.
//!
//! ```text
//! 100 per 1m             at most 100 in any minute (exact sliding window)
//! 20 per 1s burst 50     20 come back each second, 50 may be saved (token bucket)
//! none                   no limit
//! ```

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

/// How much is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// At most `count` in any `period`.
    Window {
        /// 1 to [`MAX_COUNT`].
        count: u32,
        /// 1 ms to [`MAX_PERIOD`].
        period: Duration,
    },
    /// `count` come back in each `period`, at most `burst` are saved.
    Bucket {
        /// 1 to [`MAX_COUNT`].
        count: u32,
        /// 1 ms to [`MAX_PERIOD`].
        period: Duration,
        /// 1 to [`MAX_COUNT`].
        burst: u32,
    },
}

/// The limits of all routes; `None` is no limit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    /// For routes without a rule of their own.
    pub default: Option<Limit>,
    /// By the name of the route.
    pub routes: BTreeMap<String, Option<Limit>>,
}

/// Why a rule cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum LimitError {
    /// The text is not a limit.
    #[error(
        "limit {0:?} is not understood: write \"100 per 1m\", \"20 per 1s burst 50\" or \"none\""
    )]
    Syntax(String),
    /// A number is out of range.
    #[error("limit {0:?}: counts go from 1 to {MAX_COUNT}, periods from 1ms to 1d")]
    Range(String),
    /// No route has this name.
    #[error("no route is called {name:?}; there are: {known}")]
    UnknownRoute {
        /// The name in the rule.
        name: String,
        /// All names.
        known: String,
    },
    /// A route's name cannot be put in a header.
    #[error("route name {0:?} must be of letters, digits, '-', '_', '.' and '/'")]
    RouteName(String),
    /// There are more routes than can be told apart.
    #[error("more than {} routes", u16::MAX)]
    TooManyRoutes,
}

/// The most events of one client that a window remembers, 24 bytes each and room
/// to grow: less than 400 KiB.
pub const MAX_COUNT: u32 = 10_000;

/// The longest period; for longer ones a quota on disk is the right thing.
pub const MAX_PERIOD: Duration = Duration::from_secs(24 * 60 * 60);

impl Limit {
    /// Reads a limit, or `none`.
    pub fn parse(text: &str) -> Result<Option<Self>, LimitError> {
        match text.trim() {
            "none" => Ok(None),
            text => text.parse().map(Some),
        }
    }

    /// Refuses numbers out of range.
    pub fn check(&self) -> Result<(), LimitError> {
        let (count, period, burst) = match *self {
            Self::Window { count, period } => (count, period, count),
            Self::Bucket {
                count,
                period,
                burst,
            } => (count, period, burst),
        };
        let counts = 1..=MAX_COUNT;
        let periods = Duration::from_millis(1)..=MAX_PERIOD;
        match counts.contains(&count) && counts.contains(&burst) && periods.contains(&period) {
            true => Ok(()),
            false => Err(LimitError::Range(format!(
                "{count} per {period:?} burst {burst}"
            ))),
        }
    }
}

impl FromStr for Limit {
    type Err = LimitError;

    fn from_str(text: &str) -> Result<Self, LimitError> {
        let syntax = || LimitError::Syntax(text.to_owned());
        let number = |word: &str| word.parse().map_err(|_| syntax());
        let words: Vec<_> = text.split_whitespace().collect();
        let limit = match words.as_slice() {
            [count, "per", period] => Self::Window {
                count: number(count)?,
                period: parse_period(period).ok_or_else(syntax)?,
            },
            [count, "per", period, "burst", burst] => Self::Bucket {
                count: number(count)?,
                period: parse_period(period).ok_or_else(syntax)?,
                burst: number(burst)?,
            },
            _ => return Err(syntax()),
        };
        limit
            .check()
            .map_err(|_| LimitError::Range(text.to_owned()))?;
        Ok(limit)
    }
}

impl Rules {
    /// The limit of each route of `names`, in their order. A rule for a route
    /// that does not exist is an error, because it would do nothing silently.
    pub(super) fn resolve(&self, names: &[Box<str>]) -> Result<Vec<Option<Limit>>, LimitError> {
        if let Some(name) = self
            .routes
            .keys()
            .find(|name| !names.iter().any(|known| **known == ***name))
        {
            return Err(LimitError::UnknownRoute {
                name: name.clone(),
                known: names.join(", "),
            });
        }
        let limits = names.iter().map(|name| {
            let limit = self.routes.get(&**name).copied().unwrap_or(self.default);
            limit.map_or(Ok(()), |limit| limit.check()).map(|()| limit)
        });
        limits.collect()
    }
}

/// A number and its unit: `ms`, `s`, `m`, `h` or `d`.
pub fn parse_period(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let number: u64 = text[..digits].parse().ok()?;
    let unit = match &text[digits..] {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    Some(Duration::from_millis(number.checked_mul(unit)?))
}

#[cfg(test)]
mod tests {
    use super::{Limit, LimitError};
    use std::time::Duration;

    #[test]
    fn limits_are_read() {
        let window = |count, seconds| {
            Ok(Some(Limit::Window {
                count,
                period: Duration::from_secs(seconds),
            }))
        };
        let bucket = |count, millis, burst| {
            Ok(Some(Limit::Bucket {
                count,
                period: Duration::from_millis(millis),
                burst,
            }))
        };
        let syntax = |text: &str| Err(LimitError::Syntax(text.to_owned()));
        let range = |text: &str| Err(LimitError::Range(text.to_owned()));
        for (text, expected) in [
            ("100 per 1m", window(100, 60)),
            (" 5  per 2h ", window(5, 7200)),
            ("20 per 500ms burst 50", bucket(20, 500, 50)),
            ("none", Ok(None)),
            ("", syntax("")),
            ("100", syntax("100")),
            ("100 per", syntax("100 per")),
            ("100 per 60", syntax("100 per 60")),
            ("100 per s", syntax("100 per s")),
            ("-1 per 1s", syntax("-1 per 1s")),
            ("1 per 1s burst", syntax("1 per 1s burst")),
            ("0 per 1s", range("0 per 1s")),
            ("10001 per 1s", range("10001 per 1s")),
            ("1 per 0s", range("1 per 0s")),
            ("1 per 2d", range("1 per 2d")),
            ("1 per 1s burst 0", range("1 per 1s burst 0")),
            (
                "1 per 99999999999999999d",
                syntax("1 per 99999999999999999d"),
            ),
        ] {
            assert_eq!(Limit::parse(text), expected, "{text:?}");
        }
    }
}
