//! From tokens to a tree: one function for each production of docs/metadata.md.
//!
//! It always gives a tree. What is wrong is a problem at its place; the entry or
//! item that it makes meaningless is left out, and reading goes on with the next
//! one. Where a slip has one obvious meaning (text without quotes, a list as far
//! left as its key), that is taken after it was reported.
//!
//! Nesting is bounded here: each level is a call, and [`DEPTH`] of them are made.

use std::borrow::Cow;
use std::collections::HashSet;
use std::mem;

use super::fault::{Fault, shown};
use super::lexer::Lexer;
use super::problem::{Problem, Problems};
use super::scalar;
use super::token::{Quoting, Source, Span, Token, TokenKind};
use super::tree::{
    Comment, Document, Entry, Item, Key, List, Mapping, Node, Notes, Scalar, Tree, Value,
};

/// Deepest nesting of mappings and lists below a document's root: beyond what
/// anyone reads, and far within any thread's stack.
pub const DEPTH: usize = 64;

/// Mappings up to this many entries are searched for duplicate keys pair by
/// pair, which is quicker than hashing them.
const PAIRWISE: usize = 12;

/// What was read of a text.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed<'a> {
    /// What could be understood: all of it when there are no problems.
    pub tree: Tree<'a>,
    /// What is wrong, in the order of the text; at most [`PROBLEMS`](super::PROBLEMS).
    pub problems: Vec<Problem>,
    /// How many problems more there were.
    pub more_problems: usize,
}

/// Reads a text.
pub fn parse(source: Source<'_>) -> Parsed<'_> {
    finish(source, Parser::new(source))
}

/// Reads a text, and gives the items of the lists at one place to whoever takes them,
/// as they come: the tree has such a list without its items, so that a text of a million
/// of them makes no tree of a million.
pub fn parse_items<'a>(
    source: Source<'a>,
    place: ItemPlace,
    mut take: impl FnMut(Item<'a>, &mut Problems),
) -> Parsed<'a> {
    let mut parser = Parser::new(source);
    parser.stream = Some(Stream {
        place,
        matched: 0,
        take: &mut take,
    });
    finish(source, parser)
}

/// Which lists [`parse_items`] gives away: those of a key beneath a root key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ItemPlace {
    /// The root key.
    pub root: &'static str,
    /// The key beneath it.
    pub key: &'static str,
}

fn finish<'a>(source: Source<'a>, mut parser: Parser<'a, '_>) -> Parsed<'a> {
    let tree = parser.tree();
    let (problems, more_problems) = parser.problems.locate(source);
    Parsed {
        tree,
        problems,
        more_problems,
    }
}

struct Parser<'a, 's> {
    source: Source<'a>,
    lexer: Lexer<'a>,
    problems: Problems,
    /// The token that comes next.
    next: Token,
    /// The last token with bytes in the tree: where a value has ended.
    last: Span,
    /// Comments on lines of their own that nothing has taken yet.
    pending: Vec<Comment<'a>>,
    /// Blocks around the next token.
    depth: usize,
    /// Where items go that are not kept.
    stream: Option<Stream<'a, 's>>,
}

struct Stream<'a, 's> {
    place: ItemPlace,
    /// How many keys of the place are those around the next token.
    matched: usize,
    take: &'s mut dyn FnMut(Item<'a>, &mut Problems),
}

