//! A site in a process that is out of descriptors. The limit is of a whole
//! process, so the test runs itself again in one of its own.

use super::{Served, body, field, write};
use httpd::files::Options;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::process::Command;

const CHILD: &str = "HTTPD_TEST_EXHAUSTED";

#[test]
fn what_is_held_open_is_given_up_first() {
    if std::env::var_os(CHILD).is_some() {
        return with_few_descriptors();
    }
    let name = "files::exhausted::what_is_held_open_is_given_up_first";
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("1 passed"), "{text}");
}

fn with_few_descriptors() {
    const FILES: usize = 100;
    let content = "x".repeat(20_000);
    let mut served = Served::new(Options::default(), |folder| {
        for index in 0..FILES {
            write(folder, &[(&format!("{index}.bin"), &content)]);
        }
    });
    let limit = Rlimit {
        current: Some(40),
        ..getrlimit(Resource::Nofile)
    };
    setrlimit(Resource::Nofile, limit).unwrap();

    // More files than may be open: the site lets go of those it keeps.
    for index in 0..FILES {
        assert_eq!(served.status(&format!("/{index}.bin")), 200, "{index}");
    }
    // Answers that are being sent cannot be let go of.
    let mut sending = Vec::new();
    let refused = loop {
        let answer = served.get(&format!("/{}.bin", sending.len()), &[]);
        if answer.status != 200 {
            break answer;
        }
        sending.push(answer);
    };
    assert_eq!(refused.status, 503);
    assert_eq!(field(&refused, "Retry-After").unwrap(), "1");
    let fault = refused.fault.unwrap().to_string();
    assert!(fault.starts_with("cannot open \""), "{fault}");
    assert!(sending.len() > 10, "{}", sending.len());
    assert_eq!(body(&sending[0]).len(), content.len());

    let lost = format!("/{}.bin", sending.len());
    drop(sending);
    assert_eq!(served.status(&lost), 200);
}
