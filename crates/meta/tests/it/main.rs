//! The metadata language from outside: tokens, trees, problems, and what holds
//! for every text and every tree.

mod lex;
mod parse;
mod problems;
mod properties;
