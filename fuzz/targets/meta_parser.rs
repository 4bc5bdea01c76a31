//! The metadata language's parser: any bytes give a tree and problems that lie in
//! the text and can be shown; what was understood is printed as a text that says
//! the same and has no problems.

#![no_main]

use libfuzzer_sys::fuzz_target;
use meta::text::{PROBLEMS, Source, parse, print};

fuzz_target!(|input: &[u8]| {
    let source = match Source::new(input) {
        Ok(source) => source,
        Err(problem) => {
            assert!(problem.span.end as usize <= input.len());
            problem.render("input");
            return;
        }
    };
    let parsed = parse(source);
    assert!(parsed.problems.len() <= PROBLEMS);
    assert!(parsed.more_problems == 0 || parsed.problems.len() == PROBLEMS);
    for problem in &parsed.problems {
        let (start, end) = (problem.span.start as usize, problem.span.end as usize);
        assert!(source.text().get(start..end).is_some(), "{problem:?}");
        problem.render("input");
        problem.to_json();
    }
    let printed = print(&parsed.tree);
    let canonical = Source::new(printed.as_bytes()).expect("a tree is far below the limit");
    let again = parse(canonical);
    assert_eq!(again.tree, parsed.tree);
    assert_eq!(print(&again.tree), printed);
    if parsed.problems.is_empty() {
        assert_eq!(again.problems, Vec::new());
    }
});
