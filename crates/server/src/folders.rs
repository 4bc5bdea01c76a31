//! The node's own folders: local directories that this process syncs itself,
//! each by an ordinary client on a thread of its own that talks to the node
//! over loopback like any other. The list survives restarts in `node.yaml`.

use crate::api::{Caller, Service, make_space};
use crate::folder_told::Told;
use crate::node::{self, Node};
use crate::problem::Problem;
use crate::token;
use base::{DeviceId, Slug, SpaceId};
use serde_json::Value;
use state::{Body, Label, Reply, Role, Space, TokenHash};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use sync::{Address, Mode, Observer, Stop, Strategy};

/// Pause before a folder's client that failed is started again.
const RESTART_PAUSE: Duration = Duration::from_secs(5);

/// Folders of one node: each costs a thread or two and an inotify handle.
const FOLDERS: usize = 256;

/// The clients that run in this process.
pub struct Folders {
    node: Arc<Node>,
    server: Arc<Reached>,
    clients: Mutex<Clients>,
    /// Additions happen one at a time: each looks before it changes.
    adding: tokio::sync::Mutex<()>,
}

/// Where the node is reached from this machine, once it listens, and the certificate
/// that it shows there, which may become another one.
#[derive(Default)]
struct Reached(Mutex<Option<Address>>);

#[derive(Default)]
struct Clients {
    running: Vec<Client>,
}

struct Client {
    path: PathBuf,
    space: Space,
    told: Arc<Told>,
    stop: Stop,
    thread: JoinHandle<()>,
}

impl Folders {
    /// The folders of `node`; none runs before [`Folders::start`].
    pub fn new(node: Arc<Node>) -> Arc<Self> {
        Arc::new(Self {
            node,
            server: Arc::default(),
            clients: Mutex::default(),
            adding: tokio::sync::Mutex::default(),
        })
    }

    /// Starts the clients of all remembered folders, once the node answers at
    /// `server`. A folder that cannot start says so in its state.
    pub async fn start(&self, server: &Address) {
        self.listens_at(server);
        for folder in self.node.identity().folders {
            if let Err(problem) = self.start_remembered(&folder).await {
                tracing::error!(path = %folder.path.display(), "cannot sync this folder: {problem}");
            }
        }
    }

    /// Notes where the node answers from now on, in the folders too, for commands that
    /// ask in one. A client that runs goes on with the connections that it has, and
    /// makes its next one there.
    pub fn listens_at(&self, server: &Address) {
        *self.server.lock() = Some(server.clone());
        for client in &self.lock().running {
            if let Err(error) = mark_anew(&client.path, server) {
                let path = client.path.display();
                tracing::warn!(%path, "the node's address in .atoll stays as it was: {error}");
            }
        }
    }

    /// Adds a local folder and starts its client; the folder is created when it
    /// is missing. Adding a folder again changes nothing.
    ///
    /// # Errors
    /// [`Problem::Refused`] for a folder that another site or node holds, or
    /// that lies inside another; [`Problem::Malformed`] for a relative path.
    pub async fn add(
        &self,
        service: &Service,
        path: PathBuf,
        wanted: Option<String>,
    ) -> Result<Space, Problem> {
        let _one_at_a_time = self.adding.lock().await;
        let path = self.node.store(move || true_path(&path)).await?;
        check_apart(&path, self.node.data())?;
        self.check_not_lost(&path).await?;
        if let Some(space) = self.check_place(&path)? {
            return Ok(space);
        }
        // Only now: in another folder it would be synced, though it was refused.
        let made = path.clone();
        self.node.store(move || make(&made)).await?;
        let name = match wanted {
            Some(name) => Some(name),
            None => self.marked_space(&path)?,
        };
        let space = match name {
            Some(name) => self.find_space(name).await?,
            None => self.make_space(service, &path).await?,
        };
        // Marked before it is remembered: a remembered folder without its marker
        // is a drive that is not mounted.
        self.mark(&path, &space)?;
        let folder = node::Folder {
            path: path.clone(),
            space: space.id.to_u64(),
        };
        self.node
            .remember_folder(folder)
            .map_err(|error| Problem::Internal(error.to_string()))?;
        self.start_client(path, space.clone()).await?;
        Ok(space)
    }

