//! From tokens to a tree: recursive descent with one function for each production, and
//! precedence climbing for what stands between operands.
//!
//! This file has the expressions themselves; `calls` has aggregations and functions,
//! `selectors` what chooses series and when, `durations` what stands in brackets, and
//! `matching` what may follow an operator. Which trees mean something is said by `check`.

mod calls;
mod durations;
mod matching;
mod selectors;

use super::ast::{Binary, Expr, ExprKind, Span, Unary, VectorSelector};
use super::check;
use super::error::{Context, Fault, Located, ParseError};
use super::keyword::Keyword;
use super::lexer::{Lexer, Token, TokenKind};
use super::number::Number;
use super::operator::{BinaryOperator, Precedence, UnaryOperator};
use super::string::{self, StringLiteral};

pub use selectors::TIMESTAMP_MS;

/// Levels of a tree, parentheses and the operands of a chain of operators among them.
/// What people write has ten; at this many the parser, and whatever else recurses over a
/// tree, stays far below the smallest stack of a thread.
pub const DEPTH: usize = 128;

/// Bytes of a query. Generated ones have some thousands, and a URL is mostly shorter.
pub const QUERY_BYTES: usize = 64 * 1024;

/// Regular expressions of a query: the largest take some milliseconds each to be read.
/// Dashboards have up to some dozens.
pub const PATTERNS: usize = 256;

/// What Prometheus has behind feature flags, each named after its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Features {
    /// `promql-experimental-functions`: functions and aggregations marked so.
    pub experimental_functions: bool,
    /// `promql-extended-range-selectors`: `anchored` and `smoothed`.
    pub extended_range_selectors: bool,
    /// `promql-binop-fill-modifiers`: `fill`, `fill_left` and `fill_right`.
    pub binop_fill_modifiers: bool,
}

/// Reads a query, and checks that it means something.
///
/// # Errors
/// The first fault that is found, and where it is.
///
/// ```
/// use metrics::promql::{Features, parse};
///
/// let error = parse("rate(up)", Features::STABLE).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "1:6: parse error: expected type range vector in call to function \"rate\", \
///      got instant vector",
/// );
/// ```
pub fn parse(query: &str, features: Features) -> Result<Expr, ParseError> {
    let read = Parser::new(query, features).and_then(Parser::query);
    let checked = read.and_then(|expr| check::check(&expr, query).map(|()| expr));
    checked.map_err(|located| ParseError::new(located, query))
}

/// Reads a selector without a time, as the HTTP API has them in `match[]`.
///
/// # Errors
/// The first fault that is found, and where it is.
pub fn parse_selector(text: &str) -> Result<VectorSelector, ParseError> {
    let read = Parser::new(text, Features::STABLE).and_then(Parser::only_selector);
    read.map_err(|located| ParseError::new(located, text))
}

/// The tokens, one of which is looked at.
struct Parser<'a> {
    lexer: Lexer<'a>,
    features: Features,
    /// The token that is next, and what keyword it is if it is a word.
    token: Token,
    keyword: Option<Keyword>,
    /// Where the token before it lies.
    last: Span,
    /// Parentheses that are open.
    open: usize,
    /// Productions that have begun inside one another.
    depth: usize,
    /// Regular expressions so far.
    patterns: usize,
}

impl Features {
    /// Nothing experimental.
    pub const STABLE: Self = Self {
        experimental_functions: false,
        extended_range_selectors: false,
        binop_fill_modifiers: false,
    };

    /// All that there is.
    pub const ALL: Self = Self {
        experimental_functions: true,
        extended_range_selectors: true,
        binop_fill_modifiers: true,
    };
}

