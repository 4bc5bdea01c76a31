//! What chooses series, and what chooses their times: `x{a="b"}[5m] @ end() offset 1h`.

use super::super::ast::{
    At, Boundary, Expr, ExprKind, MatrixSelector, Span, Subquery, TimeModifiers, VectorSelector,
};
use super::super::duration_expr::DurationExpr;
use super::super::error::{Context, Fault, Located, shown};
use super::super::keyword::Keyword;
use super::super::lexer::TokenKind;
use super::super::matcher::LabelMatcher;
use super::super::number::Number;
use super::super::operator::Precedence;
use super::durations::DURATION;
use super::{PATTERNS, Parser};

/// The latest time behind `@`, and before 1970 the earliest, some 71,000 years away: so
/// far a float tells the milliseconds of its seconds apart, so that a time that is
/// printed is read as the same one.
pub const TIMESTAMP_MS: i64 = 1 << 51;

const LABEL_MATCHING: &str = "label matching";
const AT: Context = Context::new("@", "timestamp");

impl Parser<'_> {
    pub(super) fn selector(&mut self) -> Result<Expr, Located> {
        let (vector, span) = self.vector()?;
        self.node(ExprKind::Vector(vector), span)
    }

    /// `x`, `x{a="b"}` or `{a="b"}`, and where it stands.
    pub(super) fn vector(&mut self) -> Result<(VectorSelector, Span), Located> {
        let start = self.token.span;
        let mut matchers = Vec::new();
        if self.token.kind == TokenKind::Word {
            matchers.push(LabelMatcher::of_name(self.word()));
            self.advance()?;
        }
        let named = matchers.len();
        if self.token.kind == TokenKind::LeftBrace {
            self.matchers(&mut matchers)?;
        }
        let span = start.to(self.last);
        let mut others = matchers.iter().skip(named);
        if named > 0
            && let Some(second) = others.find(|matcher| matcher.is_about_name())
        {
            let (first, second) = (shown(matchers[0].value()), shown(second.value()));
            return Err(Fault::NameTwice(first, second).at(span));
        }
        Ok((VectorSelector::new(matchers), span))
    }

    /// `[5m]` or `[5m:1m]` behind an expression.
    pub(super) fn range(&mut self, expr: Expr) -> Result<Expr, Located> {
        let bracket = self.advance()?;
        let place = Context::new("subquery or range selector", DURATION);
        let range = self.duration(Precedence::LOWEST, place)?;
        if self.take(TokenKind::Colon)? {
            let step = self.step()?;
            let span = expr.span().to(self.last);
            let subquery = Subquery {
                expr,
                range,
                step,
                time: TimeModifiers::default(),
            };
            return self.node(ExprKind::Subquery(subquery), span);
        }
        let context = Context::new("subquery or range", "\":\" or \"]\"");
        self.expect(TokenKind::RightBracket, context)?;
        let (span, brackets) = (expr.span().to(self.last), bracket.span.to(self.last));
        let vector = ranged(expr.into_kind()).map_err(|fault| fault.at(brackets))?;
        self.node(ExprKind::Matrix(MatrixSelector { vector, range }), span)
    }

    /// `offset 5m` behind an expression.
    pub(super) fn offset(&mut self, expr: Expr) -> Result<Expr, Located> {
        self.advance()?;
        let offset = self.offset_duration()?;
        let span = expr.span();
        let mut kind = expr.into_kind();
        let time = time(&mut kind).ok_or_else(|| Fault::ModifierOfOther("offset").at(span))?;
        if time.offset.replace(offset).is_some() {
            return Err(Fault::ModifierTwice("offset").at(span));
        }
        self.node(kind, span.to(self.last))
    }

    /// `@ 1234.5` or `@ end()` behind an expression.
    pub(super) fn at(&mut self, expr: Expr) -> Result<Expr, Located> {
        self.advance()?;
        let at = self.at_time()?;
        let span = expr.span();
        let mut kind = expr.into_kind();
        let time = time(&mut kind).ok_or_else(|| Fault::ModifierOfOther("@").at(span))?;
        if time.at.replace(at).is_some() {
            return Err(Fault::ModifierTwice("@ <timestamp>").at(span));
        }
        self.node(kind, span.to(self.last))
    }

    /// `anchored` or `smoothed` behind an expression.
    pub(super) fn boundary(&mut self, expr: Expr) -> Result<Expr, Located> {
        let (boundary, name) = match self.keyword {
            Some(Keyword::Anchored) => (Boundary::Anchored, "anchored"),
            _ => (Boundary::Smoothed, "smoothed"),
        };
        let span = expr.span().to(self.advance()?.span);
        if !self.features.extended_range_selectors {
            return Err(Fault::BoundaryNotEnabled(name).at(span));
        }
        let mut kind = expr.into_kind();
        let vector = match &mut kind {
            ExprKind::Vector(vector) => vector,
            ExprKind::Matrix(matrix) => &mut matrix.vector,
            _ => return Err(Fault::BoundaryOfOther(name).at(span)),
        };
        if vector.boundary.is_some_and(|before| before != boundary) {
            return Err(Fault::BoundaryTwice.at(span));
        }
        vector.boundary = Some(boundary);
        self.node(kind, span)
    }

    /// `{a="b", "name", c!~"d",}`
    fn matchers(&mut self, matchers: &mut Vec<LabelMatcher>) -> Result<(), Located> {
        self.advance()?;
        while !self.take(TokenKind::RightBrace)? {
            matchers.push(self.matcher()?);
            let is_last = self.token.kind == TokenKind::RightBrace;
            if !is_last {
                let context = Context::new(LABEL_MATCHING, "\",\" or \"}\"");
                self.expect(TokenKind::Comma, context)?;
            }
        }
        Ok(())
    }

    /// `a="b"`, `"a b"="c"`, or a metric's name in quotes.
    fn matcher(&mut self) -> Result<LabelMatcher, Located> {
        let start = self.token.span;
        let is_quoted = self.token.kind == TokenKind::Text;
        let name = match self.token.kind {
            TokenKind::Text => self.label_text()?,
            TokenKind::Word => {
                let name = self.word().to_owned();
                self.advance()?;
                name
            }
            _ => return Err(self.unexpected(Context::new(LABEL_MATCHING, "identifier or \"}\""))),
        };
        let operator = match self.token.kind {
            TokenKind::Match(operator) => operator,
            _ if is_quoted => return Ok(LabelMatcher::of_name(name)),
            _ => {
                let context = Context::new(LABEL_MATCHING, "label matching operator");
                return Err(self.unexpected(context));
            }
        };
        self.advance()?;
        if self.token.kind != TokenKind::Text {
            return Err(self.unexpected(Context::new(LABEL_MATCHING, "string")));
        }
        let value = self.label_text()?;
        let span = start.to(self.last);
        if operator.is_pattern() {
            self.patterns += 1;
        }
        if self.patterns > PATTERNS {
            return Err(Fault::TooManyPatterns.at(span));
        }
        LabelMatcher::new(name, operator, value.as_str()).map_err(|error| {
            let (pattern, reason) = (shown(&value), error.to_string());
            Fault::BadPattern { pattern, reason }.at(span)
        })
    }

    /// The step of a subquery, and the bracket behind it.
    fn step(&mut self) -> Result<Option<DurationExpr>, Located> {
        if self.take(TokenKind::RightBracket)? {
            return Ok(None);
        }
        let expected = "number, duration, step(), range(), or \"]\"";
        let place = Context::new("subquery selector", expected);
        let step = self.duration(Precedence::LOWEST, place)?;
        let context = Context::new("subquery selector", "\"]\"");
        self.expect(TokenKind::RightBracket, context)?;
        Ok(Some(step))
    }

    fn at_time(&mut self) -> Result<At, Located> {
        let at = match self.keyword {
            Some(Keyword::Start) => At::Start,
            Some(Keyword::End) => At::End,
            _ => return self.timestamp().map(At::Milliseconds),
        };
        self.advance()?;
        self.expect(TokenKind::LeftParenthesis, AT)?;
        self.expect(TokenKind::RightParenthesis, AT)?;
        Ok(at)
    }

    fn timestamp(&mut self) -> Result<i64, Located> {
        let start = self.token.span;
        let number = self.signed_number(AT)?;
        let span = start.to(self.last);
        milliseconds(number).ok_or_else(|| Fault::TimestampRange(number.to_string()).at(span))
    }
}

/// The selector that a range stands behind, which has no time of its own yet.
fn ranged(kind: ExprKind) -> Result<VectorSelector, Fault> {
    let ExprKind::Vector(vector) = kind else {
        return Err(Fault::RangeOfOther);
    };
    if vector.time.offset.is_some() {
        return Err(Fault::ModifierBeforeRange("offset"));
    }
    if vector.time.at.is_some() {
        return Err(Fault::ModifierBeforeRange("@"));
    }
    Ok(vector)
}

/// When an expression looks, if it does at all.
const fn time(kind: &mut ExprKind) -> Option<&mut TimeModifiers> {
    match kind {
        ExprKind::Vector(vector) => Some(&mut vector.time),
        ExprKind::Matrix(matrix) => Some(&mut matrix.vector.time),
        ExprKind::Subquery(subquery) => Some(&mut subquery.time),
        _ => None,
    }
}

fn milliseconds(seconds: Number) -> Option<i64> {
    let milliseconds = (seconds.value() * 1000.0).round();
    let is_in_range = milliseconds.abs() <= TIMESTAMP_MS as f64;
    is_in_range.then_some(milliseconds as i64)
}
