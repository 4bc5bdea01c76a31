//! The canonical text of a tree: two spaces for each level, one line for each
//! entry, quotes only where they are needed, every comment kept.
//!
//! What it prints, `parser` reads as the same tree, so printing what was read
//! from it changes nothing. It checks nothing: a tree nested deeper than
//! [`DEPTH`](super::DEPTH) is printed too, and cannot be read again.

use super::scalar::is_bare_key;
use super::time;
use super::tree::{Comment, Item, List, Mapping, Node, Notes, Scalar, Tree};

/// What one level adds to an indentation.
const STEP: usize = 2;

/// Writes a tree as text.
pub fn print(tree: &Tree<'_>) -> String {
    let mut printer = Printer::default();
    printer.comments(&tree.comments, 0);
    let roots = tree.documents.iter().map(|document| &document.root);
    for (index, root) in roots.filter(|root| !root.entries.is_empty()).enumerate() {
        if index > 0 {
            printer.out.push_str("---\n");
        }
        printer.mapping(root, 0, false);
    }
    printer.out
}

/// Appends one item of a list to a text, as it stands `level` levels deep: for a list
/// that is written as its items come.
pub fn print_item(out: &mut String, item: &Item<'_>, level: usize) {
    let mut printer = Printer {
        out: std::mem::take(out),
    };
    let column = level * STEP;
    printer.begin_line(&item.notes, column);
    printer.out.push('-');
    printer.item(item, column + STEP);
    *out = printer.out;
}

/// A text between quotes, as it stands behind a key: one line, whatever is in it.
pub fn quoted(text: &str) -> String {
    let mut printer = Printer::default();
    printer.quoted(text);
    printer.out
}

