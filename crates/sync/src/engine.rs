//! A client: joins a folder to a space, then goes round until both are equal,
//! and on while it watches.
//!
//! The engine's thread alone touches the trees. A feed thread brings what the
//! node says, a watcher what the folder says, and workers move content
//! ([`crate::pool`]); all of them only send to it.

use crate::error::EngineError;
use crate::fetch::Inlet;
use crate::folder::{Folder, RelativePath};
use crate::intents::{Intents, JOURNAL_BYTES, Left};
use crate::join::connect;
use crate::leftovers;
use crate::marker::{self, FolderLock, Marker};
use crate::observer::{Event, Observer, Waits};
use crate::pool::Pool;
use crate::remote::{Node, RemoteError};
use crate::rest::Rests;
use crate::round::{Report, Round, Scope};
use crate::surroundings;
use crate::trees::{Place, Trees, TreesError};
use crate::upload::Outlet;
use crate::watch::{Heard, Watch};
use crate::wire::Frame;
use crate::{Mode, Settings, Stop, Summary};
use base::{
    Clock, Cursor, DeviceId, ItemId, LogId, Millis, Random, SpaceId, SystemClock, SystemRandom,
};
use state::Version;
use std::collections::{BTreeSet, HashSet};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

/// After a change is heard, more of the same save usually follow at once.
const SETTLE: Duration = Duration::from_millis(20);
/// What could not be finished is tried again after this, then twice as late…
const RETRY_FIRST: Duration = Duration::from_millis(100);
/// …up to this.
const RETRY_LAST: Duration = Duration::from_secs(10);
/// A folder that joins waits this long in all for its turn: some hundreds that join
/// from one address at once are through by then.
const JOIN_PATIENCE: Duration = Duration::from_secs(180);
/// A folder that cannot be watched is looked through so often…
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// …and any other so often, when all is quiet: network and stacked file systems
/// do not tell of everything.
const LOOK_ANYWAY: Duration = Duration::from_secs(3600);
/// A device that was removed, or has no role any more, asks so often whether it
/// has one again.
const ACCESS_EVERY: Duration = Duration::from_secs(60);
/// How long a stop may go unnoticed.
const STOP_EVERY: Duration = Duration::from_millis(250);
/// Rounds of `--once`: each but the first has only leftovers; a file that still
/// changes after so many is reported.
const ROUNDS_ONCE: u32 = 10;
/// Versions handed from the feed thread at once, and hand-overs that may wait:
/// bounds what a fast feed can pile up here.
const FEED_BATCH: usize = 1024;
const SIGNALS: usize = 8;
/// The journal of what is about to be done, in the corner.
const INTENTS: &str = "intents";
/// Problems that are not told again; beyond it some are.
const PROBLEMS_REMEMBERED: usize = 10_000;

/// What happens to a file that both sides changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Strategy {
    /// The local version is kept beside the remote one under a conflict name.
    #[default]
    KeepBoth,
    /// Whoever reaches the log last stands; the other stays in the history.
    LastWriteWins,
}

/// One client of one folder.
pub struct Engine {
    pub(crate) folder: Arc<Folder>,
    pub(crate) trees: Trees,
    pub(crate) intents: Intents,
    /// How long their journal may grow before its generation ends.
    pub(crate) journal_bytes: u64,
    pub(crate) outlet: Arc<Outlet>,
    pub(crate) pool: Pool,
    pub(crate) root: ItemId,
    pub(crate) strategy: Strategy,
    pub(crate) device_name: String,
    device: DeviceId,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) dry_run: bool,
    /// Whether the node takes changes from this device; a reader's are told and
    /// left here.
    pub(crate) may_write: bool,
    /// Whether the trees hold any news: a quiet walk need not ask about each.
    pub(crate) has_news: bool,
    pub(crate) node: Node,
    pub(crate) space: SpaceId,
    /// Where the feed is read from next.
    cursor: Cursor,
    summary: Summary,
    /// Whether a directory was found that is too deep to be watched.
    pub(crate) beyond_hearing: bool,
    /// Large files that keep changing; only who watches lets them rest.
    pub(crate) rests: Option<Rests>,
    /// What [`Rests`] counts time from.
    pub(crate) started: Instant,
    waits: Waits,
    /// Problems that were told.
    told: HashSet<(RelativePath, String)>,
    _lock: FolderLock,
}

