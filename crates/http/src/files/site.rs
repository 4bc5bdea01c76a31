//! A directory served: from a request to an answer, with what was opened kept.
//!
//! Each event loop has a site of its own over a shared [`Root`] and shared
//! [`Options`]; a request takes no lock. Opening and reading small files happens
//! here, on the caller's thread: it is what a web server waits for anyway, and a
//! hop to another thread costs more than the wait. The body of a large file is
//! left to whoever writes to the socket.
//!
//! An answer is never older than [`Keep::age`](super::options::Keep::age), but
//! for the body of a file that is replaced while it is sent: it stays what it was.

use super::answer::{Answer, FileError};
use super::cache::{Cache, Look};
use super::load::{Loader, Resource};
use super::options::{Options, OptionsError};
use super::path::{self, Refusal, Target};
use super::plan::{answer_by_method, plan, plan_unconditional};
use super::request::{Method, Moment, Request};
use super::root::Root;
use http::StatusCode;
use rustix::io::Errno;
use std::sync::Arc;

/// A directory served by one event loop.
#[derive(Debug)]
pub struct Site {
    root: Arc<Root>,
    options: Arc<Options>,
    cache: Cache,
    boundary: u64,
    stats: SiteStats,
}

/// What a site did and holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SiteStats {
    /// Answers that asked nothing of the file system.
    pub hits: u64,
    /// Answers that only looked whether something had changed.
    pub confirmed: u64,
    /// Answers that opened or searched.
    pub loads: u64,
    /// Paths kept that lead to something.
    pub found: usize,
    /// Paths kept that lead to nothing.
    pub missing: usize,
    /// Bytes kept.
    pub memory: usize,
    /// Files held open.
    pub descriptors: usize,
}

impl Site {
    /// Serves `root`; `seed` is any random number, from which the boundaries of
    /// multipart answers are made.
    pub fn new(root: Arc<Root>, options: Arc<Options>, seed: u64) -> Result<Self, OptionsError> {
        options.check()?;
        Ok(Self {
            cache: Cache::new(options.keep.clone()),
            root,
            options,
            boundary: seed,
            stats: SiteStats::default(),
        })
    }

    /// The answer to a request. It is complete: refusals and faults are answers too.
    pub fn answer(&mut self, request: &Request<'_>) -> Answer {
        if let Some(answer) = answer_by_method(request.method) {
            return answer;
        }
        let answer = self.answer_target(request);
        match request.method {
            Method::Head => answer.without_body(),
            _ => answer,
        }
    }

    /// What it did and holds.
    pub fn stats(&self) -> SiteStats {
        let (found, missing, memory, descriptors) = self.cache.room();
        SiteStats {
            found,
            missing,
            memory,
            descriptors,
            ..self.stats
        }
    }

    /// Forgets all that is kept, for instance when descriptors are short.
    pub fn clear(&mut self) {
        self.cache.clear();
    }

    fn answer_target(&mut self, request: &Request<'_>) -> Answer {
        let target = match self.target(request.target) {
            Ok(target) => target,
            Err(Refusal::Malformed) => return self.error(StatusCode::BAD_REQUEST, request),
            Err(Refusal::Nothing) => return self.missing(StatusCode::NOT_FOUND, b"", request),
        };
        if target.was_doubled {
            return self.redirect(&target.path, target.query);
        }
        let resource = match self.resource(&target.path, request.now) {
            Ok(resource) => resource,
            Err(fault) => return self.fault(fault, request),
        };
        match &*resource {
            Resource::File(variants, _) => {
                let now = request.now.unix_seconds();
                plan(
                    request.method,
                    variants,
                    &request.wanted,
                    now,
                    self.next_boundary(),
                )
            }
            Resource::Listing(listing) => {
                let extra = &self.options.extra_fields;
                listing.answer(&target.path, target.query, request.wanted.accept, extra)
            }
            Resource::Directory => {
                let path = [&target.path[..], b"/"].concat();
                self.redirect(&path, target.query)
            }
            Resource::Missing(status) => self.missing(*status, &target.path, request),
        }
    }

