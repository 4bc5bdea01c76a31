//! The series that some selectors choose between them, each once: what `match[]` means,
//! and what is exported.

use super::error::{ApiError, ParameterFault};
use super::form::Parameters;
use super::parameter;
use crate::eval::{EvalError, Merged, Select, SeriesCursor, Texts, TimeRange};
use crate::promql::{Fault, LabelMatcher, ParseError, parse_selector};

/// Selectors of one request: each is asked of the source. Grafana sends one, federation
/// some dozens.
pub const MATCHERS: usize = 64;

/// Selectors, each a list of matchers; without any, every series is chosen.
#[derive(Debug, Default)]
pub struct Selectors(Vec<Vec<LabelMatcher>>);

/// What is to be exported or deleted.
#[derive(Debug)]
pub struct Selection {
    /// The selectors, at least one, as they were sent.
    pub texts: Vec<String>,
    /// What they say.
    pub selectors: Selectors,
    /// Between which times.
    pub range: TimeRange,
}

impl Selection {
    /// Reads `match[]`, `start` and `end` of a query string and a form.
    ///
    /// # Errors
    /// What is none of these, and a request without a selector.
    pub fn read(query_string: &str, form: &[u8]) -> Result<Self, ApiError> {
        let parameters = Parameters::read(form, query_string.as_bytes())?;
        let texts: Vec<String> = parameters.all("match[]").map(str::to_owned).collect();
        if texts.is_empty() {
            return Err(ApiError::NoMatcher);
        }
        let selectors = Selectors::parse(texts.iter().map(String::as_str));
        Ok(Self {
            selectors: selectors.map_err(|fault| ApiError::parameter("match[]", fault))?,
            range: parameter::range(&parameters)?,
            texts,
        })
    }
}

/// A source, of which only the series of one selector are seen.
struct Chosen<'a> {
    source: &'a dyn Select,
    matchers: &'a [LabelMatcher],
}

impl Selectors {
    /// Reads selectors such as `up{job="node"}`.
    ///
    /// # Errors
    /// More than [`MATCHERS`], and what is no selector.
    pub fn parse<'t>(texts: impl IntoIterator<Item = &'t str>) -> Result<Self, ParameterFault> {
        let texts: Vec<&str> = texts.into_iter().collect();
        if texts.len() > MATCHERS {
            return Err(ParameterFault::TooManyMatchers(texts.len()));
        }
        let selectors = texts.into_iter().map(|text| {
            let selector = parse_selector(text).map_err(fault)?;
            Ok(selector.matchers().to_vec())
        });
        Ok(Self(selectors.collect::<Result<_, _>>()?))
    }

    /// Whether there are none.
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Gathers the names of the labels that chosen series have.
    pub(super) fn label_names(
        &self,
        source: &dyn Select,
        range: TimeRange,
        names: &mut Texts,
    ) -> Result<(), EvalError> {
        let mut chosen = self.chosen(source, range).into_iter();
        chosen.try_for_each(|chosen| source.label_names(chosen.matchers, range, names))
    }

    /// Gathers the values that a label has in chosen series.
    pub(super) fn label_values(
        &self,
        source: &dyn Select,
        name: &str,
        range: TimeRange,
        values: &mut Texts,
    ) -> Result<(), EvalError> {
        let mut chosen = self.chosen(source, range).into_iter();
        chosen.try_for_each(|chosen| source.label_values(name, chosen.matchers, range, values))
    }

    /// Goes through all chosen series, by the order of their labels, until it is told
    /// that it is enough.
    pub(super) fn for_each<E: From<EvalError>>(
        &self,
        source: &dyn Select,
        range: TimeRange,
        mut tell: impl FnMut(&mut dyn SeriesCursor) -> Result<bool, E>,
    ) -> Result<(), E> {
        let chosen = self.chosen(source, range);
        let merged = Merged::new(chosen.iter().map(|one| one as &dyn Select));
        let mut series = merged.select(&[], range)?;
        while series.advance()? {
            if !tell(series.as_mut())? {
                break;
            }
        }
        Ok(())
    }

    /// Nothing, where the range ends before it begins, which a source need not know of.
    fn chosen<'a>(&'a self, source: &'a dyn Select, range: TimeRange) -> Vec<Chosen<'a>> {
        let chosen = |matchers| Chosen { source, matchers };
        match self.0.as_slice() {
            _ if range.end < range.start => Vec::new(),
            [] => vec![chosen(&[])],
            selectors => selectors.iter().map(|one| chosen(one)).collect(),
        }
    }
}

impl Select for Chosen<'_> {
    fn select<'s>(
        &'s self,
        _: &[LabelMatcher],
        range: TimeRange,
    ) -> Result<Box<dyn SeriesCursor + 's>, EvalError> {
        self.source.select(self.matchers, range)
    }
}

fn fault(error: ParseError) -> ParameterFault {
    match error.fault() {
        Fault::NoMatcher => ParameterFault::EmptyMatcher,
        _ => ParameterFault::Parse(error),
    }
}
