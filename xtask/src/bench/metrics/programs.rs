//! The rivals' programs: those on `PATH`, or unpacked from Debian's packages.
//!
//! They are unpacked and not installed, because to install them is to start them as
//! services of this machine.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

use crate::{packages, shell};

/// Where they are.
pub struct Programs {
    pub victoria_metrics: PathBuf,
    pub prometheus: PathBuf,
    pub promtool: PathBuf,
    pub node_exporter: PathBuf,
}

impl Programs {
    /// Finds all; what is not on `PATH` is unpacked into `cache`, once.
    ///
    /// # Errors
    /// When one is neither there nor to be had from apt-get.
    pub fn find(cache: &Path) -> anyhow::Result<Self> {
        Ok(Self {
            victoria_metrics: find("victoria-metrics", "victoria-metrics", cache)?,
            prometheus: find("prometheus", "prometheus", cache)?,
            promtool: find("promtool", "prometheus", cache)?,
            node_exporter: find(
                "prometheus-node-exporter",
                "prometheus-node-exporter",
                cache,
            )?,
        })
    }

    /// Which versions they are.
    ///
    /// # Errors
    /// When one does not run.
    pub fn versions(&self) -> anyhow::Result<String> {
        let prometheus = shell::output(Command::new(&self.prometheus).arg("--version"))?;
        let mut words = prometheus.split_ascii_whitespace();
        let prometheus = words.nth(2).unwrap_or_default();
        // Debian's VictoriaMetrics does not say it.
        let victoria = shell::output(Command::new("apt-cache").args([
            "show",
            "--no-all-versions",
            "victoria-metrics",
        ]))?;
        let victoria = victoria
            .lines()
            .find_map(|line| line.strip_prefix("Version: "));
        Ok(format!(
            "VictoriaMetrics {}, Prometheus {prometheus}, both Debian's",
            victoria.unwrap_or_default()
        ))
    }
}

fn find(program: &str, package: &str, cache: &Path) -> anyhow::Result<PathBuf> {
    if shell::is_installed(program) {
        return Ok(PathBuf::from(program));
    }
    let unpacked = cache.join("usr/bin").join(program);
    if !unpacked.is_file() {
        unpack(package, cache).with_context(|| format!("{program} is not on PATH"))?;
    }
    ensure!(
        unpacked.is_file(),
        "the package {package} has no {}",
        unpacked.display()
    );
    Ok(unpacked)
}

fn unpack(package: &str, cache: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(cache)?;
    eprintln!("unpacking {package}");
    packages::apt_get(&["update", "--quiet=2"])?;
    shell::run(
        Command::new("apt-get")
            .current_dir(cache)
            .args(["download", "--quiet=2", package])
            .stdout(std::io::stderr()),
    )?;
    // Its version follows the name: another package's may begin with it.
    let file = packages::downloaded(cache, &format!("{package}_"))?;
    shell::run(Command::new("dpkg").arg("-x").arg(file).arg(cache))
}
