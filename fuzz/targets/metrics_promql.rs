//! Queries: any text is a query or an error, and what a query prints is read as the same
//! query, which prints the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use metrics::promql::{Features, parse};

fuzz_target!(|text: &str| {
    let Ok(query) = parse(text, Features::STABLE) else {
        return;
    };
    let printed = query.to_string();
    let again = parse(&printed, Features::STABLE);
    let again = again.unwrap_or_else(|error| panic!("{text:?} is printed as {printed:?}: {error}"));
    assert_eq!(again.to_string(), printed, "{text:?}");
});