/// A node may still decide what a killed process or a broken connection sent:
/// it ends such a request when it stood still for 30 s. What comes of it is
/// known for this client's own that long.
const STRAGGLER: Duration = Duration::from_secs(60);
const STRAGGLER_MILLIS: Millis = STRAGGLER.as_millis() as Millis;

/// What the engine waits for.
enum Signal {
    /// Steps of the feed, up to a cursor.
    Feed(Vec<Version>, Cursor),
    /// The feed broke; it is being read again.
    FeedDown(RemoteError),
    /// Something was heard in the folder.
    Heard,
}

impl Engine {
    /// As [`Engine::open`]; a folder that has joined and is to be watched waits for a
    /// node that is away, and one that joins for its turn among many.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn open_patiently(
        settings: &Settings,
        mode: Mode,
        stop: &Stop,
        observer: &Arc<dyn Observer>,
    ) -> Result<Self, EngineError> {
        let mut retry = Retry::new();
        let mut waits = Waits::default();
        let mut waited = Duration::ZERO;
        loop {
            let error = match Self::open(settings, Arc::clone(observer)) {
                Err(EngineError::Remote(error)) if error.is_passing() => error,
                result => return result,
            };
            let is_awaited = match marker::read(&settings.dir) {
                Ok(Some(_)) => mode == Mode::Watch,
                Ok(None) => error.is_status(429) && waited < JOIN_PATIENCE,
                Err(_) => false,
            };
            if !is_awaited || stop.is_stopped() {
                return Err(error.into());
            }
            waits.tell(&**observer, &error.to_string(), false, Instant::now());
            let pause = retry.after(error.retry_after());
            waited += pause;
            stop.wait(pause);
        }
    }

    /// Joins the folder, or continues.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn open(settings: &Settings, observer: Arc<dyn Observer>) -> Result<Self, EngineError> {
        let open = |source| EngineError::Open {
            path: settings.dir.clone(),
            source,
        };
        surroundings::check(&settings.dir)?;
        let marker = marker::read(&settings.dir).map_err(|source| match source.kind() {
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => EngineError::BadMarker {
                folder: settings.dir.clone(),
                source,
            },
            _ => open(source),
        })?;
        let folder = Arc::new(Folder::open(&settings.dir).map_err(open)?);
        let lock = marker::lock(&folder).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => EngineError::Locked(folder.path().to_owned()),
            _ => open(error),
        })?;
        // What was agreed, without the marker: not the folder it was, or it was
        // tampered with. A folder that must have been joined cannot be empty.
        let was_joined = settings.joined || folder.corner("state.db").exists();
        if marker.is_none() && was_joined {
            return Err(EngineError::MarkerGone(folder.path().to_owned()));
        }
        let (node, session) = connect(settings, &folder, marker.as_ref())?;
        let space = session.space_id().map_err(EngineError::Nonsense)?;
        let now = session.cursor().map_err(EngineError::Nonsense)?;
        let may_write = !session.is_reader();
        let device = session.device().map_err(EngineError::Nonsense)?;
        if let Some(marker) = &marker
            && (marker.site != now.log.to_string() || marker.space != space.to_string())
        {
            return Err(EngineError::Foreign {
                path: folder.path().to_owned(),
                space: marker.slug.clone(),
                node: marker.node.clone(),
                server: marker.server.clone(),
            });
        }
        let slug = session
            .space
            .slug()
            .map(|slug| slug.to_string())
            .unwrap_or_default();
        let fresh = Marker {
            site: now.log.to_string(),
            node: session.node,
            space: space.to_string(),
            slug: slug.clone(),
            server: node.address().url().to_owned(),
            fingerprint: node.address().fingerprint(),
        };
        if marker.as_ref() != Some(&fresh) {
            marker::write(&folder, &fresh)?;
        }
        if marker::name(folder.path()).ok().flatten().as_deref() != Some(&*settings.device_name) {
            marker::keep_name(&folder, &settings.device_name)?;
        }
        let mut trees = Trees::open(&folder.corner("state.db"))?;
        let cursor = begin(&trees, space, now.log)?;
        trees.recall(device)?;
        let stream = SystemRandom.next_u64() >> 1;
        let outlet = Arc::new(Outlet::new(node.clone(), space, stream));
        let inlet = Inlet {
            node: node.clone(),
            space,
        };
        Ok(Self {
            pool: Pool::new(Arc::clone(&folder), Arc::clone(&outlet), inlet),
            intents: Intents::new(folder.corner(INTENTS), 0),
            journal_bytes: JOURNAL_BYTES,
            folder,
            trees,
            outlet,
            root: ItemId::root_of(space),
            strategy: settings.strategy,
            device,
            device_name: settings.device_name.clone(),
            clock: Arc::new(SystemClock),
            observer,
            dry_run: false,
            may_write,
            has_news: true,
            node,
            space,
            cursor,
            summary: Summary {
                space: slug,
                ..Summary::default()
            },
            beyond_hearing: false,
            rests: None,
            waits: Waits::default(),
            started: Instant::now(),
            told: HashSet::new(),
            _lock: lock,
        })
    }

    /// Runs in `mode` until it is done or stopped.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn run(mut self, mode: Mode, stop: &Stop) -> Result<Summary, EngineError> {
        match mode {
            Mode::Once => self.once(stop)?,
            Mode::Verify => {
                self.trees.doubt_everything()?;
                self.once(stop)?;
            }
            Mode::DryRun => {
                self.dry_run = true;
                self.catch_up()?;
                self.round(Scope::Everything)?;
            }
            Mode::Watch => self.watch(stop)?,
        }
        Ok(self.summary)
    }

    /// Takes in what a killed process left, before the feed says more. The corner
    /// comes first: the trees still know the bytes that were about to go.
    fn recover(&mut self) -> Result<(), EngineError> {
        self.clear_leftovers()?;
        let left = match self.trees.generation()? {
            Some(generation) => Intents::left(&self.folder.corner(INTENTS), generation)?,
            None => Left::default(),
        };
        Round::new(self).recover(left)
    }

    /// Nothing is under way: what lies in the corner is of no use any more, but
    /// for a download that can go on, and an entry that must come back.
    fn clear_leftovers(&mut self) -> Result<(), EngineError> {
        for name in leftovers::clear(&self.folder, &self.trees)? {
            let path = RelativePath::root().child(&name);
            self.problem(
                &path,
                "was taken out of its place when the client was killed",
            );
        }
        Ok(())
    }

    fn once(&mut self, stop: &Stop) -> Result<(), EngineError> {
        self.recover()?;
        self.catch_up()?;
        let mut report = self.round(Scope::Everything)?;
        for _ in 1..ROUNDS_ONCE {
            if let Some(error) = report.interrupted {
                return Err(error);
            }
            self.catch_up()?;
            // What was read of the feed need not be read by the next run.
            self.trees.commit()?;
            let (_, news) = self.trees.counts()?;
            let unfinished = !report.again.is_empty()
                || report.more_news
                || (news > 0 && report.problems.is_empty());
            if !unfinished || stop.is_stopped() {
                break;
            }
            report = self.round(Scope::Names {
                names: report.again,
                begun: BTreeSet::new(),
            })?;
        }
        if let Some(error) = report.interrupted {
            return Err(error);
        }
        for path in report.again {
            self.problem(&path, "it kept changing; sync again when it is quiet");
        }
        self.clear_leftovers()?;
        self.observer.event(&Event::Quiet);
        Ok(())
    }

    fn watch(&mut self, stop: &Stop) -> Result<(), EngineError> {
        let (sender, signals) = sync_channel(SIGNALS);
        let wake = sender.clone();
        // Listening begins before the first look, so that nothing falls between.
        let watch = Watch::new(self.folder.path(), move || {
            // A full channel means that the engine is awake anyway.
            let _ = wake.try_send(Signal::Heard);
        });
        if let Err(error) = &watch {
            self.problem(&RelativePath::root(), &error.to_string());
        }
        let mut watch = watch.ok();
        let mut deaf = watch.is_none();
        self.rests = Some(Rests::default());
        self.observer.event(&Event::Watching {
            folder: self.folder.path(),
            space: &self.summary.space,
            server: self.node.server(),
        });
        self.recover()?;
        self.catch_up_patiently(stop)?;
        let _following = self.spawn_feed(sender);
        let mut looked = Instant::now();
        let mut report = self.round(Scope::Everything)?;
        let mut retry = Retry::new();
        while !stop.is_stopped() {
            deaf |= self.beyond_hearing;
            let quiet =
                report.again.is_empty() && !report.more_news && report.interrupted.is_none();
            if quiet && report.resting.is_empty() {
                self.clear_leftovers()?;
                self.observer.event(&Event::Quiet);
                retry.reset();
            }
            let wait = match &report {
                report if report.more_news => Duration::ZERO,
                Report {
                    interrupted: Some(EngineError::NoAccess { .. }),
                    ..
                } => ACCESS_EVERY,
                _ if deaf && quiet => LOOK_EVERY,
                // Answers that were never heard are settled by a look at everything.
                _ if quiet && self.trees.has_unheard() => STRAGGLER,
                _ if quiet => LOOK_ANYWAY.saturating_sub(looked.elapsed()),
                report => {
                    let error = report.interrupted.as_ref();
                    retry.after(error.and_then(EngineError::retry_after))
                }
            };
            let wait = report.rest.map_or(wait, |rest| wait.min(rest));
            if let Some(error) = &report.interrupted {
                self.waiting(error);
            }
            let woken = self.wait(&signals, wait, stop)?;
            let mut heard = watch.as_mut().map(listen).unwrap_or_default();
            if let Some(reason) = heard.deaf.take() {
                deaf = true;
                let reason = format!(
                    "not all of the folder can be watched ({reason}); raise \
                     fs.inotify.max_user_watches, until then it is looked through every few seconds"
                );
                self.problem(&RelativePath::root(), &reason);
            }
            heard.everything |= !woken && (deaf || self.trees.has_unheard());
            heard.everything |= looked.elapsed() >= LOOK_ANYWAY;
            // What an interrupted round had set aside is not named anywhere.
            heard.everything |= report.interrupted.is_some();
            heard.names.append(&mut report.again);
            heard.names.append(&mut report.resting);
            report = if heard.everything {
                looked = Instant::now();
                self.round(Scope::Everything)?
            } else {
                self.round(Scope::Names {
                    names: heard.names,
                    begun: heard.begun,
                })?
            };
        }
        Ok(())
    }

    /// Waits for a signal, and takes in everything that has come. `false` when
    /// the time ran out.
    fn wait(
        &mut self,
        signals: &Receiver<Signal>,
        wait: Duration,
        stop: &Stop,
    ) -> Result<bool, EngineError> {
        let mut left = wait;
        let mut woken = false;
        loop {
            let step = if woken {
                Duration::ZERO
            } else {
                left.min(STOP_EVERY)
            };
            match signals.recv_timeout(step) {
                Ok(signal) => {
                    woken = true;
                    self.hear(signal)?;
                }
                Err(RecvTimeoutError::Disconnected) => return Ok(woken),
                Err(RecvTimeoutError::Timeout) if woken || stop.is_stopped() => return Ok(woken),
                Err(RecvTimeoutError::Timeout) => {
                    left = left.saturating_sub(step);
                    if left.is_zero() {
                        return Ok(false);
                    }
                }
            }
        }
    }

    fn hear(&mut self, signal: Signal) -> Result<(), EngineError> {
        match signal {
            Signal::Feed(versions, cursor) => {
                self.waits.end();
                self.learn(&versions, cursor)
            }
            Signal::FeedDown(error) if error.is_status(410) => Err(error.into()),
            Signal::FeedDown(error) => {
                let error = match error.is_without_access() {
                    true => self.without_access(error),
                    false => error.into(),
                };
                self.waiting(&error);
                Ok(())
            }
            Signal::Heard => Ok(()),
        }
    }

    fn round(&mut self, scope: Scope) -> Result<Report, EngineError> {
        self.has_news = self.trees.counts()?.1 > 0;
        let scope = match self.has_more_rights() {
            // What was left here until now is given.
            true => Scope::Everything,
            false => scope,
        };
        let whole = matches!(scope, Scope::Everything);
        let report = Round::new(self).run(scope)?;
        if report.interrupted.is_some() {
            // An answer may have been lost, as if this process had been killed.
            self.trees.recall(self.device)?;
        } else if whole && report.again.is_empty() && !report.more_news && !self.dry_run {
            let before = self.clock.now().saturating_sub(STRAGGLER_MILLIS);
            self.trees.settle_offers(before)?;
        }
        self.summary.add(&report);
        for (path, reason) in &report.problems {
            if self.tell_once(path, reason) {
                self.summary.problems += 1;
            }
        }
        for path in &report.ignored {
            if self.tell_once(path, "a socket, pipe or device is not synced") {
                self.summary.ignored += 1;
            }
        }
        Ok(report)
    }

    /// Whether a reader has become more than that. Less is noticed by the first
    /// change that the node refuses.
    fn has_more_rights(&mut self) -> bool {
        if self.may_write || self.dry_run {
            return false;
        }
        // A node that does not answer tells so to the round itself.
        let session = self.node.start(&self.space.to_string());
        self.may_write = session.is_ok_and(|session| !session.is_reader());
        self.may_write
    }

    /// Tells a problem unless it was told: every look finds it again.
    fn tell_once(&mut self, path: &RelativePath, reason: &str) -> bool {
        if self.told.len() >= PROBLEMS_REMEMBERED {
            self.told.clear();
        }
        let is_new = self.told.insert((path.clone(), reason.to_owned()));
        if is_new {
            self.observer.event(&Event::Problem { path, reason });
        }
        is_new
    }

    fn problem(&mut self, path: &RelativePath, reason: &str) {
        self.summary.problems += 1;
        self.observer.event(&Event::Problem { path, reason });
    }

    /// Tells why nothing goes on.
    fn waiting(&mut self, error: &EngineError) {
        let lasting = matches!(error, EngineError::NoAccess { .. });
        let reason = error.to_string();
        self.waits
            .tell(&*self.observer, &reason, lasting, Instant::now());
    }

    /// What it means that the node refused even to let this device read.
    pub(crate) fn without_access(&self, source: RemoteError) -> EngineError {
        EngineError::NoAccess {
            space: self.summary.space.clone(),
            server: self.node.server().to_owned(),
            source: Box::new(source),
        }
    }

    /// Reads the feed to its end.
    fn catch_up(&mut self) -> Result<(), EngineError> {
        match self.read_feed() {
            Err(EngineError::Remote(error)) if error.is_without_access() => {
                Err(self.without_access(error))
            }
            result => result,
        }
    }

    fn read_feed(&mut self) -> Result<(), EngineError> {
        let mut frames = match self.node.feed(self.space, self.cursor, false) {
            Err(error) if error.is_status(410) => {
                // Too long away: compare everything anew; plan's rule 5 keeps
                // every byte.
                self.cursor = Cursor::start(self.cursor.log);
                self.trees.restart(Place {
                    space: self.space,
                    cursor: self.cursor,
                })?;
                self.node.feed(self.space, self.cursor, false)?
            }
            frames => frames?,
        };
        let mut versions = Vec::new();
        while let Some(frame) = frames.next_frame()? {
            match frame {
                Frame::Version(bytes) => versions.push(decode(&bytes)?),
                Frame::Cursor(cursor) => {
                    self.learn(&versions, cursor)?;
                    versions.clear();
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn catch_up_patiently(&mut self, stop: &Stop) -> Result<(), EngineError> {
        let mut retry = Retry::new();
        loop {
            match self.catch_up() {
                Err(EngineError::Remote(error)) if error.is_passing() && !stop.is_stopped() => {
                    let pause = retry.after(error.retry_after());
                    self.waiting(&error.into());
                    stop.wait(pause);
                }
                result => return result,
            }
        }
    }

    fn learn(&mut self, versions: &[Version], cursor: Cursor) -> Result<(), EngineError> {
        if versions.is_empty() && cursor == self.cursor {
            return Ok(());
        }
        for version in versions {
            self.trees.learn(version)?;
        }
        self.trees.advance(Place {
            space: self.space,
            cursor,
        })?;
        self.cursor = cursor;
        Ok(())
    }

    fn spawn_feed(&self, signals: SyncSender<Signal>) -> Following {
        let (node, space, cursor) = (self.node.clone(), self.space, self.cursor);
        let following = Following::default();
        let ended = Arc::clone(&following.ended);
        // Not waited for: it notices with the next frame, 15 s at most.
        std::thread::spawn(move || follow(&node, space, cursor, &signals, &ended));
        following
    }

    /// Proves that the folder is the one that was synced.
    pub(crate) fn check_marker(&self) -> Result<(), EngineError> {
        match marker::read(self.folder.path()) {
            Ok(Some(marker)) if marker.space == self.space.to_string() => Ok(()),
            _ => Err(EngineError::MarkerGone(self.folder.path().to_owned())),
        }
    }
}

/// What the watcher heard, with the rest of the same save.
fn listen(watch: &mut Watch) -> Heard {
    let mut heard = watch.take();
    if !heard.is_empty() {
        // Not a wait for anything: what comes later is heard later.
        std::thread::park_timeout(SETTLE);
        heard.append(watch.take());
    }
    heard
}

/// Where to read the feed from: where it was left, or the start of another log.
fn begin(trees: &Trees, space: SpaceId, log: LogId) -> Result<Cursor, TreesError> {
    match trees.place()? {
        Some(place) if place.space == space && place.cursor.log == log => Ok(place.cursor),
        _ => {
            let cursor = Cursor::start(log);
            trees.restart(Place { space, cursor })?;
            Ok(cursor)
        }
    }
}

fn decode(bytes: &[u8]) -> Result<Version, EngineError> {
    Version::decode(bytes).map_err(|error| EngineError::Nonsense(error.to_string()))
}

/// The feed thread: reads for ever, from where it broke off.
fn follow(
    node: &Node,
    space: SpaceId,
    mut cursor: Cursor,
    signals: &SyncSender<Signal>,
    ended: &AtomicBool,
) {
    let mut retry = Retry::new();
    while !ended.load(Ordering::Relaxed) {
        let mut told = None;
        match follow_once(node, space, &mut cursor, signals, &mut retry, ended) {
            Ok(()) => {}
            Err(Followed::Abandoned) => return,
            Err(Followed::Broken(error)) => {
                let refused = error.is_without_access();
                told = error.retry_after();
                if signals.send(Signal::FeedDown(error)).is_err() {
                    return;
                }
                if refused {
                    std::thread::park_timeout(ACCESS_EVERY);
                }
            }
        }
        std::thread::park_timeout(retry.after(told));
    }
}

/// Ends the feed thread when it is dropped.
#[derive(Debug, Default)]
struct Following {
    ended: Arc<AtomicBool>,
}

impl Drop for Following {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
    }
}

enum Followed {
    Abandoned,
    Broken(RemoteError),
}

impl From<RemoteError> for Followed {
    fn from(error: RemoteError) -> Self {
        Self::Broken(error)
    }
}

fn follow_once(
    node: &Node,
    space: SpaceId,
    cursor: &mut Cursor,
    signals: &SyncSender<Signal>,
    retry: &mut Retry,
    ended: &AtomicBool,
) -> Result<(), Followed> {
    let mut frames = node.feed(space, *cursor, true)?;
    let mut versions = Vec::with_capacity(FEED_BATCH);
    while let Some(frame) = frames.next_frame()? {
        if ended.load(Ordering::Relaxed) {
            return Err(Followed::Abandoned);
        }
        match frame {
            Frame::Version(bytes) => match Version::decode(&bytes) {
                Ok(version) => versions.push(version),
                // Spoken by a newer node: read again later, never skipped.
                Err(_) => return Ok(()),
            },
            Frame::Cursor(seen) => {
                retry.reset();
                if versions.is_empty() && seen == *cursor {
                    continue;
                }
                *cursor = seen;
                let batch = std::mem::take(&mut versions);
                signals
                    .send(Signal::Feed(batch, seen))
                    .map_err(|_| Followed::Abandoned)?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Pauses that double.
#[derive(Debug)]
struct Retry(Duration);

impl Retry {
    fn new() -> Self {
        Self(RETRY_FIRST)
    }

    fn reset(&mut self) {
        *self = Self::new();
    }

    /// The next one, no shorter than the node `told`.
    fn after(&mut self, told: Option<Duration>) -> Duration {
        let pause = self.0;
        self.0 = (pause * 2).min(RETRY_LAST);
        told.map_or(pause, |told| pause.max(told))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_are_as_long_as_the_node_says() {
        let mut retry = Retry::new();
        let told = Duration::from_secs(7);
        assert_eq!(retry.after(None), RETRY_FIRST);
        assert_eq!(retry.after(Some(told)), told);
        assert_eq!(retry.after(Some(Duration::ZERO)), RETRY_FIRST * 4);
        let last = (0..20).map(|_| retry.after(None)).last();
        assert_eq!(last, Some(RETRY_LAST));
        assert_eq!(retry.after(Some(told)), RETRY_LAST);
        retry.reset();
        assert_eq!(retry.after(None), RETRY_FIRST);
    }
}