    /// What each client does, for the status.
    pub fn states(&self) -> Vec<Value> {
        let state = |client: &Client| {
            let mut state = client.told.status();
            state["space"] = client.space.slug.as_str().into();
            state
        };
        self.lock().running.iter().map(state).collect()
    }

    /// Asks all clients to stop.
    pub fn ask_to_stop(&self) {
        self.lock()
            .running
            .iter()
            .for_each(|client| client.stop.stop());
    }

    /// Waits for all clients, which were asked to stop.
    pub fn join(&self) {
        let running = std::mem::take(&mut self.lock().running);
        for client in running {
            let _ = client.thread.join();
        }
    }

    /// Refuses a folder of this node whose marker is gone: it may lie on a drive
    /// that is not mounted, and what is put there would hide beneath it.
    async fn check_not_lost(&self, path: &Path) -> Result<(), Problem> {
        let known = self.node.identity().folders;
        let Some(known) = known.into_iter().find(|folder| folder.path == path) else {
            return Ok(());
        };
        if let Ok(Some(_)) = sync::marker::read(path) {
            return Ok(());
        }
        let id = SpaceId::from_u64(known.space).map(|id| id.to_string());
        let space = self.find_space(id.unwrap_or_default()).await?.slug;
        Err(Problem::Refused(format!(
            "folder {} was space `{space}` on this node, but its .atoll is gone: if it lies on a \
             drive, mount it; if it was deleted, its files are still in the space, and \
             `atoll sync OTHER-FOLDER --space {space}` brings them into another folder",
            path.display()
        )))
    }

    async fn start_remembered(&self, folder: &node::Folder) -> Result<(), Problem> {
        check_apart(&folder.path, self.node.data())?;
        let id = SpaceId::from_u64(folder.space)
            .map(|id| id.to_string())
            .unwrap_or_default();
        let space = self.find_space(id).await?;
        self.start_client(folder.path.clone(), space).await
    }

    /// The space of a folder that runs already; refuses nested folders, whose
    /// files would belong to two spaces.
    fn check_place(&self, path: &Path) -> Result<Option<Space>, Problem> {
        let clients = self.lock();
        if let Some(known) = clients.running.iter().find(|client| client.path == path) {
            return Ok(Some(known.space.clone()));
        }
        let nested =
            |client: &&Client| client.path.starts_with(path) || path.starts_with(&client.path);
        if let Some(other) = clients.running.iter().find(nested) {
            return Err(Problem::Refused(format!(
                "{} and {} lie inside each other: one folder belongs to one space",
                path.display(),
                other.path.display()
            )));
        }
        if clients.running.len() >= FOLDERS {
            return Err(Problem::Refused(format!(
                "this node has {FOLDERS} folders already"
            )));
        }
        Ok(None)
    }

    /// The space that the folder's own marker names, if it was synced before.
    fn marked_space(&self, path: &Path) -> Result<Option<String>, Problem> {
        let marker = sync::marker::read(path).map_err(|error| {
            Problem::Refused(format!(
                "cannot read the marker in {}/.atoll: {error}",
                path.display()
            ))
        })?;
        match marker {
            None => Ok(None),
            Some(marker) if marker.site == self.node.log_id().to_string() => Ok(Some(marker.space)),
            Some(marker) => Err(Problem::Refused(format!(
                "folder {} belongs to node {} ({}): choose another folder, or remove its .atoll \
                 to part it from that node",
                path.display(),
                if marker.node.is_empty() {
                    &marker.site
                } else {
                    &marker.node
                },
                marker.server
            ))),
        }
    }

