//! Debian packages that tests and benchmarks need beyond Rust and gcc.
//!
//! Installs what is missing with apt-get and touches nothing that is there. What
//! Atoll itself needs to build is none of these.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use crate::shell;

/// A program and the Debian package that brings it.
pub struct Package {
    /// Its presence on `PATH` means that nothing is to be done.
    pub program: &'static str,
    /// What apt-get calls it.
    pub package: &'static str,
}

/// The rival of every benchmark, and the judge of whether two folders are equal.
pub const RSYNC: Package = Package {
    program: "rsync",
    package: "rsync",
};

/// Real histories to replay.
pub const GIT: Package = Package {
    program: "git",
    package: "git",
};

/// libFuzzer is C++.
pub const CXX: Package = Package {
    program: "g++",
    package: "g++",
};

/// Unpacks the kernel's source.
pub const XZ: Package = Package {
    program: "xz",
    package: "xz-utils",
};

/// Installs a tree of very many small files.
pub const NPM: Package = Package {
    program: "npm",
    package: "npm",
};

/// A web server to be measured beside.
pub const NGINX: Package = Package {
    program: "nginx",
    package: "nginx-light",
};

/// Another.
pub const LIGHTTPD: Package = Package {
    program: "lighttpd",
    package: "lighttpd",
};

/// The rival of manifests.
pub const MTREE: Package = Package {
    program: "mtree",
    package: "mtree-netbsd",
};

/// Loads web servers.
pub const WRK: Package = Package {
    program: "wrk",
    package: "wrk",
};

/// Installs those of `packages` that are missing.
///
/// # Errors
/// When one is missing and apt-get is not there, may not be run or fails; the
/// message names the command to run by hand.
pub fn ensure(packages: &[Package]) -> anyhow::Result<()> {
    let missing: Vec<&str> = packages
        .iter()
        .filter(|package| !shell::is_installed(package.program))
        .map(|package| package.package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let by_hand = format!("install them with: apt-get install {}", missing.join(" "));
    if !shell::is_installed("apt-get") {
        bail!(
            "these programs are missing and there is no apt-get here: {}",
            missing.join(" ")
        );
    }
    if shell::output(Command::new("id").arg("-u"))? != "0" {
        bail!("packages are missing and only root may install them; {by_hand}");
    }
    eprintln!("installing {}", missing.join(" "));
    apt_get(&["update", "--quiet=2"]).context(by_hand.clone())?;
    let mut install = vec!["install", "--quiet=2", "--yes", "--no-install-recommends"];
    install.extend(&missing);
    apt_get(&install).context(by_hand)
}

/// Runs apt-get without questions.
///
/// # Errors
/// When it fails.
pub fn apt_get(arguments: &[&str]) -> anyhow::Result<()> {
    shell::run(
        Command::new("apt-get")
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdin(std::process::Stdio::null())
            .stdout(std::io::stderr()),
    )
}

/// The file that `apt-get download` of `package` left in `folder`.
///
/// # Errors
/// When there is none.
pub fn downloaded(folder: &Path, package: &str) -> anyhow::Result<PathBuf> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        if name.is_some_and(|name| name.starts_with(package) && name.ends_with(".deb")) {
            return Ok(path);
        }
    }
    bail!("apt-get download left no {package} in {}", folder.display())
}