/// Productions.
impl Parser<'_> {
    fn query(mut self) -> Result<Expr, Located> {
        if self.token.kind == TokenKind::End {
            return Err(Fault::NoExpression.at(self.token.span));
        }
        let expr = self.expression()?;
        self.end()?;
        Ok(expr)
    }

    fn only_selector(mut self) -> Result<VectorSelector, Located> {
        match self.token.kind {
            TokenKind::Word | TokenKind::LeftBrace => {}
            _ => return Err(self.unexpected(Context::EXPRESSION)),
        }
        let (vector, span) = self.vector()?;
        self.end()?;
        check::selects_something(&vector, span)?;
        Ok(vector)
    }

    fn end(&self) -> Result<(), Located> {
        match self.token.kind {
            TokenKind::End => Ok(()),
            TokenKind::RightParenthesis => {
                Err(Fault::UnexpectedRightParenthesis.at(self.token.span))
            }
            _ => Err(self.unexpected(Context::EXPRESSION)),
        }
    }

    fn expression(&mut self) -> Result<Expr, Located> {
        self.binary(Precedence::LOWEST)
    }

    /// Operands joined by operators that bind at least as tightly as `loosest`.
    fn binary(&mut self, loosest: Precedence) -> Result<Expr, Located> {
        self.descend()?;
        let mut left = self.signed()?;
        while let Some(operator) = self.binary_operator()
            && operator.precedence() >= loosest
        {
            left = self.right_of(left, operator)?;
        }
        self.depth -= 1;
        Ok(left)
    }

    /// An operator and what follows it.
    fn right_of(&mut self, left: Expr, operator: BinaryOperator) -> Result<Expr, Located> {
        self.advance()?;
        let is_bool = self.take_keyword(Keyword::Bool)?;
        let matching = self.matching()?;
        let right = self.binary(operator.precedence().of_right_operand())?;
        let span = left.span().to(right.span());
        let binary = Binary {
            operator,
            left,
            right,
            is_bool,
            matching,
        };
        self.node(ExprKind::Binary(binary), span)
    }

    /// An operand with or without a sign. The sign of a number belongs to the number.
    fn signed(&mut self) -> Result<Expr, Located> {
        let Some(operator) = self.unary_operator() else {
            return self.postfix();
        };
        let sign = self.advance()?;
        // Only `^` binds tighter than a sign.
        let expr = self.binary(Precedence::Power)?;
        let span = sign.span.to(expr.span());
        let kind = match (expr.kind(), operator) {
            (ExprKind::Number(number), UnaryOperator::Minus) => ExprKind::Number(number.negated()),
            (ExprKind::Number(number), UnaryOperator::Plus) => ExprKind::Number(*number),
            _ => ExprKind::Unary(Unary { operator, expr }),
        };
        self.node(kind, span)
    }

    /// An operand and all that follows it before the next operator.
    fn postfix(&mut self) -> Result<Expr, Located> {
        let mut expr = self.primary()?;
        loop {
            expr = match (self.token.kind, self.keyword) {
                (TokenKind::LeftBracket, _) => self.range(expr)?,
                (TokenKind::At, _) => self.at(expr)?,
                (_, Some(Keyword::Offset)) => self.offset(expr)?,
                (_, Some(Keyword::Anchored | Keyword::Smoothed)) => self.boundary(expr)?,
                _ => return Ok(expr),
            };
        }
    }

    fn primary(&mut self) -> Result<Expr, Located> {
        match self.token.kind {
            TokenKind::Text => {
                let literal = self.text()?;
                self.node(ExprKind::String(literal), self.last)
            }
            TokenKind::LeftParenthesis => self.parenthesis(),
            TokenKind::LeftBrace => self.selector(),
            TokenKind::Word | TokenKind::Number(_) => match self.take_number()? {
                Some(number) => self.node(ExprKind::Number(number), self.last),
                None => self.named(),
            },
            _ => Err(self.unexpected(Context::EXPRESSION)),
        }
    }

    fn parenthesis(&mut self) -> Result<Expr, Located> {
        let left = self.advance()?;
        let inner = self.expression()?;
        self.expect(TokenKind::RightParenthesis, Context::EXPRESSION)?;
        let span = left.span.to(self.last);
        self.node(ExprKind::Parenthesis(inner), span)
    }

    /// What begins with a name: what follows says whose.
    fn named(&mut self) -> Result<Expr, Located> {
        let (following, keyword) = self.ahead();
        let is_called = following == Some(TokenKind::LeftParenthesis);
        let is_grouped = matches!(keyword, Some(Keyword::By | Keyword::Without));
        match self.keyword {
            Some(Keyword::Aggregate(operator)) if is_called || is_grouped => {
                self.aggregation(operator)
            }
            Some(keyword) if is_called && keyword.names_function() => self.call(),
            None if is_called && !self.word().contains(':') => self.call(),
            Some(keyword) if !keyword.names_metric() => Err(self.unexpected(Context::EXPRESSION)),
            _ => self.selector(),
        }
    }

    const fn unary_operator(&self) -> Option<UnaryOperator> {
        match self.token.kind {
            TokenKind::Operator(BinaryOperator::Add) => Some(UnaryOperator::Plus),
            TokenKind::Operator(BinaryOperator::Subtract) => Some(UnaryOperator::Minus),
            _ => None,
        }
    }

    const fn binary_operator(&self) -> Option<BinaryOperator> {
        match (self.token.kind, self.keyword) {
            (TokenKind::Operator(operator), _) => Some(operator),
            (_, Some(Keyword::And)) => Some(BinaryOperator::And),
            (_, Some(Keyword::Or)) => Some(BinaryOperator::Or),
            (_, Some(Keyword::Unless)) => Some(BinaryOperator::Unless),
            (_, Some(Keyword::Atan2)) => Some(BinaryOperator::Atan2),
            _ => None,
        }
    }

    /// A number with or without a sign, where no expression could stand.
    fn signed_number(&mut self, place: Context) -> Result<Number, Located> {
        let sign = self.unary_operator();
        if sign.is_some() {
            self.advance()?;
        }
        let number = self.take_number()?.ok_or_else(|| self.unexpected(place))?;
        Ok(match sign {
            Some(UnaryOperator::Minus) => number.negated(),
            Some(UnaryOperator::Plus) | None => number,
        })
    }

    /// Passes a number, or a word for one.
    fn take_number(&mut self) -> Result<Option<Number>, Located> {
        let number = match (self.token.kind, self.keyword) {
            (TokenKind::Number(number), _) => number,
            (_, Some(Keyword::Infinity)) => Number::new(f64::INFINITY),
            (_, Some(Keyword::NaN)) => Number::new(f64::NAN),
            _ => return Ok(None),
        };
        self.advance()?;
        Ok(Some(number))
    }

    fn text(&mut self) -> Result<StringLiteral, Located> {
        let token = self.advance()?;
        string::unquote(self.lexer.at(token.span), token.span)
    }

    /// A text that names or matches a label.
    fn label_text(&mut self) -> Result<String, Located> {
        let literal = self.text()?;
        let text = literal.as_str().map(ToOwned::to_owned);
        text.ok_or_else(|| Fault::NotUtf8.at(self.last))
    }
}

