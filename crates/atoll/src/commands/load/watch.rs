//! How far a run is, on the standard error output while it lasts: one line that changes
//! on a terminal, a line now and then elsewhere.

use crate::output::complain;
use httpd::load::{Amount, Course};
use std::io::{self, IsTerminal, Write};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// How often a line on a terminal changes.
const ON_TERMINAL: Duration = Duration::from_millis(250);

/// How often there is a line elsewhere: a short run has none.
const ELSEWHERE: Duration = Duration::from_secs(5);

/// Takes back what a terminal shows on this line.
const CLEAR: &str = "\r\x1b[K";

/// Does `run`, and says meanwhile how far `course` is.
pub fn watching<T>(course: &Course, amount: Amount, run: impl FnOnce() -> T) -> T {
    let is_terminal = io::stderr().is_terminal();
    thread::scope(|scope| {
        // Its end is the end of the run, also if that panics.
        let (lasts, ended) = mpsc::channel::<()>();
        scope.spawn(move || watch(course, amount, is_terminal, &ended));
        let done = run();
        drop(lasts);
        done
    })
}

fn watch(course: &Course, amount: Amount, is_terminal: bool, ended: &mpsc::Receiver<()>) {
    let begun = Instant::now();
    let pause = if is_terminal { ON_TERMINAL } else { ELSEWHERE };
    while ended.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
        let text = text(course.answered(), course.failed(), amount, begun.elapsed());
        if is_terminal {
            show(format_args!("{CLEAR}{text}"));
        } else {
            complain(format_args!("{text}"));
        }
    }
    if is_terminal {
        show(format_args!("{CLEAR}"));
    }
}

/// Where that is not possible, nobody looks.
fn show(text: std::fmt::Arguments<'_>) {
    let mut out = io::stderr().lock();
    let _ = out.write_fmt(text).and_then(|()| out.flush());
}

fn text(answered: u64, failed: u64, amount: Amount, elapsed: Duration) -> String {
    let seconds = elapsed.as_secs_f64();
    let rate = answered as f64 / seconds.max(f64::MIN_POSITIVE);
    let far = match amount {
        Amount::Requests(count) | Amount::Once(count) => {
            format!("{} of {count} requests", answered + failed)
        }
        Amount::Lasting(time) => {
            let (all, whole) = (answered + failed, time.as_secs_f64());
            format!("{all} requests, {seconds:.0} of {whole} s")
        }
    };
    let failed = if failed == 0 {
        String::new()
    } else {
        format!(", {failed} failed")
    };
    format!("{far}, {rate:.0}/s{failed}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_far_it_is() {
        let four = Duration::from_secs(4);
        for (failed, amount, expected) in [
            (0, Amount::Requests(100), "40 of 100 requests, 10/s"),
            (2, Amount::Once(100), "42 of 100 requests, 10/s, 2 failed"),
            (0, Amount::Lasting(four * 2), "40 requests, 4 of 8 s, 10/s"),
        ] {
            assert_eq!(text(40, failed, amount, four), expected);
        }
    }
}
