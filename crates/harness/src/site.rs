//! Atoll's commands as a script uses them: a node to start, folders to sync.
//!
//! Knows the contract of the command line (DESIGN.md, "Contracts") and nothing
//! else of Atoll.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::json;
use ureq::Body;
use ureq::http::{Request, Response};

use crate::process::{Finished, Process};

/// A node is up within this long, also when it rebuilds its projection.
const START_LIMIT: Duration = Duration::from_secs(120);

/// A node asked to stop is gone within this long: its own limit is 10 s.
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// A running node.
#[derive(Debug)]
pub struct Node {
    /// The process, to be measured.
    pub process: Process,
    token: String,
    place: Ended,
}

/// A node that does not run: where it was and would be again.
#[derive(Debug)]
pub struct Ended {
    binary: PathBuf,
    data: PathBuf,
    log: PathBuf,
    address: String,
}

/// Who may ask a node for everything, for as long as it runs.
#[derive(Debug, Clone)]
pub struct Administrator {
    /// The node's address, as `http://host:port`.
    pub url: String,
    /// What stands in the header `Authorization`.
    pub authorization: String,
}

/// A space of a node, with a token that joins folders to it.
#[derive(Debug, Clone)]
pub struct Space {
    slug: String,
    token: String,
}

/// A folder and the space it follows.
#[derive(Debug, Clone)]
pub struct Folder {
    /// Called so in messages and logs.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    binary: PathBuf,
    server: String,
    space: Space,
    log: PathBuf,
}

impl Node {
    /// Starts a node on `data` and a free port, and waits until it answers. What
    /// it prints goes to the file `log`.
    ///
    /// # Errors
    /// When it does not come up; the message carries the end of its log.
    pub fn start(binary: &Path, data: &Path, log: &Path) -> anyhow::Result<Self> {
        Self::start_at(binary, data, log, "127.0.0.1:0")
    }

    /// `kill -9`.
    pub fn kill(mut self) -> Ended {
        self.process.kill();
        self.place
    }

    /// Ctrl-C.
    ///
    /// # Errors
    /// When it does not stop in time or fails.
    pub fn stop(self) -> anyhow::Result<Ended> {
        self.process.stop(STOP_LIMIT)?;
        Ok(self.place)
    }

    /// Where it listens, as `host:port`.
    pub fn address(&self) -> &str {
        &self.place.address
    }

    /// Its administrator.
    pub fn administrator(&self) -> Administrator {
        Administrator {
            url: format!("http://{}", self.address()),
            authorization: format!("Bearer {}", self.token),
        }
    }

    /// Makes a space and a token that joins folders to it.
    ///
    /// # Errors
    /// When the node refuses.
    pub fn create_space(&self, slug: &str) -> anyhow::Result<Space> {
        self.post("/api/spaces", &json!({ "slug": slug }))?;
        let invite = json!({ "space": slug, "role": "editor", "kind": "join" });
        let answer = self.post("/api/invites", &invite)?;
        let token = answer["token"]
            .as_str()
            .context("an invite without a token")?;
        Ok(Space {
            slug: slug.to_owned(),
            token: token.to_owned(),
        })
    }

    fn post(&self, path: &str, body: &serde_json::Value) -> anyhow::Result<serde_json::Value> {
        let mut response = ureq::post(format!("http://{}{path}", self.address()))
            .header("authorization", &format!("Bearer {}", self.token))
            .header("content-type", "application/json")
            .send(body.to_string())
            .with_context(|| format!("POST {path} {body}; {}", self.process.tail()))?;
        Ok(serde_json::from_str(
            &response.body_mut().read_to_string()?,
        )?)
    }

    /// A folder that follows `space` of this node. Nothing is started.
    pub fn folder(&self, name: &str, path: &Path, space: &Space, log: &Path) -> Folder {
        self.folder_through(self.address(), name, path, space, log)
    }

    /// As [`Node::folder`], reaching the node at another `address`, such as that
    /// of a proxy.
    pub fn folder_through(
        &self,
        address: &str,
        name: &str,
        path: &Path,
        space: &Space,
        log: &Path,
    ) -> Folder {
        Folder {
            name: name.to_owned(),
            path: path.to_owned(),
            binary: self.place.binary.clone(),
            server: format!("http://{address}"),
            space: space.clone(),
            log: log.to_owned(),
        }
    }

