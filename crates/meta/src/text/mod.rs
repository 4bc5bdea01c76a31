//! The metadata language: what Atoll knows about files, as a text that a person
//! reads and edits (`*.atollmeta`). The grammar is docs/metadata.md.
//!
//! ```text
//! bytes ─Source─▶ text ─lexer─▶ tokens ─parser─▶ tree and problems
//!                  ▲                              │
//!                  └───────────printer────────────┘
//! ```
//!
//! Pure: no I/O. It knows documents, mappings, lists and scalars, not what any
//! key means. Read `tree` first, then `parser`.

mod fault;
mod lexer;
mod parser;
mod printer;
mod problem;
mod scalar;
mod shape;
mod time;
mod token;
mod tree;

pub use fault::Fault;
pub(crate) use fault::shown;
pub use lexer::Lexer;
pub use parser::{DEPTH, ItemPlace, Parsed, parse, parse_items};
pub use printer::{print, print_item, quoted};
pub use problem::{PROBLEMS, Problem, Problems};
pub(crate) use shape::{Shape, Shapes};
pub use token::{Quoting, SOURCE_BYTES, Source, Span, Token, TokenKind};
pub use tree::{
    Comment, Document, Entry, Float, Integer, Item, Key, List, Mapping, Node, Notes, Scalar, Tree,
    Value,
};
