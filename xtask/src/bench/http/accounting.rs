//! What a server and the processes it started have used, as `/proc` tells.

use std::fs;
use std::time::Duration;

use anyhow::Context;
use harness::process::cpu;

/// CPU time of `root` and of everything beneath it.
///
/// # Errors
/// When one of them ends meanwhile.
pub fn tree_cpu(root: u32) -> anyhow::Result<Duration> {
    let mut sum = Duration::ZERO;
    for pid in tree(root)? {
        sum += cpu(pid)?;
    }
    Ok(sum)
}

/// Bytes of memory that are resident in all of them.
///
/// # Errors
/// As [`tree_cpu`].
pub fn tree_resident(root: u32) -> anyhow::Result<u64> {
    let mut sum = 0;
    for pid in tree(root)? {
        sum += resident(pid)?;
    }
    Ok(sum)
}

/// Bytes of memory that are theirs: what several processes share counts once.
///
/// # Errors
/// As [`tree_cpu`].
pub fn tree_share(root: u32) -> anyhow::Result<u64> {
    let mut sum = 0;
    for pid in tree(root)? {
        sum += kilobytes(&format!("/proc/{pid}/smaps_rollup"), "Pss:")? * 1024;
    }
    Ok(sum)
}

fn resident(pid: u32) -> anyhow::Result<u64> {
    Ok(kilobytes(&format!("/proc/{pid}/status"), "VmRSS:")? * 1024)
}

/// The number in the line of `file` that begins with `name`.
fn kilobytes(file: &str, name: &str) -> anyhow::Result<u64> {
    let text = fs::read_to_string(file)?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let line = line.with_context(|| format!("{file} has no {name}"))?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// `root` and all processes beneath it.
fn tree(root: u32) -> anyhow::Result<Vec<u32>> {
    let mut found = vec![root];
    let mut pairs = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        // One that has just ended is none of the server's.
        if let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat"))
            && let Some(parent) = parent(&stat)
        {
            pairs.push((pid, parent));
        }
    }
    let mut seen = 0;
    while let Some(&pid) = found.get(seen) {
        for &(child, parent) in &pairs {
            if parent == pid && !found.contains(&child) {
                found.push(child);
            }
        }
        seen += 1;
    }
    Ok(found)
}

/// The parent in the text of a `/proc/PID/stat`, whose second field is a name in
/// brackets and may hold anything.
fn parent(stat: &str) -> Option<u32> {
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_ascii_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parent_is_found_behind_any_name() {
        assert_eq!(parent("12 (a b) c) S 7 12 0"), Some(7));
        assert_eq!(parent("12 (a"), None);
    }

    #[test]
    fn a_tree_has_children_and_memory() {
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .expect("sleep starts");
        let found = tree(std::process::id());
        let memory = tree_resident(std::process::id());
        child.kill().expect("it runs");
        child.wait().expect("it was started");
        assert!(found.expect("a tree").contains(&child.id()));
        assert!(memory.expect("memory") > 1 << 16);
    }
}