/// Whether a character shows what it is: no control characters, no marks that
/// hide or reorder the text around them.
pub(super) const fn is_shown(character: char) -> bool {
    !matches!(character,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{61c}' | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// How a value stands: behind its key or dash, or on the lines below.
enum Shape<'t, 'a> {
    Line(Line<'t, 'a>),
    Block(Block<'t, 'a>),
}

enum Line<'t, 'a> {
    Scalar(&'t Scalar<'a>),
    EmptyMapping,
    EmptyList,
}

enum Block<'t, 'a> {
    Mapping(&'t Mapping<'a>),
    List(&'t List<'a>),
}

impl<'t, 'a> Shape<'t, 'a> {
    fn of(node: &'t Node<'a>) -> Self {
        match node {
            Node::Scalar(scalar) => Self::Line(Line::Scalar(scalar)),
            Node::Mapping(mapping) if mapping.entries.is_empty() => Self::Line(Line::EmptyMapping),
            Node::List(list) if list.items.is_empty() => Self::Line(Line::EmptyList),
            Node::Mapping(mapping) => Self::Block(Block::Mapping(mapping)),
            Node::List(list) => Self::Block(Block::List(list)),
        }
    }
}

impl Block<'_, '_> {
    /// Whether comments stand before its first entry or item.
    fn begins_with_comments(&self) -> bool {
        let first = match self {
            Block::Mapping(mapping) => mapping.entries.first().map(|entry| &entry.notes),
            Block::List(list) => list.items.first().map(|item| &item.notes),
        };
        first.is_some_and(|notes| !notes.before().is_empty())
    }
}

#[derive(Default)]
struct Printer {
    out: String,
}

impl Printer {
    /// The entries from `column` on; `begun`, the first one goes on behind a dash.
    fn mapping(&mut self, mapping: &Mapping<'_>, column: usize, begun: bool) {
        for (index, entry) in mapping.entries.iter().enumerate() {
            if index > 0 || !begun {
                self.begin_line(&entry.notes, column);
            }
            self.key(&entry.key.text);
            self.out.push(':');
            match Shape::of(&entry.value.node) {
                Shape::Line(line) => self.line(&line, &entry.notes),
                Shape::Block(block) => {
                    self.end_line(&entry.notes);
                    self.block(&block, column + STEP, false);
                }
            }
        }
        self.comments(&mapping.end, column);
    }

    /// The items from `column` on; `begun`, the first one goes on behind a dash.
    fn list(&mut self, list: &List<'_>, column: usize, begun: bool) {
        for (index, item) in list.items.iter().enumerate() {
            if index > 0 || !begun {
                self.begin_line(&item.notes, column);
            }
            self.out.push('-');
            self.item(item, column + STEP);
        }
        self.comments(&list.end, column);
    }

    /// What follows a dash: on its line, unless a comment comes between.
    fn item(&mut self, item: &Item<'_>, column: usize) {
        match Shape::of(&item.value.node) {
            Shape::Line(line) => self.line(&line, &item.notes),
            Shape::Block(block) if item.notes.after().is_some() || block.begins_with_comments() => {
                self.end_line(&item.notes);
                self.block(&block, column, false);
            }
            Shape::Block(block) => {
                self.out.push(' ');
                self.block(&block, column, true);
            }
        }
    }

    fn block(&mut self, block: &Block<'_, '_>, column: usize, begun: bool) {
        match block {
            Block::Mapping(mapping) => self.mapping(mapping, column, begun),
            Block::List(list) => self.list(list, column, begun),
        }
    }

    fn line(&mut self, line: &Line<'_, '_>, notes: &Notes<'_>) {
        self.out.push(' ');
        match line {
            Line::Scalar(scalar) => self.scalar(scalar),
            Line::EmptyMapping => self.out.push_str("{}"),
            Line::EmptyList => self.out.push_str("[]"),
        }
        self.end_line(notes);
    }

    fn begin_line(&mut self, notes: &Notes<'_>, column: usize) {
        self.comments(notes.before(), column);
        self.indent(column);
    }

    fn end_line(&mut self, notes: &Notes<'_>) {
        if let Some(comment) = notes.after() {
            self.out.push(' ');
            self.out.push_str(comment.as_str());
        }
        self.out.push('\n');
    }

    fn comments(&mut self, comments: &[Comment<'_>], column: usize) {
        for comment in comments {
            self.indent(column);
            self.out.push_str(comment.as_str());
            self.out.push('\n');
        }
    }

    fn indent(&mut self, column: usize) {
        self.out.extend(std::iter::repeat_n(' ', column));
    }

    fn key(&mut self, text: &str) {
        if is_bare_key(text) {
            self.out.push_str(text);
        } else {
            self.quoted(text);
        }
    }

    fn scalar(&mut self, scalar: &Scalar<'_>) {
        match scalar {
            Scalar::Text(text) => self.quoted(text),
            Scalar::Integer(number) => self.out.push_str(&number.to_string()),
            Scalar::Float(number) => self.out.push_str(&number.to_string()),
            Scalar::Boolean(true) => self.out.push_str("true"),
            Scalar::Boolean(false) => self.out.push_str("false"),
            Scalar::Timestamp(timestamp) => time::write(&mut self.out, *timestamp),
        }
    }

    /// Text between quotes; what would not show is written as an escape.
    fn quoted(&mut self, text: &str) {
        let is_special = |c: char| matches!(c, '"' | '\\') || !is_shown(c);
        self.out.push('"');
        let mut rest = text;
        while let Some(at) = rest.find(is_special) {
            self.out.push_str(&rest[..at]);
            let mut characters = rest[at..].chars();
            if let Some(character) = characters.next() {
                self.escape(character);
            }
            rest = characters.as_str();
        }
        self.out.push_str(rest);
        self.out.push('"');
    }

    fn escape(&mut self, character: char) {
        match character {
            '"' => self.out.push_str("\\\""),
            '\\' => self.out.push_str("\\\\"),
            '\n' => self.out.push_str("\\n"),
            '\r' => self.out.push_str("\\r"),
            '\t' => self.out.push_str("\\t"),
            '\0' => self.out.push_str("\\0"),
            other => self.out.extend(other.escape_unicode()),
        }
    }
}