/// What an indented block holds.
enum Block<'a> {
    /// A mapping or a list.
    Nested(Value<'a>),
    /// A scalar on a line of its own, and the comments around it.
    Line(Value<'a>, Vec<Comment<'a>>, Option<Comment<'a>>),
}

/// Depths of the mappings whose keys make a place: a document's, and its root key's.
const ROOT: usize = 0;
const BENEATH: usize = 1;

impl Stream<'_, '_> {
    /// Takes note of a key of the mapping that is `depth` deep.
    fn enter(&mut self, depth: usize, key: &str) {
        match depth {
            ROOT => self.matched = usize::from(key == self.place.root),
            BENEATH if self.matched > 0 => self.matched = 1 + usize::from(key == self.place.key),
            _ => {}
        }
    }

    /// Whether the items of a list that is `depth` deep are given away.
    const fn wants(&self, depth: usize) -> bool {
        depth == BENEATH + 1 && self.matched == 2
    }
}

impl<'a> Parser<'a, '_> {
    fn new(source: Source<'a>) -> Self {
        let mut lexer = Lexer::new(source);
        let mut problems = Problems::default();
        let next = lexer.next_token(&mut problems);
        Self {
            source,
            lexer,
            problems,
            next,
            last: Span::default(),
            pending: Vec::new(),
            depth: 0,
            stream: None,
        }
    }

    /// `tree = { document | break }`
    fn tree(&mut self) -> Tree<'a> {
        let mut tree = Tree::default();
        loop {
            self.comments();
            match self.next.kind {
                TokenKind::End => break,
                TokenKind::DocumentBreak => {
                    self.bump();
                    let comment = self.line_end();
                    self.pending.extend(comment);
                }
                TokenKind::Dash => {
                    self.problems.add(Fault::RootNotMapping, self.next.span);
                    self.list(false);
                }
                _ => {
                    let root = self.mapping();
                    if !root.entries.is_empty() {
                        tree.documents.push(Document { root });
                    }
                }
            }
        }
        let left = mem::take(&mut self.pending);
        match tree.documents.last_mut() {
            Some(document) => document.root.end.extend(left),
            None => tree.comments = left,
        }
        tree
    }

    /// `mapping = { entry }`, up to the end of its block, which is not taken.
    fn mapping(&mut self) -> Mapping<'a> {
        let mut entries = Vec::new();
        // Blocks that were opened where none belongs: their lines count as ours.
        let mut strays = 0;
        loop {
            match self.next.kind {
                TokenKind::Key(quoting) => entries.extend(self.entry(quoting)),
                TokenKind::CommentLine => self.comments(),
                TokenKind::Dedent if strays > 0 => {
                    strays -= 1;
                    self.bump();
                }
                TokenKind::Dedent | TokenKind::End | TokenKind::DocumentBreak => break,
                TokenKind::Indent => {
                    strays += 1;
                    self.stray();
                }
                TokenKind::Newline => self.bump(),
                TokenKind::Text(_) | TokenKind::Number => self.skip(Fault::ExpectedColon),
                TokenKind::Dash => self.skip(Fault::DashAmongKeys),
                _ => self.skip(Fault::ExpectedKey),
            }
        }
        self.drop_duplicates(&mut entries);
        let end = self.block_comments(entries.is_empty());
        Mapping { entries, end }
    }

    /// `entry = key ":" value`; `None` when the value means nothing.
    fn entry(&mut self, quoting: Quoting) -> Option<Entry<'a>> {
        let before = mem::take(&mut self.pending);
        let key = self.key(quoting);
        if let Some(stream) = &mut self.stream {
            stream.enter(self.depth, &key.text);
        }
        let (value, notes) = self.value(before, key.span, true)?;
        Some(Entry { key, value, notes })
    }

    /// `key = bare key | quoted text`; the lexer has seen the colon.
    fn key(&mut self, quoting: Quoting) -> Key<'a> {
        let span = self.next.span;
        self.bump();
        let text = self.text(span, quoting);
        if quoting == Quoting::Bare && !scalar::is_bare_key(&text) {
            self.problems.add(Fault::UnquotedKey, span);
        }
        Key { text, span }
    }

    /// `list = { item }`, up to the end of its block, which is not taken. A
    /// `flush` list has no block of its own: the next key of its mapping ends it.
    fn list(&mut self, flush: bool) -> List<'a> {
        let mut items = Vec::new();
        let mut strays = 0;
        loop {
            match self.next.kind {
                TokenKind::Dash => {
                    let item = self.item();
                    items.extend(item.and_then(|item| self.keep(item)));
                }
                TokenKind::CommentLine => self.comments(),
                TokenKind::Dedent if strays > 0 => {
                    strays -= 1;
                    self.bump();
                }
                TokenKind::Dedent | TokenKind::End | TokenKind::DocumentBreak => break,
                TokenKind::Indent => {
                    strays += 1;
                    self.stray();
                }
                TokenKind::Newline => self.bump(),
                _ if flush && strays == 0 => break,
                _ => self.skip(Fault::KeyAmongItems),
            }
        }
        let end = self.block_comments(items.is_empty() || flush);
        List { items, end }
    }

    /// An item, unless it is given away.
    fn keep(&mut self, item: Item<'a>) -> Option<Item<'a>> {
        match &mut self.stream {
            Some(stream) if stream.wants(self.depth) => {
                (stream.take)(item, &mut self.problems);
                None
            }
            _ => Some(item),
        }
    }

    /// `item = "-" value`; `None` when the value means nothing.
    fn item(&mut self) -> Option<Item<'a>> {
        let before = mem::take(&mut self.pending);
        let dash = self.next.span;
        self.bump();
        let (value, notes) = self.value(before, dash, false)?;
        Some(Item { value, notes })
    }

    /// `value = scalar line | [comment] newline block`, behind the key or dash at
    /// `owner`. Behind a dash, a block can begin on the same line.
    fn value(
        &mut self,
        before: Vec<Comment<'a>>,
        owner: Span,
        keyed: bool,
    ) -> Option<(Value<'a>, Notes<'a>)> {
        let after = match self.next.kind {
            TokenKind::Newline | TokenKind::Comment => self.line_end(),
            TokenKind::Indent => None,
            _ => {
                let Some(value) = self.scalar() else {
                    self.skip_rest();
                    return None;
                };
                let after = self.line_end();
                return Some((value, Notes::new(before, after)));
            }
        };
        match self.block(owner, keyed)? {
            Block::Nested(value) => Some((value, Notes::new(before, after))),
            Block::Line(value, own, end) => {
                let before = before.into_iter().chain(after).chain(own).collect();
                Some((value, Notes::new(before, end)))
            }
        }
    }

    /// `block = indent (mapping | list | scalar line) dedent`
    fn block(&mut self, owner: Span, keyed: bool) -> Option<Block<'a>> {
        if self.next.kind == TokenKind::Indent {
            self.bump();
            let block = self.block_content();
            self.close_block();
            return block;
        }
        self.comments();
        if keyed && self.next.kind == TokenKind::Dash {
            self.problems.add(Fault::ListNotIndented, self.next.span);
            return self.collection(true);
        }
        self.problems.add(Fault::MissingValue, owner);
        None
    }

    /// The inside of a block, told apart by its first token.
    fn block_content(&mut self) -> Option<Block<'a>> {
        self.comments();
        if matches!(self.next.kind, TokenKind::Dash | TokenKind::Key(_)) {
            return self.collection(false);
        }
        let before = mem::take(&mut self.pending);
        let value = self.scalar();
        let after = self.line_end();
        Some(Block::Line(value?, before, after))
    }

    /// A mapping or list; `None` when it is too deep or nothing of it is left.
    fn collection(&mut self, flush: bool) -> Option<Block<'a>> {
        let start = self.next.span;
        let is_list = self.next.kind == TokenKind::Dash;
        if self.depth == DEPTH {
            self.problems.add(Fault::TooDeep, start);
            self.skip_collection(flush);
            return None;
        }
        self.depth += 1;
        let (node, empty) = if is_list {
            let list = self.list(flush);
            let given_away = self.stream.as_ref().is_some_and(|it| it.wants(self.depth));
            let empty = list.items.is_empty() && !given_away;
            (Node::List(list), empty)
        } else {
            let mapping = self.mapping();
            let empty = mapping.entries.is_empty();
            (Node::Mapping(mapping), empty)
        };
        self.depth -= 1;
        let span = start.to(self.last);
        (!empty).then_some(Block::Nested(Value { node, span }))
    }

    /// The end of a block, behind whatever else is in it.
    fn close_block(&mut self) {
        loop {
            match self.next.kind {
                TokenKind::CommentLine => self.comments(),
                TokenKind::Dedent => return self.bump(),
                TokenKind::End => return,
                _ => self.skip(Fault::BesideScalar),
            }
        }
    }

    /// `scalar = text | number | timestamp | "true" | "false" | "[]" | "{}"`;
    /// `None` when it means nothing.
    fn scalar(&mut self) -> Option<Value<'a>> {
        let Token { kind, span } = self.next;
        let node = match kind {
            TokenKind::Text(Quoting::Bare) | TokenKind::Colon => return self.bare_text(),
            TokenKind::Text(quoting) => {
                self.bump();
                Node::Scalar(Scalar::Text(self.text(span, quoting)))
            }
            TokenKind::Number => {
                self.bump();
                match scalar::number(self.source.at(span)) {
                    Ok(scalar) => Node::Scalar(scalar),
                    Err(fault) => return self.refuse(fault, span),
                }
            }
            TokenKind::EmptyList => {
                self.bump();
                Node::List(List::default())
            }
            TokenKind::EmptyMapping => {
                self.bump();
                Node::Mapping(Mapping::default())
            }
            TokenKind::Bracket => return self.refuse(Fault::InlineCollection, span),
            TokenKind::Key(_) => return self.refuse(Fault::InlineMapping, span),
            _ => return self.refuse(Fault::MissingValue, span),
        };
        Some(Value { node, span })
    }

    /// A keyword; or text without quotes, which is taken up to the end of its line.
    fn bare_text(&mut self) -> Option<Value<'a>> {
        let start = self.next.span;
        let boolean = match self.source.at(start) {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        };
        self.bump();
        if let Some(boolean) = boolean {
            let node = Node::Scalar(Scalar::Boolean(boolean));
            return Some(Value { node, span: start });
        }
        if self.source.at(start) == "-" {
            return self.refuse(Fault::InlineList, start);
        }
        self.skip_line();
        let span = start.to(self.last);
        self.problems.add(Fault::UnquotedText, span);
        let text = Cow::Borrowed(self.source.at(span));
        let node = Node::Scalar(Scalar::Text(text));
        Some(Value { node, span })
    }

    fn refuse(&mut self, fault: Fault, span: Span) -> Option<Value<'a>> {
        self.problems.add(fault, span);
        self.skip_line();
        None
    }

    /// The text of a token, without quotes and escapes.
    fn text(&mut self, span: Span, quoting: Quoting) -> Cow<'a, str> {
        let text = self.source.at(span);
        match quoting {
            Quoting::Bare => Cow::Borrowed(text),
            Quoting::Plain => Cow::Borrowed(&text[1..text.len() - 1]),
            Quoting::Escaped => {
                let start = span.start as usize + 1;
                scalar::unescape(&text[1..text.len() - 1], start, &mut self.problems)
            }
            Quoting::Unclosed => {
                self.problems.add(Fault::UnclosedString, span);
                Cow::Borrowed(&text[1..])
            }
        }
    }

    /// `line end = [comment] newline`
    fn line_end(&mut self) -> Option<Comment<'a>> {
        if !matches!(
            self.next.kind,
            TokenKind::Comment | TokenKind::Newline | TokenKind::End
        ) {
            let start = self.next.span;
            self.skip_line();
            self.problems.add(Fault::TrailingText, start.to(self.last));
        }
        let mut comment = None;
        if self.next.kind == TokenKind::Comment {
            comment = Some(Comment::read(self.source.at(self.next.span)));
            self.bump();
        }
        if self.next.kind == TokenKind::Newline {
            self.bump();
        }
        comment
    }

    /// Keeps the comments that have lines of their own for what follows them.
    fn comments(&mut self) {
        while self.next.kind == TokenKind::CommentLine {
            let comment = Comment::read(self.source.at(self.next.span));
            self.pending.push(comment);
            self.bump();
        }
    }

    /// The comments that nothing in a block followed; those of a block that is
    /// left out, or has no end of its own, go to what follows it.
    fn block_comments(&mut self, left: bool) -> Vec<Comment<'a>> {
        if left {
            Vec::new()
        } else {
            mem::take(&mut self.pending)
        }
    }

    /// Enters a block that nothing opened.
    fn stray(&mut self) {
        self.bump();
        let fault = Fault::UnexpectedIndentation;
        self.problems.add(fault, self.next.span);
    }

    /// Reports the next token and leaves out its line and the block below it.
    fn skip(&mut self, fault: Fault) {
        self.problems.add(fault, self.next.span);
        self.skip_rest();
    }

    /// Goes to the next line that is not deeper, or to the end of the block. It
    /// takes a token at least, unless the block ends here.
    fn skip_rest(&mut self) {
        let mut depth = 0_usize;
        loop {
            match self.next.kind {
                TokenKind::End => return,
                TokenKind::Dedent if depth == 0 => return,
                TokenKind::Indent => depth += 1,
                TokenKind::Dedent => depth -= 1,
                _ => {}
            }
            let line_ended = matches!(self.next.kind, TokenKind::Newline | TokenKind::Dedent);
            self.bump();
            if depth == 0 && line_ended && self.next.kind != TokenKind::Indent {
                return;
            }
        }
    }

    /// Goes to the end of the block, or behind the items of a `flush` list.
    fn skip_collection(&mut self, flush: bool) {
        loop {
            self.skip_rest();
            match self.next.kind {
                TokenKind::End | TokenKind::Dedent => return,
                TokenKind::Dash => {}
                _ if flush => return,
                _ => {}
            }
        }
    }

    /// Goes to the end of the line, or to the comment there.
    fn skip_line(&mut self) {
        while !matches!(
            self.next.kind,
            TokenKind::Newline | TokenKind::Comment | TokenKind::End
        ) {
            self.bump();
        }
    }

    /// Leaves out entries whose key came before.
    fn drop_duplicates(&mut self, entries: &mut Vec<Entry<'a>>) {
        let duplicates: Vec<usize> = if entries.len() <= PAIRWISE {
            let is_duplicate =
                |&at: &usize| entries[..at].iter().any(|it| it.key == entries[at].key);
            (1..entries.len()).filter(is_duplicate).collect()
        } else {
            let mut seen = HashSet::with_capacity(entries.len());
            let keys = entries.iter().map(|entry| &*entry.key.text).enumerate();
            keys.filter(|(_, key)| !seen.insert(*key))
                .map(|(at, _)| at)
                .collect()
        };
        for at in &duplicates {
            let key = &entries[*at].key;
            let duplicate = Fault::DuplicateKey(shown(&key.text));
            self.problems.add(duplicate, key.span);
        }
        if !duplicates.is_empty() {
            let mut duplicates = duplicates.into_iter().peekable();
            let mut at = 0;
            entries.retain(|_| {
                let keep = duplicates.next_if_eq(&at).is_none();
                at += 1;
                keep
            });
        }
    }

    /// Takes the next token.
    fn bump(&mut self) {
        if self.next.span.start < self.next.span.end && self.is_content() {
            self.last = self.next.span;
        }
        self.next = self.lexer.next_token(&mut self.problems);
    }

    /// Whether the next token is part of a value, not of the layout.
    const fn is_content(&self) -> bool {
        !matches!(
            self.next.kind,
            TokenKind::Newline | TokenKind::Comment | TokenKind::CommentLine
        )
    }
}
