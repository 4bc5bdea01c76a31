//! `atoll sync`: keeps a folder equal to a space of a node.

use crate::interrupt;
use crate::output::line;
use anyhow::{Context, Result};
use base::{Fingerprint, Slug};
use clap::ValueEnum;
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;
use sync::progress::Progress;
use sync::{Mode, Observer, Settings, Stop, Strategy, Summary};

/// Shown below the options.
const EXAMPLES: &str = "\
Examples:
  atoll sync notes --server URL --fingerprint sha256:HEX --token TOKEN    as `atoll up` prints it
  atoll sync notes              a folder that has joined
  atoll sync notes --dry-run    what that would do";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The folder; created when it is missing
    dir: PathBuf,
    /// Address of the node; by default the one the folder was joined to
    #[arg(long, env = "ATOLL_SERVER", value_name = "URL")]
    server: Option<String>,
    /// Of the node's certificate, which alone is believed; by default the one the
    /// folder was joined by
    #[arg(long, env = "ATOLL_FINGERPRINT", value_name = "sha256:HEX")]
    fingerprint: Option<Fingerprint>,
    /// The space; by default the invite's
    #[arg(long, value_name = "NAME")]
    space: Option<Slug>,
    /// A join token; not needed by a folder that has joined
    #[arg(
        long,
        env = "ATOLL_TOKEN",
        value_name = "TOKEN",
        hide_env_values = true
    )]
    token: Option<String>,
    /// End when both sides are equal
    #[arg(long, group = "mode")]
    once: bool,
    /// Like --once, but believe no timestamp: read every file
    #[arg(long, group = "mode")]
    verify: bool,
    /// Only say what would be done
    #[arg(long, group = "mode")]
    dry_run: bool,
    /// What happens to files that both sides changed
    #[arg(long, default_value = "keep-both", value_name = "WAY")]
    conflicts: Conflicts,
    /// What this device is called, remembered [default: the machine's name]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Print a summary as one line of JSON at the end
    #[arg(long)]
    json: bool,
    /// Say each path
    #[arg(long, short)]
    verbose: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Conflicts {
    /// Keep the local version beside the other, under a name of its own
    KeepBoth,
    /// Let whoever writes last stand; the other stays in the history
    LastWriteWins,
}

pub fn run(arguments: Arguments) -> Result<()> {
    sync::surroundings::check(&arguments.dir)?;
    std::fs::create_dir_all(&arguments.dir)
        .with_context(|| format!("cannot make folder {}", arguments.dir.display()))?;
    let mode = match &arguments {
        Arguments { dry_run: true, .. } => Mode::DryRun,
        Arguments { verify: true, .. } => Mode::Verify,
        Arguments { once: true, .. } => Mode::Once,
        _ => Mode::Watch,
    };
    let device_name = match arguments.name {
        Some(name) => name,
        // A damaged name is replaced by the one that is used now.
        None => sync::marker::name(&arguments.dir)
            .ok()
            .flatten()
            .unwrap_or_else(machine_name),
    };
    let stop = Stop::new();
    if mode == Mode::Watch {
        interrupt::stops(&stop)?;
    }
    let observer: Arc<dyn Observer> = Arc::new(Progress::new(arguments.verbose));
    let settings = Settings {
        dir: arguments.dir,
        server: arguments.server,
        fingerprint: arguments.fingerprint,
        space: arguments.space,
        token: arguments.token,
        device_name,
        strategy: match arguments.conflicts {
            Conflicts::KeepBoth => Strategy::KeepBoth,
            Conflicts::LastWriteWins => Strategy::LastWriteWins,
        },
        joined: false,
    };
    let summary = match sync::run(&settings, mode, &stop, observer) {
        // It waited for the node, and was asked to end.
        Err(error) if stop.is_stopped() && error.is_passing() => {
            return Ok(line(format_args!("ended before the node answered"))?);
        }
        ended => ended?,
    };
    print(&summary, mode, arguments.json)?;
    anyhow::ensure!(
        summary.problems == 0 || mode == Mode::Watch,
        "not everything could be synced: {} skipped, each named above",
        summary.problems
    );
    Ok(())
}

fn print(summary: &Summary, mode: Mode, as_json: bool) -> Result<()> {
    if as_json {
        let summary = json!({
            "space": summary.space,
            "uploaded": summary.uploaded,
            "fetched": summary.fetched,
            "deleted": summary.deleted,
            "removed": summary.removed,
            "conflicts": summary.conflicts,
            "problems": summary.problems,
            "ignored": summary.ignored,
        });
        return Ok(line(format_args!("{summary}"))?);
    }
    let verb = if mode == Mode::DryRun {
        "would be"
    } else {
        "were"
    };
    line(format_args!(
        "space {}: {} {verb} sent, {} received, {} deleted there, {} removed here; \
         {} conflicts, {} skipped, {} ignored",
        summary.space,
        summary.uploaded,
        summary.fetched,
        summary.deleted,
        summary.removed,
        summary.conflicts,
        summary.problems,
        summary.ignored
    ))?;
    Ok(())
}

/// The name in `/proc`, which every Linux has; elsewhere a word that fits.
fn machine_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "device".to_owned(),
        name => name.to_owned(),
    }
}
