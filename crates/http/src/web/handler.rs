//! What one loop answers: limits first, then the site that the request is for.
//!
//! Everything here is the loop's own but [`Shared`], which only a reload writes.

use super::journal::Journal;
use super::loaded::{Loaded, Shared};
use crate::files::{Answer, Moment, OptionsError, Site};
use crate::h1::RequestHead;
use crate::serve::{Answering, Files, Handler, Incoming, Record, plain};
use http::{Request, StatusCode};
use std::cell::{Cell, RefCell};
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::sync::Arc;

/// See the module.
#[derive(Debug)]
pub(super) struct Web {
    shared: Arc<Shared>,
    generation: Cell<u64>,
    sites: RefCell<Sites>,
    journal: Option<RefCell<Journal>>,
}

#[derive(Debug)]
struct Sites {
    loaded: Arc<Loaded>,
    /// In the order of those that are loaded.
    files: Vec<Files>,
}

impl Web {
    pub(super) fn new(shared: Arc<Shared>, journal: Option<Journal>) -> Result<Self, OptionsError> {
        let generation = shared.generation();
        Ok(Self {
            sites: RefCell::new(Sites::new(shared.current())?),
            generation: Cell::new(generation),
            shared,
            journal: journal.map(RefCell::new),
        })
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
    fn refuse(&self, peer: SocketAddr, _: &RequestHead<'_, '_>, _: Moment) -> Option<Answer> {
        let decision = self.shared.ask(peer.ip());
        if decision.is_allowed() {
            return None;
        }
        let lines = self.shared.lines(decision);
        Some(Answer::plain_with(StatusCode::TOO_MANY_REQUESTS, lines))
    }

    fn file(&self, head: &RequestHead<'_, '_>, now: Moment) -> Option<Answer> {
        let generation = self.shared.generation();
        if generation != self.generation.get() {
            self.reload(generation);
        }
        let sites = self.sites.borrow();
        let site = sites.loaded.site_of(head.host());
        Some(sites.files[site].answer(head, now))
    }

    fn call(&self, _: Request<Incoming>) -> Answering {
        Box::pin(async { plain(StatusCode::NOT_FOUND) })
    }

    fn records(&self) -> bool {
        self.journal.is_some()
    }

    fn record(&self, record: &Record<'_>) {
        if let Some(journal) = &self.journal {
            journal.borrow_mut().write(record, None);
        }
    }

    fn tick(&self) {
        if let Some(journal) = &self.journal {
            journal.borrow_mut().hand_over();
        }
    }
}
