//! What may stand between an operator and its right operand, `bool` excepted: which
//! series of the two sides belong together. Also lists of labels, wherever they stand.

use super::super::ast::{Fill, Group, Matching, MatchingLabels, Side, Span};
use super::super::error::{Context, Fault, Located};
use super::super::keyword::Keyword;
use super::super::lexer::TokenKind;
use super::super::number::Number;
use super::Parser;

const GROUPING: &str = "grouping opts";
const FILL_VALUE: Context = Context::new("fill modifier", "number");

impl Parser<'_> {
    /// `on (a) group_left (b)`, or nothing.
    pub(super) fn matching(&mut self) -> Result<Matching, Located> {
        let mut matching = Matching::default();
        if let Some(labels) = self.matching_labels()? {
            matching.labels = labels;
            matching.group = self.group()?;
        }
        matching.fill = self.fill()?;
        Ok(matching)
    }

    /// `(a, "b c", d,)`
    pub(super) fn labels(&mut self) -> Result<Vec<String>, Located> {
        self.expect(TokenKind::LeftParenthesis, Context::new(GROUPING, "\"(\""))?;
        let mut labels = Vec::new();
        while !self.take(TokenKind::RightParenthesis)? {
            labels.push(self.label()?);
            let is_last = self.token.kind == TokenKind::RightParenthesis;
            if !is_last {
                let context = Context::new(GROUPING, "\",\" or \")\"");
                self.expect(TokenKind::Comma, context)?;
            }
        }
        Ok(labels)
    }

    fn label(&mut self) -> Result<String, Located> {
        match self.token.kind {
            TokenKind::Text => {
                let label = self.label_text()?;
                if label.is_empty() {
                    return Err(Fault::BadGroupingLabel(label).at(self.last));
                }
                Ok(label)
            }
            TokenKind::Word if self.keyword.is_none_or(Keyword::names_label) => {
                let label = self.word().to_owned();
                self.advance()?;
                Ok(label)
            }
            _ => Err(self.unexpected(Context::new(GROUPING, "label"))),
        }
    }

    /// `on (a)` or `ignoring (a)`
    fn matching_labels(&mut self) -> Result<Option<MatchingLabels>, Located> {
        let labels: fn(Vec<String>) -> MatchingLabels = match self.keyword {
            Some(Keyword::On) => MatchingLabels::On,
            Some(Keyword::Ignoring) => MatchingLabels::Ignoring,
            _ => return Ok(None),
        };
        self.advance()?;
        self.labels().map(labels).map(Some)
    }

    /// `group_left (a)`; the parentheses may be missing, and a parenthesis is always
    /// theirs.
    fn group(&mut self) -> Result<Option<Group>, Located> {
        let many = match self.keyword {
            Some(Keyword::GroupLeft) => Side::Left,
            Some(Keyword::GroupRight) => Side::Right,
            _ => return Ok(None),
        };
        self.advance()?;
        let include = match self.token.kind {
            TokenKind::LeftParenthesis => self.labels()?,
            _ => Vec::new(),
        };
        Ok(Some(Group { many, include }))
    }

    /// `fill (0)`, or one of `fill_left (0)` and `fill_right (0)`, or both.
    fn fill(&mut self) -> Result<Fill, Located> {
        let start = self.token.span;
        let mut fill = Fill::default();
        if let Some(value) = self.fill_value(Keyword::Fill)? {
            (fill.left, fill.right) = (Some(value), Some(value));
        } else {
            fill.left = self.fill_value(Keyword::FillLeft)?;
            fill.right = self.fill_value(Keyword::FillRight)?;
            if fill.left.is_none() {
                fill.left = self.fill_value(Keyword::FillLeft)?;
            }
        }
        self.check_fill(fill, start)
    }

    /// The value behind this word. They are words only before a parenthesis: there were
    /// metrics of these names before.
    fn fill_value(&mut self, word: Keyword) -> Result<Option<Number>, Located> {
        let is_here = self.keyword == Some(word);
        if !is_here || self.ahead().0 != Some(TokenKind::LeftParenthesis) {
            return Ok(None);
        }
        self.advance()?;
        self.advance()?;
        let number = self.signed_number(FILL_VALUE)?;
        self.expect(TokenKind::RightParenthesis, FILL_VALUE)?;
        Ok(Some(number))
    }

    fn check_fill(&self, fill: Fill, start: Span) -> Result<Fill, Located> {
        if fill != Fill::default() && !self.features.binop_fill_modifiers {
            return Err(Fault::FillNotEnabled.at(start.to(self.last)));
        }
        Ok(fill)
    }
}
