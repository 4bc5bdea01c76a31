//! Durations: what stands in brackets, and the narrower form behind `offset`.
//!
//! What they come to is computed in `duration_expr`.

use super::super::ast::Span;
use super::super::duration_expr::{DurationExpr, DurationKind, DurationOperator};
use super::super::error::{Context, Fault, Located};
use super::super::keyword::Keyword;
use super::super::lexer::TokenKind;
use super::super::operator::{Precedence, UnaryOperator};
use super::{DEPTH, Parser};

/// What a duration can begin with.
pub(super) const DURATION: &str = "number, duration, step(), or range()";

const OFFSET: Context = Context::new("offset", DURATION);

impl Parser<'_> {
    /// Durations joined by operators that bind at least as tightly as `loosest`.
    pub(super) fn duration(
        &mut self,
        loosest: Precedence,
        place: Context,
    ) -> Result<DurationExpr, Located> {
        self.descend()?;
        let mut left = self.signed_duration(place)?;
        while let Some(operator) = self.duration_operator()
            && operator.precedence() >= loosest
        {
            self.advance()?;
            let right = self.duration(operator.precedence().of_right_operand(), place)?;
            let span = left.span().to(right.span());
            let kind = DurationKind::Binary {
                operator,
                left: Box::new(left),
                right: Box::new(right),
            };
            left = low_enough(DurationExpr::new(kind, span))?;
        }
        self.depth -= 1;
        Ok(left)
    }

    /// The duration behind `offset`. An operator behind it joins expressions, as in
    /// `x offset 5m - y`, so it is a single value with or without a sign, or arithmetic
    /// in parentheses. Behind those, but without a sign before them, Prometheus' grammar
    /// goes on with the arithmetic, and so does this.
    pub(super) fn offset_duration(&mut self) -> Result<DurationExpr, Located> {
        let Some(operator) = self.unary_operator() else {
            return match self.token.kind {
                TokenKind::LeftParenthesis => self.duration(Precedence::LOWEST, OFFSET),
                _ => self.primary_duration(OFFSET),
            };
        };
        let (following, _) = self.ahead();
        if matches!(following, Some(TokenKind::Operator(_))) {
            // A second sign: Prometheus' grammar goes on here too.
            return self.duration(Precedence::LOWEST, OFFSET);
        }
        let sign = self.advance()?;
        let duration = self.primary_duration(OFFSET)?;
        signed(operator, sign.span, duration)
    }

    fn signed_duration(&mut self, place: Context) -> Result<DurationExpr, Located> {
        let Some(operator) = self.unary_operator() else {
            return self.primary_duration(place);
        };
        let sign = self.advance()?;
        // Only `^` binds tighter than a sign.
        let duration = self.duration(Precedence::Power, place)?;
        signed(operator, sign.span, duration)
    }

    fn primary_duration(&mut self, place: Context) -> Result<DurationExpr, Located> {
        if let Some(number) = self.take_number()? {
            let kind = DurationKind::Literal(number);
            return Ok(DurationExpr::new(kind, self.last));
        }
        match (self.token.kind, self.keyword) {
            (TokenKind::LeftParenthesis, _) => self.duration_in_parentheses(place),
            (_, Some(Keyword::Step)) => self.time_of_query(DurationKind::Step, place),
            (_, Some(Keyword::Range)) => self.time_of_query(DurationKind::Range, place),
            (_, Some(Keyword::MinOf)) => self.choice(DurationKind::Minimum, place),
            (_, Some(Keyword::MaxOf)) => self.choice(DurationKind::Maximum, place),
            _ => Err(self.unexpected(place)),
        }
    }

    fn duration_in_parentheses(&mut self, place: Context) -> Result<DurationExpr, Located> {
        let start = self.advance()?.span;
        let duration = self.duration(Precedence::LOWEST, place)?;
        self.expect(TokenKind::RightParenthesis, place)?;
        Ok(duration.spanning(start.to(self.last)))
    }

    /// `step()` or `range()`
    fn time_of_query(
        &mut self,
        kind: DurationKind,
        place: Context,
    ) -> Result<DurationExpr, Located> {
        let start = self.advance()?.span;
        self.expect(TokenKind::LeftParenthesis, place)?;
        self.expect(TokenKind::RightParenthesis, place)?;
        Ok(DurationExpr::new(kind, start.to(self.last)))
    }

    /// `min_of(x, y)` or `max_of(x, y)`
    fn choice(
        &mut self,
        kind: fn(Box<DurationExpr>, Box<DurationExpr>) -> DurationKind,
        place: Context,
    ) -> Result<DurationExpr, Located> {
        let start = self.advance()?.span;
        self.expect(TokenKind::LeftParenthesis, place)?;
        let first = self.duration(Precedence::LOWEST, place)?;
        self.expect(TokenKind::Comma, place)?;
        let second = self.duration(Precedence::LOWEST, place)?;
        self.expect(TokenKind::RightParenthesis, place)?;
        let kind = kind(Box::new(first), Box::new(second));
        low_enough(DurationExpr::new(kind, start.to(self.last)))
    }

    fn duration_operator(&self) -> Option<DurationOperator> {
        match self.token.kind {
            TokenKind::Operator(operator) => DurationOperator::of(operator),
            _ => None,
        }
    }
}

fn signed(
    operator: UnaryOperator,
    sign: Span,
    duration: DurationExpr,
) -> Result<DurationExpr, Located> {
    let span = sign.to(duration.span());
    match operator {
        UnaryOperator::Plus => Ok(duration.spanning(span)),
        UnaryOperator::Minus => low_enough(duration.negated(span)),
    }
}

/// A duration, if the tree below it is not too high.
fn low_enough(duration: DurationExpr) -> Result<DurationExpr, Located> {
    if duration.height() > DEPTH {
        return Err(Fault::TooDeep.at(duration.span()));
    }
    Ok(duration)
}
