//! From a query to tokens: words, numbers, texts in quotes and signs, without blanks and
//! comments.
//!
//! A colon belongs to a name outside brackets and stands alone between them, and braces
//! have operators of their own, so the lexer remembers in which of them it is. What a
//! word means is decided by `parser`; texts in quotes are read by `string`.

use super::ast::Span;
use super::duration::{self, NotADuration};
use super::duration_expr::DurationFault;
use super::error::{Fault, Located, shown};
use super::keyword::Keyword;
use super::matcher::MatchOperator;
use super::number::{self, NotANumber, Number};
use super::operator::BinaryOperator;
use super::string;

/// One token.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    /// Where it lies; empty for the end.
    pub(super) span: Span,
}

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum TokenKind {
    /// A name or a keyword.
    Word,
    /// A number or a duration.
    Number(Number),
    /// A text, with its quotes.
    Text,
    /// An operator that is no word.
    Operator(BinaryOperator),
    /// An operator between braces.
    Match(MatchOperator),
    /// `=` outside braces, where it means nothing.
    Assign,
    LeftParenthesis,
    RightParenthesis,
    LeftBrace,
    RightBrace,
    LeftBracket,
    RightBracket,
    Comma,
    Colon,
    At,
    /// Nothing follows.
    End,
}

/// Reads a query token by token; a copy of it looks ahead.
#[derive(Debug, Clone)]
pub(super) struct Lexer<'a> {
    text: &'a str,
    position: usize,
    place: Place,
}

/// Between what the lexer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Outside,
    Braces,
    Brackets,
}

