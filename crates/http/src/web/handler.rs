//! What one loop answers: limits first, then the site that the request is for.
//!
//! Everything here is the loop's own but [`Shared`], which only a reload writes.

use super::counts::{Counts, Totals};
use super::journal::Journal;
use super::loaded::{Loaded, LoadedSite, Shared};
use crate::files::{Answer, Moment, OptionsError, Site};
use crate::h1::RequestHead;
use crate::models::Figures;
use crate::models::processes::Scoreboard;
use crate::serve::{Answering, Files, Handler, Incoming, Record, plain};
use http::{Request, StatusCode};
use std::cell::{Cell, RefCell};
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;

/// See the module.
#[derive(Debug)]
pub(super) struct Web {
    shared: Arc<Shared>,
    generation: Cell<u64>,
    sites: RefCell<Sites>,
    counts: Arc<Counts>,
    journal: Option<RefCell<Journal>>,
    /// What all workers did, if they are processes.
    board: Option<Rc<Scoreboard>>,
}

#[derive(Debug)]
struct Sites {
    loaded: Arc<Loaded>,
    /// In the order of those that are loaded.
    files: Vec<Files>,
}

impl Web {
    pub(super) fn new(
        shared: Arc<Shared>,
        journal: Option<Journal>,
        board: Option<Rc<Scoreboard>>,
    ) -> Result<Self, OptionsError> {
        let generation = shared.generation();
        Ok(Self {
            sites: RefCell::new(Sites::new(shared.current())?),
            generation: Cell::new(generation),
            counts: shared.counts(),
            shared,
            journal: journal.map(RefCell::new),
            board,
        })
    }

    /// What this server did.
    fn totals(&self) -> Totals {
        let totals = self.shared.totals();
        match &self.board {
            Some(board) => totals.with_all(board),
            None => totals,
        }
    }

    /// Takes up a configuration that has come into force.
    #[cold]
    fn reload(&self, generation: u64) {
        self.generation.set(generation);
        match Sites::new(self.shared.current()) {
            Ok(sites) => *self.sites.borrow_mut() = sites,
            Err(error) => tracing::error!("the former configuration stays: {error}"),
        }
    }

    /// Figures about the server, for those who may see them; to others there is
    /// nothing of the kind.
    fn figures(&self, from: IpAddr, head: &RequestHead<'_, '_>) -> Option<Answer> {
        let sites = self.sites.borrow();
        let monitoring = &sites.loaded.monitoring;
        let from = from.to_canonical();
        if !from.is_loopback() && !monitoring.clients.contains(&from) {
            return None;
        }
        let path = Some(head.target().path());
        let answer = if path == monitoring.status.as_deref() {
            Answer::text("text/plain; charset=utf-8", self.totals().text())
        } else if path == monitoring.metrics.as_deref() {
            Answer::text(
                "text/plain; version=0.0.4; charset=utf-8",
                self.totals().metrics(),
            )
        } else {
            return None;
        };
        Some(match head.method() {
            "GET" | "HEAD" => answer,
            _ => Answer::plain(StatusCode::METHOD_NOT_ALLOWED, &[("allow", b"GET, HEAD")]),
        })
    }
}

impl Sites {
    fn new(loaded: Arc<Loaded>) -> Result<Self, OptionsError> {
        let files = loaded.sites.iter().map(|site| {
            let (root, options) = (Arc::clone(&site.root), Arc::clone(&site.options));
            let seed = RandomState::new().hash_one(0);
            Site::new(root, options, seed).map(Files::new)
        });
        Ok(Self {
            files: files.collect::<Result<_, _>>()?,
            loaded,
        })
    }
}

impl Handler for Web {
    #[inline]
    fn screen(&self, peer: SocketAddr, head: &RequestHead<'_, '_>, _: Moment) -> Option<Answer> {
        let generation = self.shared.generation();
        if generation != self.generation.get() {
            self.reload(generation);
        }
        let loaded = &self.sites.borrow().loaded;
        if let Some(limits) = &loaded.limits {
            let (decision, route) = limits.ask(peer.ip(), head.target().path());
            if !decision.is_allowed() {
                let refused = Answer::plain(StatusCode::TOO_MANY_REQUESTS, &[]);
                let refused = refused.with_lines(limits.lines(decision, route));
                return Some(loaded.with_hsts(refused));
            }
        }
        match self.shared.is_monitored() {
            true => self
                .figures(peer.ip(), head)
                .map(|answer| loaded.with_hsts(answer)),
            false => None,
        }
    }

    fn file(&self, head: &RequestHead<'_, '_>, now: Moment) -> Option<Answer> {
        let sites = self.sites.borrow();
        let number = sites.loaded.site_of(|| head.host());
        let (site, files) = (&sites.loaded.sites[number], &sites.files[number]);
        if site.is_plain {
            return Some(sites.loaded.with_hsts(files.answer(head, now)));
        }
        let answer = ruled(site, head).unwrap_or_else(|| files.answer(head, now));
        let answer = match &site.config.cors {
            Some(cors) => answer.with_lines(cors.lines(head.values("origin").next())),
            None => answer,
        };
        Some(sites.loaded.with_hsts(answer))
    }

    fn call(&self, _: SocketAddr, _: Request<Incoming>) -> Answering {
        Box::pin(async { plain(StatusCode::NOT_FOUND) })
    }

    fn records(&self) -> bool {
        self.journal.is_some() || self.shared.is_monitored()
    }

    fn record(&self, record: &Record<'_>) {
        self.counts.count(record);
        let Some(journal) = &self.journal else {
            return;
        };
        let sites = self.sites.borrow();
        let user = record.asked.and_then(|asked| {
            let site = &sites.loaded.sites[sites.loaded.site_of(|| asked.host)];
            site.config.users.prove(asked.authorization)
        });
        let user = user.map(str::as_bytes);
        journal.borrow_mut().write(record, user);
    }

    fn figures(&self) -> Figures {
        self.shared.totals().figures()
    }

    fn tick(&self) {
        if let Some(journal) = &self.journal {
            journal.borrow_mut().hand_over();
        }
    }
}

/// What the rules of a site answer before its files do.
fn ruled(site: &LoadedSite, head: &RequestHead<'_, '_>) -> Option<Answer> {
    let config = &site.config;
    // A browser sends no credentials with this question (Fetch 3.3.4).
    let asks_first = head.method() == "OPTIONS"
        && head
            .values("access-control-request-method")
            .next()
            .is_some();
    if let Some(cors) = config.cors.as_ref().filter(|_| asks_first) {
        let allowed = Answer::empty(StatusCode::NO_CONTENT);
        return Some(allowed.with_lines(cors.preflight_lines()));
    }
    let authorization = head.values("authorization").next();
    if !config.users.is_empty() && config.users.prove(authorization).is_none() {
        let challenge = format!("Basic realm=\"{}\", charset=\"UTF-8\"", config.realm);
        let challenge: [(&str, &[u8]); 1] = [("www-authenticate", challenge.as_bytes())];
        return Some(Answer::plain(StatusCode::UNAUTHORIZED, &challenge));
    }
    let (path, query) = (head.target().path(), head.target().query());
    config.redirects.iter().find_map(|redirect| {
        let location = redirect.location(path, query)?;
        let location: [(&str, &[u8]); 1] = [("location", location.as_bytes())];
        Some(Answer::plain(redirect.status(), &location))
    })
}
