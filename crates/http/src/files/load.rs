//! What a path leads to, found out from the file system and made ready to be
//! answered many times.
//!
//! A file remembers every look that led to it, also those that found nothing: a
//! sidecar that is not there, an index file that comes first. As long as every
//! look sees the same, the resource is what a new load would give.

use super::answer::FileError;
use super::compress;
use super::facts::Facts;
use super::listing::Listing;
use super::negotiate::Coding;
use super::options::Options;
use super::representation::{Content, Description, Representation, Variants};
use super::request::Moment;
use super::root::{Miss, Opened, Root};
use bytes::Bytes;
use http::StatusCode;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// What a path leads to.
#[derive(Debug)]
pub(super) enum Resource {
    /// A file, and how it was found.
    File(Variants, Vec<Seen>),
    /// A directory asked for without its slash.
    Directory,
    /// A directory to be shown.
    Listing(Listing),
    /// Nothing that is served: 403 or 404.
    Missing(StatusCode),
}

/// One look at the file system.
#[derive(Debug)]
pub(super) struct Seen {
    path: Box<[u8]>,
    /// `None`: no file was there.
    facts: Option<Facts>,
    /// Equal facts would prove nothing.
    is_racy: bool,
}

/// Loads from one root under one set of options.
pub(super) struct Loader<'a> {
    pub(super) root: &'a Root,
    pub(super) options: &'a Options,
    pub(super) now: Moment,
}

/// A file that was opened, and perhaps read.
struct Loaded {
    facts: Facts,
    content: Content,
}

impl Resource {
    /// How much memory it holds, in bytes.
    pub(super) fn weight(&self) -> usize {
        let inner = match self {
            Self::File(variants, seen) => {
                let paths: usize = seen
                    .iter()
                    .map(|seen| size_of::<Seen>() + seen.path.len())
                    .sum();
                variants.weight() + paths
            }
            Self::Listing(listing) => listing.weight(),
            Self::Directory | Self::Missing(_) => 0,
        };
        size_of::<Self>() + inner
    }

    /// How many files it holds open.
    pub(super) fn descriptors(&self) -> usize {
        let Self::File(variants, _) = self else {
            return 0;
        };
        let on_disk = |offer: &&Representation| matches!(offer.content(), Content::Disk(_));
        variants.offers.iter().filter(on_disk).count()
    }
}

