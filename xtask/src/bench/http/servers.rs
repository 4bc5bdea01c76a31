//! The servers: how each is told to serve the same files on one core, and ended.
//!
//! Every rival is set up as its manuals advise for speed: no access log, files
//! kept open, as many requests on a connection as the client likes.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use harness::process::Process;
use rustix::process::{Pid, Signal, getuid, kill_process};

use super::{Bench, SMALL};

/// The core that servers run on.
pub const CORE: &str = "0";

/// A server is there, or gone, within this time.
const LIMIT: Duration = Duration::from_secs(10);

/// Between two looks at one that starts or ends.
const LOOK: Duration = Duration::from_millis(10);

/// A server that can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Server {
    /// `atoll web`
    Atoll,
    /// An axum router on the engine of `atoll web`
    Tower,
    Nginx,
    Lighttpd,
    /// hyper's HTTP/1 connection on one event loop, from memory
    Hyper,
    /// The same router on `axum::serve`
    Axum,
    /// What the kernel demands of any server, with the content of one target
    Floor(&'static str),
}

/// A server that runs. Dropping it ends it.
pub struct Running {
    server: Server,
    address: String,
    process: Process,
}

impl Server {
    /// What the table calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Atoll => "atoll web",
            Self::Tower => "axum on atoll's engine",
            Self::Nginx => "nginx",
            Self::Lighttpd => "lighttpd",
            Self::Hyper => "hyper",
            Self::Axum => "axum::serve",
            Self::Floor(_) => "a bare epoll loop, no HTTP",
        }
    }

    /// Starts it with one worker, on a free port, and waits until it accepts.
    ///
    /// # Errors
    /// When it does not start; the message has the end of its log.
    pub fn start(self, bench: &Bench) -> anyhow::Result<Running> {
        self.start_as(bench, CORE, &["--workers", "1"])
    }

    /// The same on other cores, and with these flags if it is `atoll web`.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub fn start_as(self, bench: &Bench, cores: &str, flags: &[&str]) -> anyhow::Result<Running> {
        // Whoever takes the port in between makes this fail, and nothing worse.
        let free = TcpListener::bind("127.0.0.1:0")?;
        let port = free.local_addr()?.port();
        drop(free);
        let address = format!("127.0.0.1:{port}");
        let mut command = Command::new("taskset");
        command.args(["-c", cores]);
        self.arguments(&mut command, bench, flags, &address)?;
        // What another server has said is no news of this one.
        let log = bench.folder.join("server.log");
        write(&log, "")?;
        let process = Process::start(self.name(), &mut command, &log)?;
        let mut running = Running {
            server: self,
            address,
            process,
        };
        running.wait()?;
        Ok(running)
    }

    fn arguments(
        self,
        command: &mut Command,
        bench: &Bench,
        flags: &[&str],
        address: &str,
    ) -> anyhow::Result<()> {
        match self {
            Self::Atoll => {
                command
                    .arg(&bench.atoll)
                    .arg("web")
                    .arg(bench.site())
                    .args(["--listen", address])
                    .args(flags);
            }
            Self::Nginx => {
                let path = bench.folder.join("nginx.conf");
                write(&path, &nginx(&bench.folder, &bench.site(), address))?;
                command.arg("nginx").arg("-p").arg(&bench.folder);
                command.arg("-c").arg(path).args(["-e", "stderr"]);
            }
            Self::Lighttpd => {
                let path = bench.folder.join("lighttpd.conf");
                write(&path, &lighttpd(&bench.site(), address))?;
                command.args(["lighttpd", "-D", "-f"]).arg(path);
            }
            Self::Hyper => rival(command, bench, ["hyper", address, SMALL]),
            // These have an answer of their own.
            Self::Axum => rival(command, bench, ["axum", address, SMALL]),
            Self::Tower => rival(command, bench, ["tower", address, SMALL]),
            Self::Floor(target) => rival(command, bench, ["floor", address, target]),
        }
        Ok(())
    }
}

impl Running {
    /// What the table calls it.
    pub fn name(&self) -> &'static str {
        self.server.name()
    }

    /// Where it listens.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Whether it has not ended.
    pub fn is_running(&mut self) -> bool {
        self.process.is_running()
    }

    /// Its process, above all others it has.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    fn wait(&mut self) -> anyhow::Result<()> {
        let begun = Instant::now();
        while TcpStream::connect(&self.address).is_err() {
            if !self.process.is_running() || begun.elapsed() > LIMIT {
                bail!("{} does not serve; {}", self.name(), self.process.tail());
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }
}

impl Drop for Running {
    /// In order, so that nginx takes its workers along; by force after a while.
    fn drop(&mut self) {
        let begun = Instant::now();
        let pid = i32::try_from(self.process.id())
            .ok()
            .and_then(Pid::from_raw);
        if let Some(pid) = pid
            && self.process.is_running()
            && kill_process(pid, Signal::INT).is_ok()
        {
            while self.process.is_running() && begun.elapsed() < LIMIT {
                std::thread::sleep(LOOK);
            }
        }
    }
}

/// One of our own making, which answers with the file of `target`.
fn rival(command: &mut Command, bench: &Bench, [name, address, target]: [&str; 3]) {
    let file = bench.file(target);
    command.arg(&bench.rivals).args([name, address]).arg(file);
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn nginx(folder: &Path, site: &Path, address: &str) -> String {
    let (folder, site) = (folder.display(), site.display());
    // As root it would serve as somebody who may not read the site.
    let user = if getuid().is_root() {
        "user root;\n"
    } else {
        ""
    };
    format!(
        "{user}worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log stderr;
events {{ worker_connections 20000; multi_accept on; }}
http {{
  access_log off;
  sendfile on;
  tcp_nopush on;
  tcp_nodelay on;
  keepalive_requests 1000000000;
  keepalive_timeout 600s;
  open_file_cache max=1000 inactive=60s;
  open_file_cache_valid 60s;
  default_type application/octet-stream;
  types {{ text/plain txt; }}
  client_body_temp_path {folder}/nginx-body;
  proxy_temp_path {folder}/nginx-proxy;
  fastcgi_temp_path {folder}/nginx-fastcgi;
  uwsgi_temp_path {folder}/nginx-uwsgi;
  scgi_temp_path {folder}/nginx-scgi;
  server {{ listen {address} backlog=4096 deferred; root {site}; }}
}}
"
    )
}

fn lighttpd(site: &Path, address: &str) -> String {
    let (host, port) = address.split_once(':').unwrap_or((address, "80"));
    format!(
        "server.document-root = \"{site}\"
server.bind = \"{host}\"
server.port = {port}
server.event-handler = \"linux-sysepoll\"
server.network-backend = \"sendfile\"
server.stat-cache-engine = \"simple\"
server.max-fds = 30000
server.max-connections = 20000
server.max-keep-alive-requests = 65535
server.max-keep-alive-idle = 600
server.listen-backlog = 4096
mimetype.assign = ( \".txt\" => \"text/plain\", \"\" => \"application/octet-stream\" )
",
        site = site.display()
    )
}
