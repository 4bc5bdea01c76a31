//! `label_replace` and `label_join`, which look at no values.

use crate::eval::error::EvalError;
use crate::eval::evaluator::{Evaluator, text};
use crate::eval::labels::Labels;
use crate::eval::steps::Steps;
use crate::eval::vector::{Column, merged};
use crate::promql::{Expr, StringLiteral, anchored};

impl Evaluator<'_> {
    /// Where a pattern matches all of a label's value, another label gets what the
    /// replacement makes of the match.
    pub(super) fn label_replace(
        &mut self,
        vector: &Expr,
        texts: &[Expr],
        steps: &Steps,
    ) -> Result<Vec<Column>, EvalError> {
        let texts = texts.iter().map(text).collect::<Result<Vec<_>, _>>()?;
        let [destination, replacement, source, pattern] = texts.as_slice() else {
            return Err(EvalError::NotSupported(
                "label_replace() so called is".to_owned(),
            ));
        };
        let pattern = lossy(pattern);
        let pattern = anchored(&pattern).map_err(|_| EvalError::Pattern(pattern))?;
        let destination = name(destination, "destination", "label_replace")?;
        let (replacement, source) = (lossy(replacement), lossy(source));
        let most = self.budget.limits().label_bytes;
        let mut columns = self.vector(vector, steps)?;
        for column in &mut columns {
            self.budget.go_on()?;
            let Some(captures) = pattern.captures(column.labels.get(&source)) else {
                continue;
            };
            let mut value = String::new();
            captures.expand(&replacement, &mut value);
            let labels = column.labels.with(destination, &value);
            column.labels = short_enough(labels, "label_replace", most)?;
        }
        merged(columns)
    }

    /// A label gets the values of others, joined.
    pub(super) fn label_join(
        &mut self,
        vector: &Expr,
        texts: &[Expr],
        steps: &Steps,
    ) -> Result<Vec<Column>, EvalError> {
        let texts = texts.iter().map(text).collect::<Result<Vec<_>, _>>()?;
        let [destination, separator, sources @ ..] = texts.as_slice() else {
            return Err(EvalError::NotSupported(
                "label_join() so called is".to_owned(),
            ));
        };
        let sources = sources
            .iter()
            .map(|source| name(source, "source", "label_join"));
        let sources = sources.collect::<Result<Vec<_>, _>>()?;
        let destination = name(destination, "destination", "label_join")?;
        let separator = lossy(separator);
        let most = self.budget.limits().label_bytes;
        let mut columns = self.vector(vector, steps)?;
        for column in &mut columns {
            self.budget.go_on()?;
            let values = sources.iter().map(|source| column.labels.get(source));
            let value = values.collect::<Vec<_>>().join(&separator);
            let labels = column.labels.with(destination, &value);
            column.labels = short_enough(labels, "label_join", most)?;
        }
        merged(columns)
    }
}

/// What a label may be called: any text but an empty one.
fn name<'a>(
    text: &'a StringLiteral,
    place: &'static str,
    function: &'static str,
) -> Result<&'a str, EvalError> {
    let name = text.as_str().filter(|name| !name.is_empty());
    name.ok_or_else(|| EvalError::FunctionLabelName {
        place,
        function,
        name: lossy(text),
    })
}

/// What is no UTF-8 can be in no label, so it may be replaced.
fn lossy(text: &StringLiteral) -> String {
    String::from_utf8_lossy(text.as_bytes()).into_owned()
}

fn short_enough(labels: Labels, function: &'static str, most: usize) -> Result<Labels, EvalError> {
    match labels.size() <= most {
        true => Ok(labels),
        false => Err(EvalError::LabelsTooLong { function, most }),
    }
}