impl Loader<'_> {
    /// What `path` leads to: decoded, without its first slash.
    pub(super) fn load(&self, path: &[u8]) -> Result<Resource, FileError> {
        let mut seen = Vec::new();
        let result = match path.is_empty() || path.ends_with(b"/") {
            true => self.load_directory(path, &mut seen),
            false => self.load_named(path, &mut seen),
        };
        match result {
            Ok(resource) => Ok(resource),
            Err(Miss::Absent) => Ok(Resource::Missing(StatusCode::NOT_FOUND)),
            Err(Miss::Denied) => Ok(Resource::Missing(StatusCode::FORBIDDEN)),
            Err(Miss::Exhausted(source) | Miss::Failed(source)) => Err(FileError {
                what: "open",
                path: String::from_utf8_lossy(path).into_owned(),
                source,
            }),
        }
    }

    /// Whether every look that led to the resource still sees the same.
    pub(super) fn is_unchanged(&self, resource: &Resource) -> bool {
        let Resource::File(_, seen) = resource else {
            return false;
        };
        seen.iter().all(|seen| {
            let facts = match self.root.look(&seen.path) {
                Ok(facts) => Some(facts),
                Err(Miss::Absent) => None,
                Err(_) => return false,
            };
            !seen.is_racy && facts == seen.facts
        })
    }

    fn load_directory(&self, path: &[u8], seen: &mut Vec<Seen>) -> Result<Resource, Miss> {
        for index in &self.options.index {
            let whole = [path, index.as_bytes()].concat();
            match self.load_named(&whole, seen) {
                Ok(Resource::File(variants, seen)) => return Ok(Resource::File(variants, seen)),
                Ok(_) | Err(Miss::Absent) => {}
                Err(miss) => return Err(miss),
            }
        }
        match self.root.open_beneath(path)? {
            Opened::Directory(directory) if self.options.listing => {
                let listing = self.root.list(path, &directory, self.options.dotfiles)?;
                Ok(Resource::Listing(listing))
            }
            _ => Err(Miss::Absent),
        }
    }

    fn load_named(&self, path: &[u8], seen: &mut Vec<Seen>) -> Result<Resource, Miss> {
        let original = match self.root.open_beneath(path) {
            Ok(Opened::Directory(_)) => {
                seen.push(self.seen(path, None));
                return Ok(Resource::Directory);
            }
            Ok(Opened::File(file, facts)) => Some(self.read(file, facts)),
            Err(Miss::Absent) => None,
            Err(miss) => return Err(miss),
        };
        seen.push(self.seen(path, original.as_ref()));
        let sidecars = self.load_sidecars(path, original.as_ref(), seen)?;
        let content_type = self.options.types.of(path);
        let has_gzip = sidecars.iter().any(|(coding, _)| *coding == Coding::Gzip);
        let packed = match &original {
            Some(original) if !has_gzip => self.pack(original, content_type),
            _ => None,
        };
        let says = Description {
            content_type,
            cache_control: self.options.cache_control_of(path),
            varies: !sidecars.is_empty() || packed.is_some(),
            extra: &self.options.extra_fields,
            now: self.now.unix_seconds(),
            is_weak: false,
        };
        let original = original.map(|loaded| (Coding::Identity, loaded));
        let loaded = original.into_iter().chain(sidecars);
        let mut offers: Vec<_> = loaded
            .map(|(coding, loaded)| self.represent(loaded, coding, says))
            .collect();
        offers.extend(packed.map(|packed| {
            let says = Description {
                is_weak: true,
                ..says
            };
            Representation::new(&packed.facts, Coding::Gzip, packed.content, &says)
        }));
        match Variants::new(offers, content_type.to_owned()) {
            Some(variants) => Ok(Resource::File(variants, std::mem::take(seen))),
            None => Err(Miss::Absent),
        }
    }

    /// A text compressed here, if it is small enough and worth it.
    fn pack(&self, original: &Loaded, content_type: &str) -> Option<Loaded> {
        let sizes = compress::SMALLEST..=compress::LARGEST;
        let is_worth_it = sizes.contains(&original.facts.size) && compress::is_text(content_type);
        if !self.options.compress || !is_worth_it {
            return None;
        }
        let packed = match &original.content {
            Content::Memory(bytes) => compress::gzip(bytes),
            Content::Disk(file) => compress::gzip(&read_whole(file, &original.facts)?),
        }?;
        Some(Loaded {
            facts: Facts {
                size: packed.len() as u64,
                ..original.facts
            },
            content: Content::Memory(packed),
        })
    }

    /// The codings of `path` that lie beside it. One that is older than its
    /// original was forgotten when that was changed, and is not served.
    fn load_sidecars(
        &self,
        path: &[u8],
        original: Option<&Loaded>,
        seen: &mut Vec<Seen>,
    ) -> Result<Vec<(Coding, Loaded)>, Miss> {
        let mut sidecars = Vec::new();
        for coding in Coding::SIDECARS {
            if !self.options.precompressed {
                break;
            }
            let beside = [path, coding.suffix().as_bytes()].concat();
            let loaded = match self.root.open_beneath(&beside) {
                Ok(Opened::File(file, facts)) => Some(self.read(file, facts)),
                Ok(Opened::Directory(_)) | Err(Miss::Absent | Miss::Denied) => None,
                Err(miss) => return Err(miss),
            };
            seen.push(self.seen(&beside, loaded.as_ref()));
            let is_current = |loaded: &Loaded| {
                original.is_none_or(|original| loaded.facts.modified >= original.facts.modified)
            };
            sidecars.extend(loaded.filter(is_current).map(|loaded| (coding, loaded)));
        }
        Ok(sidecars)
    }

    /// A small file is read, and closed. If it was changed meanwhile it is
    /// served from the open file, like a large one.
    fn read(&self, file: File, facts: Facts) -> Loaded {
        if facts.size <= self.options.keep.small_file
            && let Some(bytes) = read_whole(&file, &facts)
        {
            let content = Content::Memory(Bytes::from(bytes));
            return Loaded { facts, content };
        }
        let content = Content::Disk(Arc::new(file));
        Loaded { facts, content }
    }

    fn represent(&self, loaded: Loaded, coding: Coding, says: Description<'_>) -> Representation {
        let is_weak = loaded.facts.is_racy(self.now.since_epoch);
        let says = Description { is_weak, ..says };
        Representation::new(&loaded.facts, coding, loaded.content, &says)
    }

    fn seen(&self, path: &[u8], loaded: Option<&Loaded>) -> Seen {
        let facts = loaded.map(|loaded| loaded.facts);
        Seen {
            path: Box::from(path),
            facts,
            is_racy: facts.is_some_and(|facts| facts.is_racy(self.now.since_epoch)),
        }
    }
}

/// All bytes of a file; `None` unless it was the same before and after.
fn read_whole(file: &File, facts: &Facts) -> Option<Vec<u8>> {
    let mut bytes = vec![0; facts.size as usize];
    file.read_exact_at(&mut bytes, 0).ok()?;
    let after = Facts::from(&rustix::fs::fstat(file).ok()?);
    (after == *facts).then_some(bytes)
}
