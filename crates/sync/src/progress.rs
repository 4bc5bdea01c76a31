//! Progress as a person sees it: a bar with rate and remaining time on a
//! terminal, plain lines elsewhere.

use crate::observer::{Event, Observer};
use crate::plan::Step;
use crate::printable::printable;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;

/// Draws on the standard error output.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    /// Also says each path.
    verbose: bool,
}

impl Progress {
    /// A bar if the standard error output is a terminal; `verbose` adds a line
    /// for each path.
    pub fn new(verbose: bool) -> Self {
        let target = if std::io::stderr().is_terminal() {
            ProgressDrawTarget::stderr_with_hz(8)
        } else {
            ProgressDrawTarget::hidden()
        };
        let style = ProgressStyle::with_template(
            "{bar:30} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left  {wide_msg}",
        )
        .unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::with_draw_target(Some(0), target).with_style(style);
        Self { bar, verbose }
    }

    /// Writes something while the bar is out of the way.
    pub fn aside<T>(&self, write: impl FnOnce() -> T) -> T {
        self.bar.suspend(write)
    }

    /// Takes the bar away: nothing moves any more.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }

    fn say(&self, line: &str) {
        self.aside(|| eprintln!("{}", printable(line)));
    }
}

impl Observer for Progress {
    fn event(&self, event: &Event<'_>) {
        match event {
            Event::Queued { bytes } => self.bar.inc_length(*bytes),
            Event::Moved { bytes } => self.bar.inc(*bytes),
            Event::Quiet => self.bar.reset(),
            Event::Uploaded { path } if self.verbose => self.say(&format!("sent     {path}")),
            Event::Fetched { path } if self.verbose => self.say(&format!("received {path}")),
            Event::Deleted { path } if self.verbose => self.say(&format!("deleted  {path}")),
            Event::Removed { path } if self.verbose => self.say(&format!("removed  {path}")),
            Event::Uploaded { path } | Event::Fetched { path } => {
                self.bar.set_message(printable(path.as_str()).into_owned());
            }
            Event::Conflict { path, copy } => {
                self.say(&format!("conflict {path}: your version is kept as {copy}"));
            }
            Event::Planned { path, step } => {
                self.say(&format!("{:<22} {path}", words(*step)));
            }
            Event::Problem { path, reason } => self.say(&format!("skipped  {path}: {reason}")),
            Event::Waiting { reason } => self.say(&format!("waiting  {reason}")),
            Event::Watching {
                folder,
                space,
                server,
            } => self.say(&format!(
                "syncing  {} with space {space} at {server}",
                folder.display()
            )),
            Event::Deleted { .. } | Event::Removed { .. } => {}
        }
    }
}

/// What a dry run says that it would do.
fn words(step: Step) -> &'static str {
    match step {
        Step::Nothing | Step::Forget => "note that it is gone",
        Step::Create => "send as new",
        Step::Update => "send",
        Step::DeleteRemote => "delete there",
        Step::ReplaceRemote => "replace there",
        Step::Fetch => "receive",
        Step::RemoveLocal => "remove here",
        Step::Prove => "read, perhaps remove",
        Step::AdoptDirectory => "note as the same",
        Step::Dress => "set mode and time",
        Step::Compare => "read and compare",
        Step::Ignore => "leave alone",
    }
}
