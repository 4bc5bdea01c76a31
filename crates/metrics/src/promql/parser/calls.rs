//! What has arguments: aggregations and functions. How many there must be of which type
//! is said by `check`, but for aggregations, whose nodes have a place for each.

use super::super::ast::{Aggregation, Call, Expr, ExprKind, Grouping};
use super::super::error::{Context, Fault, Located, shown};
use super::super::functions::Function;
use super::super::keyword::Keyword;
use super::super::lexer::TokenKind;
use super::super::operator::AggregateOperator;
use super::Parser;

const AGGREGATION: Context = Context::new("aggregation", "");

impl Parser<'_> {
    /// `sum by (a) (x)`, or `sum(x) by (a)`.
    pub(super) fn aggregation(&mut self, operator: AggregateOperator) -> Result<Expr, Located> {
        let name = self.advance()?;
        let before = self.grouping()?;
        let arguments = self.arguments(AGGREGATION)?;
        let grouping = match before {
            Some(grouping) => grouping,
            None => self.grouping()?.unwrap_or_default(),
        };
        let span = name.span.to(self.last);
        if operator.is_experimental() && !self.features.experimental_functions {
            return Err(Fault::AggregationNotEnabled(operator.name()).at(span));
        }
        let (parameter, expr) = operands(operator, arguments).map_err(|fault| fault.at(span))?;
        let aggregation = Aggregation {
            operator,
            parameter,
            expr,
            grouping,
        };
        self.node(ExprKind::Aggregation(aggregation), span)
    }

    /// `rate(x[5m])`
    pub(super) fn call(&mut self) -> Result<Expr, Located> {
        let name = self.word();
        let start = self.advance()?.span;
        let function = Function::named(name);
        let function = function.ok_or_else(|| Fault::UnknownFunction(shown(name)).at(start))?;
        if function.is_experimental() && !self.features.experimental_functions {
            return Err(Fault::FunctionNotEnabled(function.name()).at(start));
        }
        let arguments = self.arguments(Context::EXPRESSION)?;
        let call = Call {
            function,
            arguments,
        };
        self.node(ExprKind::Call(call), start.to(self.last))
    }

    /// `by (a, b)` or `without (a, b)`
    fn grouping(&mut self) -> Result<Option<Grouping>, Located> {
        let grouping: fn(Vec<String>) -> Grouping = match self.keyword {
            Some(Keyword::By) => Grouping::By,
            Some(Keyword::Without) => Grouping::Without,
            _ => return Ok(None),
        };
        self.advance()?;
        self.labels().map(grouping).map(Some)
    }

    /// `(x, y)`
    fn arguments(&mut self, context: Context) -> Result<Vec<Expr>, Located> {
        self.expect(TokenKind::LeftParenthesis, context)?;
        let mut arguments = Vec::new();
        if self.take(TokenKind::RightParenthesis)? {
            return Ok(arguments);
        }
        loop {
            arguments.push(self.expression()?);
            if !self.take(TokenKind::Comma)? {
                break;
            }
            if self.token.kind == TokenKind::RightParenthesis {
                return Err(Fault::TrailingComma.at(self.last));
            }
        }
        self.expect(TokenKind::RightParenthesis, Context::EXPRESSION)?;
        Ok(arguments)
    }
}

/// The parameter of an aggregation and what it aggregates.
fn operands(
    operator: AggregateOperator,
    arguments: Vec<Expr>,
) -> Result<(Option<Expr>, Expr), Fault> {
    let expected = 1 + usize::from(operator.parameter().is_some());
    let found = arguments.len();
    let mut arguments = arguments.into_iter();
    match (arguments.next(), arguments.next()) {
        (None, _) => Err(Fault::NoAggregate),
        _ if found != expected => Err(Fault::AggregateArguments { expected, found }),
        (Some(parameter), Some(expr)) => Ok((Some(parameter), expr)),
        (Some(expr), None) => Ok((None, expr)),
    }
}
