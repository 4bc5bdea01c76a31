//! The metadata language from outside: tokens, trees, problems, and what holds
//! for every text and every tree.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod binary;
mod documents;
mod lex;
mod page;
mod parse;
mod problems;
mod properties;
mod schema_documents;
mod schema_embedded;
mod schema_page;
mod schema_properties;
mod schema_read;