    fn start_at(binary: &Path, data: &Path, log: &Path, listen: &str) -> anyhow::Result<Self> {
        let address_file = data.join("address");
        // One left by a killed node would look like an answer.
        match std::fs::remove_file(&address_file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        let mut process = serve(binary, data, log, listen)?;
        let start = Instant::now();
        let address = loop {
            let address = std::fs::read_to_string(&address_file).unwrap_or_default();
            if !address.trim().is_empty() {
                break address.trim().trim_start_matches("http://").to_owned();
            }
            if !process.is_running() || start.elapsed() > START_LIMIT {
                bail!("the node did not come up; {}", process.tail());
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        let token_file = data.join("admin-token");
        let token = std::fs::read_to_string(&token_file)
            .with_context(|| format!("cannot read {}", token_file.display()))?;
        let place = Ended {
            binary: binary.to_owned(),
            data: data.to_owned(),
            log: log.to_owned(),
            address,
        };
        Ok(Self {
            process,
            token: token.trim().to_owned(),
            place,
        })
    }
}

impl Administrator {
    /// The answer to a request without a body; it may be as long as it is.
    ///
    /// # Errors
    /// When the node refuses or is gone.
    pub fn ask(&self, method: &str, path: &str) -> anyhow::Result<Response<Body>> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header("authorization", &self.authorization)
            .body(())?;
        ureq::run(request).with_context(|| format!("{method} {path}"))
    }
}

impl Ended {
    /// Its data directory.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Starts it again, on the same data and port.
    ///
    /// # Errors
    /// As [`Node::start`].
    pub fn restart(self) -> anyhow::Result<Node> {
        Node::start_at(&self.binary, &self.data, &self.log, &self.address)
    }

    /// Starts it again and kills it so much later, come up or not.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn restart_and_kill(self, later: Duration) -> anyhow::Result<Self> {
        let mut process = serve(&self.binary, &self.data, &self.log, &self.address)?;
        std::thread::sleep(later);
        process.kill();
        Ok(self)
    }

    /// `atoll scrub`: verifies every hash the node holds.
    ///
    /// # Errors
    /// When anything is damaged, with what the command says.
    pub fn scrub(&self, limit: Duration) -> anyhow::Result<()> {
        let mut command = Command::new(&self.binary);
        command.arg("scrub").arg("--data").arg(&self.data);
        Process::start("scrub", &mut command, &self.log)?.succeed(limit)?;
        Ok(())
    }
}

fn serve(binary: &Path, data: &Path, log: &Path, listen: &str) -> anyhow::Result<Process> {
    let mut command = Command::new(binary);
    command
        .arg("serve")
        .arg("--data")
        .arg(data)
        .args(["--listen", listen]);
    Process::start("node", &mut command, log)
}

impl Folder {
    /// Starts `atoll sync` that keeps watching.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn watch(&self) -> anyhow::Result<Process> {
        Process::start(&self.name, &mut self.command(&[]), &self.log)
    }

    /// Runs `atoll sync --once` to its end.
    ///
    /// # Errors
    /// When it fails or takes longer than `limit`.
    pub fn once(&self, limit: Duration) -> anyhow::Result<Finished> {
        self.start_once()?.succeed(limit)
    }

    /// Starts `atoll sync --once`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start_once(&self) -> anyhow::Result<Process> {
        Process::start(&self.name, &mut self.command(&["--once"]), &self.log)
    }

    /// Runs `atoll sync --once --json` and gives what it prints.
    ///
    /// # Errors
    /// When it fails or prints something else than one JSON value.
    pub fn once_json(&self) -> anyhow::Result<serde_json::Value> {
        let output = self.command(&["--once", "--json"]).output()?;
        let (out, err) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        if !output.status.success() {
            bail!("sync of {} failed: {}; {err}", self.name, output.status);
        }
        let last = out.lines().last().unwrap_or_default();
        serde_json::from_str(last).with_context(|| format!("{} printed {out:?}", self.name))
    }

    fn command(&self, options: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.arg("sync").arg(&self.path);
        command.args([
            "--server",
            &self.server,
            "--space",
            &self.space.slug,
            "--token",
            &self.space.token,
        ]);
        command.args(options);
        command
    }
}