    fn mark(&self, path: &Path, space: &Space) -> Result<(), Problem> {
        let failed = |error| {
            Problem::Refused(format!(
                "cannot write the marker into {}/.atoll: {error}",
                path.display()
            ))
        };
        if sync::marker::read(path).map_err(failed)?.is_some() {
            return Ok(());
        }
        let server = self.server.now();
        let marker = sync::marker::Marker {
            site: self.node.log_id().to_string(),
            node: self.node.identity().name,
            space: space.id.to_string(),
            slug: space.slug.to_string(),
            server: server
                .as_ref()
                .map(|server| server.url().to_owned())
                .unwrap_or_default(),
            fingerprint: server.and_then(|server| server.fingerprint()),
        };
        sync::folder::Folder::open(path)
            .and_then(|folder| sync::marker::write(&folder, &marker))
            .map_err(failed)
    }

    async fn find_space(&self, name: String) -> Result<Space, Problem> {
        let admin = Caller(DeviceId::ADMIN);
        self.node
            .read(move |reader| admin.space(reader, &name, Role::Owner))
            .await
    }

    async fn make_space(&self, service: &Service, path: &Path) -> Result<Space, Problem> {
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy())
            .unwrap_or_default();
        let slug = Slug::nearest(&name);
        let (id, _) = make_space(service, Caller(DeviceId::ADMIN), slug).await?;
        self.find_space(id.to_string()).await
    }

    async fn start_client(&self, path: PathBuf, space: Space) -> Result<(), Problem> {
        let token = self.device_token(&path, &space).await?;
        let mut clients = self.lock();
        if self.server.now().is_none() {
            let early = "the node does not listen yet".to_owned();
            return Err(Problem::Unavailable(early));
        }
        let settings = sync::Settings {
            dir: path.clone(),
            server: None,
            fingerprint: None,
            space: Some(space.slug.clone()),
            token: Some(token),
            device_name: self.node.identity().name,
            strategy: Strategy::KeepBoth,
            joined: true,
        };
        let (told, stop) = (Arc::new(Told::new(path.clone())), Stop::new());
        let thread = std::thread::Builder::new()
            .name(format!("folder {}", space.slug))
            .spawn({
                let (told, stop) = (Arc::clone(&told), stop.clone());
                let server = Arc::clone(&self.server);
                move || keep_running(settings, &server, &stop, &told)
            })
            .map_err(|error| Problem::Internal(format!("cannot start a thread: {error}")))?;
        clients.running.push(Client {
            path,
            space,
            told,
            stop,
            thread,
        });
        Ok(())
    }

    /// The token that the folder keeps, or that of a new device of the node's own.
    async fn device_token(&self, path: &Path, space: &Space) -> Result<String, Problem> {
        let kept = sync::marker::token(path).ok().flatten();
        let token = kept.unwrap_or_else(|| token::draw(token::Kind::Device, self.node.random()));
        let name = format!("{} {}", self.node.identity().name, space.slug);
        let body = Body::RegisterLocal {
            device_token: TokenHash::of(&token),
            name: Label::new(&name).map_err(|error| Problem::Malformed(error.to_string()))?,
            grants: vec![(space.id, Role::Owner)],
        };
        match self.node.submit_once(DeviceId::ADMIN, body).await? {
            Reply::Registered { .. } => Ok(token),
            Reply::Denied(denial) => Err(denial.into()),
            other => Err(Problem::Internal(format!(
                "a registration was answered {other:?}"
            ))),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Clients> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reached {
    fn now(&self) -> Option<Address> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Address>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes `server` into the marker of a folder that has one.
fn mark_anew(path: &Path, server: &Address) -> std::io::Result<()> {
    let Some(marker) = sync::marker::read(path)? else {
        return Ok(());
    };
    let marker = sync::marker::Marker {
        server: server.url().to_owned(),
        fingerprint: server.fingerprint(),
        ..marker
    };
    sync::marker::write(&sync::folder::Folder::open(path)?, &marker)
}

/// The one true path of a folder, which need not exist.
fn true_path(path: &Path) -> Result<PathBuf, Problem> {
    if !path.is_absolute() {
        return Err(Problem::Malformed(format!(
            "{} is not an absolute path",
            path.display()
        )));
    }
    let climbs = |part: &Component<'_>| matches!(part, Component::ParentDir);
    for above in path.ancestors() {
        let missing = path.strip_prefix(above).unwrap_or(Path::new(""));
        match above.canonicalize() {
            Ok(real) if missing.as_os_str().is_empty() => return Ok(real),
            Ok(real) if !missing.components().any(|part| climbs(&part)) => {
                return Ok(real.join(missing));
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Ok(_) => break,
            Err(error) => return Err(unusable(path, &error)),
        }
    }
    Err(Problem::Malformed(format!(
        "{} climbs out of a folder that is not there",
        path.display()
    )))
}

/// Makes the folder if it is missing.
fn make(path: &Path) -> Result<(), Problem> {
    if path.exists() && !path.is_dir() {
        return Err(Problem::Refused(format!(
            "{} is not a directory: only directories can be shared",
            path.display()
        )));
    }
    std::fs::create_dir_all(path).map_err(|error| unusable(path, &error))
}

fn unusable(path: &Path, error: &std::io::Error) -> Problem {
    Problem::Refused(format!("cannot use folder {}: {error}", path.display()))
}

/// Refuses a folder that holds the node's data or lies in it: the node would
/// store what it writes, and write what it stores, without end.
fn check_apart(path: &Path, data: &Path) -> Result<(), Problem> {
    let data = data.canonicalize().unwrap_or_else(|_| data.to_owned());
    if !path.starts_with(&data) && !data.starts_with(path) {
        return Ok(());
    }
    let relation = if path == data {
        "is"
    } else if path.starts_with(&data) {
        "lies in"
    } else {
        "contains"
    };
    Err(Problem::Refused(format!(
        "folder {} {relation} the node's data directory {}: share another folder, or put the \
         data elsewhere with --data PATH",
        path.display(),
        data.display()
    )))
}

/// Runs a folder's client until it is stopped, again and again when it fails.
fn keep_running(mut settings: sync::Settings, server: &Reached, stop: &Stop, told: &Arc<Told>) {
    while !stop.is_stopped() {
        let reached = server.now();
        settings.server = reached.as_ref().map(|server| server.url().to_owned());
        settings.fingerprint = reached.as_ref().and_then(Address::fingerprint);
        told.set("watching".to_owned());
        let observer = Arc::clone(told) as Arc<dyn Observer>;
        let Err(error) = sync::run(&settings, Mode::Watch, stop, observer) else {
            return;
        };
        if server.now() != reached {
            // It met another certificate than the one that it was told of.
            continue;
        }
        tracing::warn!(path = %settings.dir.display(), "syncing failed and is tried again: {error}");
        told.set(format!("failed: {error}"));
        stop.wait(RESTART_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn true_paths() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().canonicalize().unwrap();
        std::fs::create_dir(real.join("a")).unwrap();
        std::os::unix::fs::symlink(real.join("a"), real.join("link")).unwrap();
        for (asked, expected) in [
            ("a", Some("a")),
            ("link", Some("a")),
            ("link/new/x", Some("a/new/x")),
            ("a/../a", Some("a")),
            ("new/../a", None),
        ] {
            let found = true_path(&real.join(asked)).ok();
            assert_eq!(found, expected.map(|path| real.join(path)), "{asked}");
        }
        assert!(true_path(Path::new("a")).is_err());
    }

    #[test]
    fn data_and_folders_lie_apart() {
        for (path, data, apart) in [
            ("/a", "/b", true),
            ("/a", "/ab", true),
            ("/a", "/a", false),
            ("/a/b", "/a", false),
            ("/a", "/a/b/c", false),
        ] {
            let checked = check_apart(Path::new(path), Path::new(data));
            assert_eq!(checked.is_ok(), apart, "{path} {data}");
        }
    }
}