/// Tokens, depth and faults.
impl<'a> Parser<'a> {
    fn new(text: &'a str, features: Features) -> Result<Self, Located> {
        let start = Span::default();
        if text.len() > QUERY_BYTES {
            return Err(Fault::TooLarge(text.len()).at(start));
        }
        let mut parser = Self {
            lexer: Lexer::new(text),
            features,
            token: Token {
                kind: TokenKind::End,
                span: start,
            },
            keyword: None,
            last: start,
            open: 0,
            depth: 0,
            patterns: 0,
        };
        parser.advance()?;
        Ok(parser)
    }

    /// Passes the next token.
    fn advance(&mut self) -> Result<Token, Located> {
        let passed = self.token;
        match passed.kind {
            TokenKind::LeftParenthesis => self.open += 1,
            TokenKind::RightParenthesis => self.open = self.open.saturating_sub(1),
            _ => {}
        }
        self.last = passed.span;
        self.token = self.lexer.next()?;
        self.keyword = keyword(&self.lexer, self.token);
        Ok(passed)
    }

    /// The token behind the next one, and what keyword it is.
    fn ahead(&self) -> (Option<TokenKind>, Option<Keyword>) {
        let mut lexer = self.lexer.clone();
        match lexer.next() {
            Ok(token) => (Some(token.kind), keyword(&lexer, token)),
            // It will be told when it is reached.
            Err(_) => (None, None),
        }
    }

    /// The next token's text.
    fn word(&self) -> &'a str {
        self.lexer.at(self.token.span)
    }

    fn take(&mut self, kind: TokenKind) -> Result<bool, Located> {
        let is_next = self.token.kind == kind;
        if is_next {
            self.advance()?;
        }
        Ok(is_next)
    }

    fn take_keyword(&mut self, keyword: Keyword) -> Result<bool, Located> {
        let is_next = self.keyword == Some(keyword);
        if is_next {
            self.advance()?;
        }
        Ok(is_next)
    }

    fn expect(&mut self, kind: TokenKind, context: Context) -> Result<(), Located> {
        if self.take(kind)? {
            Ok(())
        } else {
            Err(self.unexpected(context))
        }
    }

    /// That the next token is not what could stand here.
    fn unexpected(&self, context: Context) -> Located {
        if self.token.kind == TokenKind::End && self.open > 0 {
            return Fault::UnclosedParenthesis.at(self.token.span);
        }
        let found = self.lexer.described(self.token);
        Fault::Unexpected { found, context }.at(self.token.span)
    }

    /// Begins a production that may contain itself; its end is one less deep. After a
    /// fault nothing is read, so that nobody asks how deep that was.
    fn descend(&mut self) -> Result<(), Located> {
        if self.depth == DEPTH {
            return Err(Fault::TooDeep.at(self.token.span));
        }
        self.depth += 1;
        Ok(())
    }

    /// A node, if the tree below it is not too high: chains of operators and of
    /// subqueries grow upwards without a production inside another.
    fn node(&self, kind: ExprKind, span: Span) -> Result<Expr, Located> {
        let expr = Expr::new(kind, span);
        if expr.height() > DEPTH {
            return Err(Fault::TooDeep.at(span));
        }
        Ok(expr)
    }
}

fn keyword(lexer: &Lexer<'_>, token: Token) -> Option<Keyword> {
    match token.kind {
        TokenKind::Word => Keyword::of(lexer.at(token.span)),
        _ => None,
    }
}