impl<'a> Lexer<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self {
            text,
            position: 0,
            place: Place::Outside,
        }
    }

    /// What lies at a span.
    pub(super) fn at(&self, span: Span) -> &'a str {
        &self.text[span.start as usize..span.end as usize]
    }

    /// How a message names a token, as Prometheus' do.
    pub(super) fn described(&self, token: Token) -> String {
        let text = &shown(self.at(token.span));
        match token.kind {
            TokenKind::End => "end of input".to_owned(),
            TokenKind::Number(_) => format!("number {text:?}"),
            TokenKind::Text => format!("string {}", string::quote(text.as_bytes())),
            TokenKind::Operator(_) => format!("<op:{text}>"),
            TokenKind::At => "<op:@>".to_owned(),
            TokenKind::Word => match Keyword::of(text) {
                Some(keyword) => keyword.described(text),
                None if text.contains(':') => format!("metric identifier {text:?}"),
                None => format!("identifier {text:?}"),
            },
            _ => format!("{text:?}"),
        }
    }

    /// The next token; behind the last one there are only ends.
    pub(super) fn next(&mut self) -> Result<Token, Located> {
        self.skip_blanks();
        let start = self.position;
        let kind = match self.peek() {
            None => self.end()?,
            Some(first) => match self.place {
                Place::Outside => self.outside(first)?,
                Place::Braces => self.in_braces(first)?,
                Place::Brackets => self.in_brackets(first)?,
            },
        };
        let span = Span::new(start, self.position);
        Ok(Token { kind, span })
    }

    fn end(&self) -> Result<TokenKind, Located> {
        let fault = match self.place {
            Place::Outside => return Ok(TokenKind::End),
            Place::Braces => Fault::UnclosedBrace,
            Place::Brackets => Fault::UnclosedBracket,
        };
        Err(fault.at(Span::new(self.position, self.position)))
    }

    fn outside(&mut self, first: char) -> Result<TokenKind, Located> {
        match first {
            '(' => Ok(self.sign(TokenKind::LeftParenthesis)),
            ')' => Ok(self.sign(TokenKind::RightParenthesis)),
            '{' => Ok(self.enter(Place::Braces, TokenKind::LeftBrace)),
            '[' => Ok(self.enter(Place::Brackets, TokenKind::LeftBracket)),
            ',' => Ok(self.sign(TokenKind::Comma)),
            '@' => Ok(self.sign(TokenKind::At)),
            '=' | '!' | '<' | '>' => self.comparison(first),
            '"' | '\'' | '`' => self.quoted(first),
            ':' => Ok(self.word(|c| c == ':')),
            _ if is_word_start(first) => Ok(self.word(|c| c == ':')),
            _ => self.arithmetic(first, Fault::UnexpectedCharacter),
        }
    }

    fn in_braces(&mut self, first: char) -> Result<TokenKind, Located> {
        match first {
            '}' => Ok(self.enter(Place::Outside, TokenKind::RightBrace)),
            ',' => Ok(self.sign(TokenKind::Comma)),
            '=' | '!' => self.matching(first),
            '"' | '\'' | '`' => self.quoted(first),
            _ if is_word_start(first) => Ok(self.word(|_| false)),
            _ => Err(self.fault_of_character(Fault::UnexpectedInBraces(first))),
        }
    }

    fn in_brackets(&mut self, first: char) -> Result<TokenKind, Located> {
        match first {
            ']' => Ok(self.enter(Place::Outside, TokenKind::RightBracket)),
            '(' => Ok(self.sign(TokenKind::LeftParenthesis)),
            ')' => Ok(self.sign(TokenKind::RightParenthesis)),
            ',' => Ok(self.sign(TokenKind::Comma)),
            ':' => Ok(self.sign(TokenKind::Colon)),
            _ if is_word_start(first) => Ok(self.word(|_| false)),
            _ => self.arithmetic(first, Fault::UnexpectedInBrackets),
        }
    }

    /// Signs of arithmetic and numbers, which stand outside and between brackets.
    fn arithmetic(
        &mut self,
        first: char,
        unexpected: fn(char) -> Fault,
    ) -> Result<TokenKind, Located> {
        let operator = match first {
            '+' => BinaryOperator::Add,
            '-' => BinaryOperator::Subtract,
            '*' => BinaryOperator::Multiply,
            '/' => BinaryOperator::Divide,
            '%' => BinaryOperator::Modulo,
            '^' => BinaryOperator::Power,
            _ if first.is_ascii_digit() || first == '.' && self.digit_follows() => {
                return self.number();
            }
            _ => return Err(self.fault_of_character(unexpected(first))),
        };
        Ok(self.sign(TokenKind::Operator(operator)))
    }

    fn comparison(&mut self, first: char) -> Result<TokenKind, Located> {
        self.position += 1;
        let operator = match (first, self.peek()) {
            ('=', Some('=')) => BinaryOperator::Equal,
            ('=', Some('~')) => {
                return Err(self.fault_of_character(Fault::UnexpectedAfter('=', '~')));
            }
            ('=', _) => return Ok(TokenKind::Assign),
            ('!', Some('=')) => BinaryOperator::NotEqual,
            ('!', found) => return Err(self.unexpected_after(first, found)),
            ('<', Some('=')) => BinaryOperator::LessOrEqual,
            ('<', Some('/')) => BinaryOperator::TrimUpper,
            ('<', _) => return Ok(TokenKind::Operator(BinaryOperator::Less)),
            (_, Some('=')) => BinaryOperator::GreaterOrEqual,
            (_, Some('/')) => BinaryOperator::TrimLower,
            (_, _) => return Ok(TokenKind::Operator(BinaryOperator::Greater)),
        };
        Ok(self.sign(TokenKind::Operator(operator)))
    }

    fn matching(&mut self, first: char) -> Result<TokenKind, Located> {
        self.position += 1;
        let operator = match (first, self.peek()) {
            ('=', Some('~')) => MatchOperator::Matches,
            ('=', _) => return Ok(TokenKind::Match(MatchOperator::Equal)),
            (_, Some('=')) => MatchOperator::NotEqual,
            (_, Some('~')) => MatchOperator::NotMatches,
            (_, found) => return Err(self.unexpected_after(first, found)),
        };
        Ok(self.sign(TokenKind::Match(operator)))
    }

    fn quoted(&mut self, quote: char) -> Result<TokenKind, Located> {
        let start = self.position;
        self.position += 1;
        while let Some(character) = self.peek() {
            self.position += character.len_utf8();
            match character {
                _ if character == quote => return Ok(TokenKind::Text),
                '\\' if quote != '`' => {
                    self.position += self.peek().map_or(0, char::len_utf8);
                }
                '\n' if quote != '`' => break,
                _ => {}
            }
        }
        let fault = match quote {
            '`' => Fault::UnterminatedRawString,
            _ => Fault::UnterminatedString,
        };
        Err(fault.at(Span::new(start, self.position)))
    }

    /// Letters, digits and underscores, and what else belongs to a word here.
    fn word(&mut self, is_also: fn(char) -> bool) -> TokenKind {
        let rest = &self.text[self.position..];
        let is_part = |c: char| is_word_start(c) || c.is_ascii_digit() || is_also(c);
        let length = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        self.position += length;
        TokenKind::Word
    }

    fn number(&mut self) -> Result<TokenKind, Located> {
        let start = self.position;
        self.position += number_length(&self.text[start..]);
        let text = &self.text[start..self.position];
        let fault = match number::parse(text) {
            Ok(value) => return Ok(TokenKind::Number(Number::new(value))),
            Err(NotANumber::Range) => Fault::NumberRange(shown(text)),
            Err(NotANumber::Syntax) => match duration::parse(text) {
                Ok(milliseconds) => {
                    let number = Number::duration(milliseconds as i64);
                    return Ok(TokenKind::Number(number));
                }
                Err(NotADuration::Syntax) => Fault::BadNumber(shown(text)),
                Err(NotADuration::Order) => Fault::BadDuration(shown(text)),
                Err(NotADuration::Range) => DurationFault::OutOfRange.into(),
            },
        };
        Err(fault.at(Span::new(start, self.position)))
    }

    /// Passes a sign, whose last character is one byte.
    const fn sign(&mut self, kind: TokenKind) -> TokenKind {
        self.position += 1;
        kind
    }

    const fn enter(&mut self, place: Place, kind: TokenKind) -> TokenKind {
        self.place = place;
        self.sign(kind)
    }

    fn skip_blanks(&mut self) {
        loop {
            let rest = &self.text[self.position..];
            let text = rest.trim_start_matches([' ', '\t', '\n', '\r']);
            self.position += rest.len() - text.len();
            if !text.starts_with('#') {
                return;
            }
            self.position += text.find(['\n', '\r']).unwrap_or(text.len());
        }
    }

    fn peek(&self) -> Option<char> {
        self.text[self.position..].chars().next()
    }

    fn digit_follows(&self) -> bool {
        let following = self.text.as_bytes().get(self.position + 1);
        following.is_some_and(u8::is_ascii_digit)
    }

    /// A fault of the character that is next.
    fn fault_of_character(&self, fault: Fault) -> Located {
        let length = self.peek().map_or(0, char::len_utf8);
        fault.at(Span::new(self.position, self.position + length))
    }

    fn unexpected_after(&self, first: char, found: Option<char>) -> Located {
        let fault = match found {
            Some(found) => Fault::UnexpectedAfter(first, found),
            None => Fault::UnexpectedCharacter(first),
        };
        self.fault_of_character(fault)
    }
}

