//! The metadata language's lexer: tokens lie in the text, in order; every block
//! that opens closes, and there are not more tokens than bytes explain.

#![no_main]

use libfuzzer_sys::fuzz_target;
use meta::text::{Lexer, Problems, Source, TokenKind};

fuzz_target!(|input: &[u8]| {
    let Ok(source) = Source::new(input) else {
        return;
    };
    let mut lexer = Lexer::new(source);
    let mut problems = Problems::default();
    let mut end = 0;
    let mut depth = 0_usize;
    let mut tokens = 0_usize;
    loop {
        let token = lexer.next_token(&mut problems);
        let (start, next) = (token.span.start as usize, token.span.end as usize);
        assert!(source.text().get(start..next).is_some(), "{token:?}");
        match token.kind {
            TokenKind::End => break,
            TokenKind::Indent => depth += 1,
            TokenKind::Dedent => depth -= 1,
            _ => {
                assert!(start >= end && next > start || token.kind == TokenKind::Newline);
                end = next;
            }
        }
        // A byte begins a token, and opens and closes a block, at most.
        tokens += 1;
        assert!(tokens <= 3 * input.len() + 1);
    }
    assert_eq!(depth, 0);
    let (problems, _) = problems.locate(source);
    assert!(problems.is_sorted_by_key(|problem| problem.span.start));
});
