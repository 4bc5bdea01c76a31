//! The metadata language's printer: a tree made of any bytes is printed as a text
//! that is read, without problems, as that tree.

#![no_main]

use libfuzzer_sys::fuzz_target;
use meta::Timestamp;
use meta::text::{
    Comment, DEPTH, Document, Entry, Float, Integer, Item, List, Mapping, Node, Notes, Scalar,
    Source, Tree, Value, parse, print,
};

fuzz_target!(|input: &[u8]| {
    let mut bytes = Bytes(input);
    let mut documents = Vec::new();
    while !bytes.0.is_empty() && documents.len() < 4 {
        let root = bytes.mapping(0);
        documents.push(Document { root });
    }
    let tree = Tree {
        documents,
        comments: Vec::new(),
    };
    let text = print(&tree);
    let source = Source::new(text.as_bytes()).expect("the text is UTF-8 and short");
    let parsed = parse(source);
    assert_eq!(parsed.problems, Vec::new(), "{text}");
    assert_eq!(parsed.tree, tree, "{text}");
});

/// What is left of the input; when nothing is, everything is 0.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((&byte, rest)) => {
                self.0 = rest;
                byte
            }
            None => 0,
        }
    }

    fn number(&mut self) -> u64 {
        (0..8).fold(0, |number, _| number << 8 | u64::from(self.byte()))
    }

    /// Up to 15 bytes, as UTF-8 or one character for each.
    fn text(&mut self) -> String {
        let length = usize::from(self.byte() % 16).min(self.0.len());
        let (text, rest) = self.0.split_at(length);
        self.0 = rest;
        match std::str::from_utf8(text) {
            Ok(text) => text.to_owned(),
            Err(_) => text.iter().map(|&byte| char::from(byte)).collect(),
        }
    }

    /// At least one entry; keys are numbered, so that none comes twice.
    fn mapping(&mut self, depth: usize) -> Mapping<'static> {
        let count = 1 + self.byte() % 3;
        let entries = (0..count).map(|number| {
            let mut key = self.text();
            key.push(char::from(b'0' + number));
            let notes = self.notes();
            Entry {
                notes,
                ..Entry::new(key, self.node(depth))
            }
        });
        Mapping {
            entries: entries.collect(),
            end: self.comments(),
        }
    }

    fn list(&mut self, depth: usize) -> List<'static> {
        let count = 1 + self.byte() % 3;
        let items = (0..count).map(|_| Item {
            notes: self.notes(),
            value: Value::from(self.node(depth)),
        });
        List {
            items: items.collect(),
            end: self.comments(),
        }
    }

    fn node(&mut self, depth: usize) -> Node<'static> {
        let deeper = depth < DEPTH;
        match self.byte() % 10 {
            0 => Scalar::Boolean(self.byte() % 2 == 1).into(),
            1 => Scalar::Integer(Integer::from(self.number())).into(),
            2 => Scalar::Integer(Integer::from(self.number() as i64)).into(),
            3 => match Float::new(f64::from_bits(self.number())) {
                Some(float) => Scalar::Float(float).into(),
                None => List::default().into(),
            },
            4 => {
                let nanoseconds = (self.number() % 1_000_000_000) as u32;
                let time = Timestamp::new(self.number() as i64, nanoseconds);
                Scalar::Timestamp(time.expect("below a second")).into()
            }
            5 => Mapping::default().into(),
            6 | 7 if deeper => self.mapping(depth + 1).into(),
            8 if deeper => self.list(depth + 1).into(),
            _ => Scalar::Text(self.text().into()).into(),
        }
    }

    fn notes(&mut self) -> Notes<'static> {
        let before = self.comments();
        Notes::new(before, self.comments().pop())
    }

    fn comments(&mut self) -> Vec<Comment<'static>> {
        let count = self.byte() % 8;
        let count = count.saturating_sub(5);
        let comments = (0..count).filter_map(|_| Comment::new(format!("#{}", self.text())));
        comments.collect()
    }
}