/// The length of what looks like a number or a duration: letters, digits, points and
/// underscores, and a sign behind the `e` of a decimal number.
fn number_length(text: &str) -> usize {
    let is_decimal = |c: u8| c.is_ascii_digit() || matches!(c, b'.' | b'_');
    let bytes = text.as_bytes();
    let mut length = 0;
    while let Some(&byte) = bytes.get(length) {
        let is_sign = matches!(byte, b'+' | b'-')
            && matches!(bytes[length - 1], b'e' | b'E')
            && bytes[..length - 1].iter().copied().all(is_decimal);
        if !is_sign && !is_decimal(byte) && !byte.is_ascii_alphabetic() {
            break;
        }
        length += 1;
    }
    length
}

const fn is_word_start(character: char) -> bool {
    character.is_ascii_alphabetic() || character == '_'
}

#[cfg(test)]
mod tests {
    use super::{Lexer, TokenKind};

    /// The tokens as their texts, then the fault that ended them.
    fn tokens(text: &str) -> (Vec<&str>, Option<String>) {
        let mut lexer = Lexer::new(text);
        let mut found = Vec::new();
        loop {
            match lexer.next() {
                Ok(token) if token.kind == TokenKind::End => return (found, None),
                Ok(token) => found.push(lexer.at(token.span)),
                Err(located) => return (found, Some(located.fault.to_string())),
            }
        }
    }

    #[test]
    fn where_tokens_end() {
        let check = |text: &str, expected: &[&str]| {
            let (found, fault) = tokens(text);
            assert_eq!((found.as_slice(), fault), (expected, None), "{text}");
        };
        check(" \t\r\n# nothing\n", &[]);
        check("a:b + :c #d", &["a:b", "+", ":c"]);
        check("x[5m:1m]", &["x", "[", "5m", ":", "1m", "]"]);
        check("x[step():]", &["x", "[", "step", "(", ")", ":", "]"]);
        check("1e-3-5", &["1e-3", "-", "5"]);
        check("0x1e-3", &["0x1e", "-", "3"]);
        check("1h-5", &["1h", "-", "5"]);
        check(".5+5.", &[".5", "+", "5."]);
        check("a<=b</c<d", &["a", "<=", "b", "</", "c", "<", "d"]);
        check("a!=b==c>/d", &["a", "!=", "b", "==", "c", ">/", "d"]);
        check(
            "{a=~'}',b!~\"\\\"\"}",
            &["{", "a", "=~", "'}'", ",", "b", "!~", "\"\\\"\"", "}"],
        );
        check("`\n`", &["`\n`"]);
    }

    #[test]
    fn what_is_no_token() {
        let check = |text: &str, expected: &str| {
            assert_eq!(tokens(text).1.as_deref(), Some(expected), "{text}");
        };
        check("é", "unexpected character: 'é'");
        check(".", "unexpected character: '.'");
        check("1 !~ 1", "unexpected character after '!': '~'");
        check("1 =~ 1", "unexpected character after '=': '~'");
        check("a !", "unexpected character: '!'");
        check("2.5.", "bad number or duration syntax: \"2.5.\"");
        check("0de", "bad number or duration syntax: \"0de\"");
        check("5mm", "bad number or duration syntax: \"5mm\"");
        check("5m1h", "not a valid duration string: \"5m1h\"");
        check("300y", "duration out of range");
        check("1e999", "error parsing number: \"1e999\" is out of range");
        let (long, shown) = ("1x".repeat(1000), "1x".repeat(30));
        check(
            &long,
            &format!("bad number or duration syntax: \"{shown}…\""),
        );
        check("{", "unexpected end of input inside braces");
        check("{a:b}", "unexpected character inside braces: ':'");
        check("{a!b}", "unexpected character after '!': 'b'");
        check("x[", "unexpected end of input in duration expression");
        check(
            "x[\"5m\"]",
            "unexpected character in duration expression: '\"'",
        );
        check("\"a\nb\"", "unterminated quoted string");
        check("\"\\", "unterminated quoted string");
        check("`a", "unterminated raw string");
    }
}
