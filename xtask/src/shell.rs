//! Child processes of a maintainer's command: cargo and the like.
//!
//! Runs them in the repository root with a settled environment and says which
//! one failed. It does not measure or kill them; `crates/harness` does that for
//! the processes under test.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use harness::process::line;

/// The repository's root, the parent of this crate's folder.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask lies in the repository root")
}

/// A cargo command in the repository root.
///
/// `cargo run` gives this process variables that describe the xtask package;
/// they are taken out so that build scripts do not see them change.
pub fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .current_dir(root())
        .args(arguments)
        .stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CARGO_PKG_") || name == "CARGO_MANIFEST_DIR" {
            command.env_remove(name);
        }
    }
    command
}

/// The release binary of atoll: `given`, or the one that this builds.
///
/// # Errors
/// When it does not build.
pub fn atoll(given: Option<&Path>) -> anyhow::Result<PathBuf> {
    if let Some(path) = given {
        return path
            .canonicalize()
            .with_context(|| format!("no binary at {}", path.display()));
    }
    run(&mut cargo(&["build", "--release", "--package", "atoll"]))?;
    Ok(release().join("atoll"))
}

/// The release binary of an example of a package, which this builds.
///
/// # Errors
/// When it does not build.
pub fn example(package: &str, name: &str) -> anyhow::Result<PathBuf> {
    let build = [
        "build",
        "--release",
        "--package",
        package,
        "--example",
        name,
    ];
    run(&mut cargo(&build))?;
    Ok(release().join("examples").join(name))
}

/// Where cargo puts release binaries.
fn release() -> PathBuf {
    let target = match std::env::var_os("CARGO_TARGET_DIR") {
        Some(path) => root().join(path),
        None => root().join("target"),
    };
    target.join("release")
}

/// Runs `command` with this process's own output.
///
/// # Errors
/// When it cannot start or does not succeed.
pub fn run(command: &mut Command) -> anyhow::Result<()> {
    let line = line(command);
    let status = command
        .status()
        .with_context(|| format!("`{line}` did not start"))?;
    if !status.success() {
        bail!("`{line}` failed: {status}");
    }
    Ok(())
}

/// Runs `command` and shows every line of its output, giving each to `see`.
///
/// # Errors
/// When it cannot start or does not succeed.
pub fn run_watched(command: &mut Command, see: &mut dyn FnMut(&str)) -> anyhow::Result<()> {
    let line = line(command);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("`{line}` did not start"))?;
    let (sender, lines) = std::sync::mpsc::channel();
    let outputs: [Option<Box<dyn Read + Send>>; 2] = [
        child
            .stdout
            .take()
            .map(|pipe| Box::new(pipe) as Box<dyn Read + Send>),
        child
            .stderr
            .take()
            .map(|pipe| Box::new(pipe) as Box<dyn Read + Send>),
    ];
    for pipe in outputs.into_iter().flatten() {
        let sender = sender.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
    }
    drop(sender);
    for line in lines {
        eprintln!("{line}");
        see(&line);
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("`{line}` failed: {status}");
    }
    Ok(())
}

/// The trimmed standard output of `command`.
///
/// # Errors
/// When it cannot start or does not succeed; its standard error is shown.
pub fn output(command: &mut Command) -> anyhow::Result<String> {
    let line = line(command);
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("`{line}` did not start"))?;
    if !output.status.success() {
        bail!("`{line}` failed: {}", output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Whether a program of that name is on `PATH`.
pub fn is_installed(program: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path).any(|directory| directory.join(program).is_file())
    })
}
