//! However the bytes arrive, the same is understood.

use httpd::h1::Limits;
use proptest::prelude::*;

use super::messages::{damaged, pipeline};
use super::observe::observe;

/// Limits that random messages reach now and then.
const SMALL: Limits = Limits {
    request_line_bytes: 32,
    head_bytes: 128,
    headers: 4,
    body_bytes: 60,
    chunk_line_bytes: 8,
    chunk_extension_bytes: 8,
    trailer_bytes: 16,
    drain_bytes: 10,
};

fn check(limits: Limits, message: &[u8]) -> Result<(), TestCaseError> {
    let whole = observe(limits, [message]);
    let by_bytes = observe(limits, message.chunks(1));
    prop_assert_eq!(&whole, &by_bytes, "byte by byte");
    for at in 0..=message.len() {
        let (first, second) = message.split_at(at);
        prop_assert_eq!(&whole, &observe(limits, [first, second]), "split at {}", at);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn a_message_may_be_split_anywhere(message in prop_oneof![pipeline(), damaged()]) {
        check(Limits::default(), &message)?;
        check(SMALL, &message)?;
    }

    #[test]
    fn any_bytes_may_be_split_anywhere(message in prop::collection::vec(any::<u8>(), 0..60)) {
        check(SMALL, &message)?;
    }

    #[test]
    fn any_head_may_be_split_anywhere(rest in "[ -~\r\n\t]{0,60}") {
        check(SMALL, format!("GET {rest}").as_bytes())?;
        check(SMALL, format!("GET / HTTP/1.1\r\n{rest}\r\n\r\n").as_bytes())?;
        check(SMALL, format!("GET / HTTP/1.1\r\nHost:\r\nTransfer-Encoding: chunked\r\n\r\n{rest}").as_bytes())?;
    }
}
