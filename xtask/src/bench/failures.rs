//! What has failed in a run, so that the rest goes on and the end says so.
//!
//! Whoever measures several things gives each result to [`Failures::keep`]; what is
//! left is measured as if nothing had happened. A run in which something has failed
//! ends with an error and leaves BENCHMARKS.md as it is.

use anyhow::bail;

/// The steps that failed, each with its reason in one line.
#[derive(Default)]
pub struct Failures(Vec<String>);

impl Failures {
    /// What came of the step called `name`; nothing when it failed, which is noted.
    pub fn keep<T>(&mut self, name: &str, result: anyhow::Result<T>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                // The end of a server's log has lines of its own.
                let reason = format!("{error:#}").trim().replace('\n', " / ");
                eprintln!("  failed: {reason}");
                self.0.push(format!("{name}: {reason}"));
                None
            }
        }
    }

    /// The section of the report; empty when nothing has failed.
    pub fn section(&self) -> String {
        if self.0.is_empty() {
            return String::new();
        }
        let lines: String = self.0.iter().map(|line| format!("- {line}\n")).collect();
        format!("\n### Failed\n\n{lines}")
    }

    /// An error when something has failed.
    ///
    /// # Errors
    /// So that the command fails.
    pub fn check(&self) -> anyhow::Result<()> {
        match self.0.len() {
            0 => Ok(()),
            count => bail!(
                "{count} of the measurements failed, as the report says; BENCHMARKS.md stays as \
                 it is"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::{Context, anyhow};

    #[test]
    fn what_fails_is_told_and_what_works_is_kept() {
        let mut failures = Failures::default();
        assert_eq!(failures.keep("one", Ok(1)), Some(1));
        assert!(failures.section().is_empty());
        assert!(failures.check().is_ok());

        let refused: anyhow::Result<u8> = Err(anyhow!("it answered 503\nits log"));
        let refused = refused.context("nginx refused connection 7");
        assert_eq!(failures.keep("Idle, nginx", refused), None);
        assert_eq!(
            failures.section(),
            "\n### Failed\n\n\
             - Idle, nginx: nginx refused connection 7: it answered 503 / its log\n"
        );
        assert!(failures.check().is_err());
    }
}