    /// The target without this site's prefix.
    fn target<'a>(&self, target: &'a [u8]) -> Result<Target<'a>, Refusal> {
        let prefix = self.options.prefix.as_bytes();
        if prefix.is_empty() {
            return path::parse(target, self.options.dotfiles);
        }
        let rest = target.strip_prefix(prefix).ok_or(Refusal::Nothing)?;
        match rest.first() {
            // The site without its slash: relative links would miss it.
            None | Some(b'?') => Ok(Target {
                path: Vec::new().into(),
                query: rest.get(1..),
                was_doubled: true,
            }),
            Some(b'/') => path::parse(rest, self.options.dotfiles),
            Some(_) => Err(Refusal::Nothing),
        }
    }

    /// What `path` leads to, from the cache where that is young enough.
    fn resource(&mut self, path: &[u8], now: Moment) -> Result<Arc<Resource>, FileError> {
        let loader = Loader {
            root: &self.root,
            options: &self.options,
            now,
        };
        match self.cache.look(path, now.elapsed) {
            Look::Fresh(resource) => {
                self.stats.hits += 1;
                return Ok(resource);
            }
            Look::Stale(resource) if loader.is_unchanged(&resource) => {
                self.stats.confirmed += 1;
                self.cache.confirm(path, now.elapsed);
                return Ok(resource);
            }
            Look::Stale(_) | Look::Unknown => self.stats.loads += 1,
        }
        let loaded = match loader.load(path) {
            // What is held open here may be what is short.
            Err(fault) if is_exhausted(&fault) => {
                self.cache.clear();
                loader.load(path)
            }
            loaded => loaded,
        };
        let resource = Arc::new(loaded?);
        self.cache.keep(path, &resource, now.elapsed);
        Ok(resource)
    }

    /// Whether `page`, an option, can stand in for other answers.
    ///
    /// # Errors
    /// It cannot be read.
    pub(crate) fn has_page(&mut self, page: &str, now: Moment) -> Result<bool, FileError> {
        let page = self.resource(page.trim_start_matches('/').as_bytes(), now)?;
        Ok(matches!(&*page, Resource::File(..)))
    }

    fn missing(&mut self, status: StatusCode, path: &[u8], request: &Request<'_>) -> Answer {
        let fallback = self.options.fallback.clone();
        if let Some(page) = fallback
            && status == StatusCode::NOT_FOUND
            && self.options.types.known(path).is_none()
            && let Ok(resource) =
                self.resource(page.trim_start_matches('/').as_bytes(), request.now)
            && let Resource::File(variants, _) = &*resource
        {
            let now = request.now.unix_seconds();
            return plan(
                request.method,
                variants,
                &request.wanted,
                now,
                self.next_boundary(),
            );
        }
        self.error(status, request)
    }

    /// The configured page for an error, or a line of text.
    fn error(&mut self, status: StatusCode, request: &Request<'_>) -> Answer {
        let page = self.options.error_page(status).map(str::to_owned);
        if let Some(page) = page
            && let Ok(resource) = self.resource(page.as_bytes(), request.now)
            && let Resource::File(variants, _) = &*resource
        {
            return plan_unconditional(status, variants);
        }
        Answer::plain(status, &[])
    }

    fn fault(&mut self, fault: FileError, request: &Request<'_>) -> Answer {
        let mut answer = if is_exhausted(&fault) {
            let retry: [(&str, &[u8]); 1] = [("retry-after", b"1")];
            Answer::plain(StatusCode::SERVICE_UNAVAILABLE, &retry)
        } else {
            self.error(StatusCode::INTERNAL_SERVER_ERROR, request)
        };
        answer.fault = Some(Box::new(fault));
        answer
    }

    fn redirect(&self, path: &[u8], query: Option<&[u8]>) -> Answer {
        let location = path::location(&self.options.prefix, path, query);
        let fields: [(&str, &[u8]); 1] = [("location", &location)];
        Answer::plain(StatusCode::MOVED_PERMANENTLY, &fields)
    }

    /// Weyl's sequence: never the same twice, and unknown without the seed.
    fn next_boundary(&mut self) -> u64 {
        self.boundary = self.boundary.wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.boundary
    }
}

fn is_exhausted(fault: &FileError) -> bool {
    let errno = fault.source.raw_os_error().map(Errno::from_raw_os_error);
    matches!(
        errno,
        Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::AGAIN)
    )
}
