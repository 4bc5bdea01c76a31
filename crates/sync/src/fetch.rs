//! Bringing versions from the node into the folder.
//!
//! Small files come many to a request, large ones alone: as pieces of the
//! version that stands here when that is known, else whole, resumed where an
//! earlier attempt broke off. Every byte is verified against the version's hash
//! before it may land ([`crate::land`]). Runs on worker threads.

use crate::chunk::cut;
use crate::folder::{Folder, Observation, Temporary, observe_open};
use crate::land::{Landed, Lander, Want};
use crate::leftovers::partial_name;
use crate::remote::{Node, RemoteError};
use crate::wire::Frame;
use base::{Hash, Hasher, SpaceId, VersionId, limits};
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;

/// Read and written at once.
const PIECE_BYTES: usize = 256 * 1024;

/// Written but not yet on its way to the disk: beyond it the kernel is asked to
/// start, so that the final fsync finds little to do.
const WRITEBACK_BYTES: u64 = 8 << 20;

/// From this size on, the map of a file is fetched with it, so that its next
/// edit here need not ask for it; below, asking later costs little.
pub const MAP_KEPT_FROM: u64 = 16 << 20;

/// The version that stands here and may serve as source of a delta.
#[derive(Debug, Clone)]
pub struct Standing {
    /// The version.
    pub version: VersionId,
    /// How it looks; it must still look so after it was read.
    pub seen: Observation,
}

/// Where versions come from.
#[derive(Debug, Clone)]
pub struct Inlet {
    /// The node.
    pub node: Node,
    /// The space.
    pub space: SpaceId,
}

/// Brings small files and links, and lands them together.
///
/// # Errors
/// [`FetchError`]: nothing is known of any of them then.
pub fn fetch_small(
    folder: &Folder,
    inlet: &Inlet,
    wants: Vec<Want>,
) -> Result<Vec<(Want, Landed)>, FetchError> {
    let mut lander = Lander::new(folder);
    let mut done = Vec::new();
    let mut files = HashMap::new();
    let mut versions = Vec::new();
    for want in wants {
        if want.metadata.content().is_some() {
            versions.push(want.version);
            files.insert(want.version, want);
        } else if let Err(error) = lander.stage_link(want.clone()) {
            done.push((want, Landed::Failed(error)));
        }
    }
    if !versions.is_empty() {
        let mut frames = inlet.node.contents(inlet.space, &versions)?;
        while let Some(frame) = frames.next_frame()? {
            match frame {
                Frame::Content { version, bytes } => {
                    let Some(want) = files.remove(&version) else {
                        continue;
                    };
                    if want.metadata.content() != Some((Hash::of(&bytes), bytes.len() as u64)) {
                        let error = io::Error::other(FetchError::Damaged { version });
                        done.push((want, Landed::Failed(error)));
                        continue;
                    }
                    match write_small(folder, &bytes) {
                        Ok(temporary) => lander.stage(want, temporary)?,
                        Err(error) => done.push((want, Landed::Failed(error))),
                    }
                }
                Frame::Missing(version) => {
                    done.extend(
                        files
                            .remove(&version)
                            .map(|want| (want, Landed::Superseded)),
                    );
                }
                _ => {}
            }
        }
    }
    // What the answer did not name was cut off; the next round asks again.
    done.extend(files.into_values().map(|want| (want, Landed::Raced)));
    done.extend(lander.finish()?);
    Ok(done)
}

fn write_small(folder: &Folder, bytes: &[u8]) -> io::Result<Temporary> {
    let mut temporary = folder.temporary()?;
    match temporary.file.write_all(bytes) {
        Ok(()) => Ok(temporary),
        Err(error) => {
            folder.discard(&temporary.name)?;
            Err(error)
        }
    }
}

/// Brings one batch of large files and lands them together. `standing` tells for
/// each what may serve as the source of a delta. Also returns the kept maps.
///
/// # Errors
/// [`FetchError`]: nothing is known of any of them then, but what arrived of
/// them is kept for the next attempt.
pub fn fetch_large(
    folder: &Folder,
    inlet: &Inlet,
    wants: Vec<(Want, Option<Standing>)>,
) -> Result<LandedLarge, FetchError> {
    let mut lander = Lander::new(folder);
    let (mut done, mut maps) = (Vec::new(), Vec::new());
    for (want, standing) in wants {
        match bring(folder, inlet, &want, standing.as_ref()) {
            Ok(mut brought) => {
                maps.extend(kept_map(inlet, &want, &mut brought));
                lander.stage(want, brought.temporary)?;
            }
            Err(FetchError::Remote(error)) if error.is_status(404) || error.is_status(410) => {
                done.push((want, Landed::Superseded));
            }
            // The node cannot read this one; the others are not to wait for it.
            Err(FetchError::Remote(error)) if error.is_status(500) => {
                done.push((want, Landed::Failed(io::Error::other(error))));
            }
            Err(FetchError::Local(error)) => done.push((want, Landed::Failed(error))),
            Err(error @ FetchError::Damaged { .. }) => {
                done.push((want, Landed::Failed(io::Error::other(error))));
            }
            Err(error) => return Err(error),
        }
    }
    done.extend(lander.finish()?);
    Ok((done, maps))
}

/// Large files with what came of them, and the maps to keep.
pub type LandedLarge = (Vec<(Want, Landed)>, Vec<KeptMap>);

/// The encoded block map of some content.
pub type KeptMap = (Hash, Vec<u8>);

/// The map of what was brought. After a delta it is cut from the bytes that are
/// here now: fetching it would cost more than the delta did.
fn kept_map(inlet: &Inlet, want: &Want, brought: &mut Brought) -> Option<KeptMap> {
    let (hash, size) = want.metadata.content()?;
    if size < MAP_KEPT_FROM {
        return None;
    }
    // Without the map the next edit travels whole: slower, not wrong.
    let map = if brought.by_delta {
        brought.temporary.file.seek(SeekFrom::Start(0)).ok()?;
        cut(&mut brought.temporary.file).ok()?.map
    } else {
        inlet.node.map(inlet.space, want.version).ok()?
    };
    Some((hash, map.encode()))
}

/// A complete and verified file.
struct Brought {
    temporary: Temporary,
    by_delta: bool,
}

fn bring(
    folder: &Folder,
    inlet: &Inlet,
    want: &Want,
    standing: Option<&Standing>,
) -> Result<Brought, FetchError> {
    let (hash, size) = want
        .metadata
        .content()
        .ok_or(io::Error::from(io::ErrorKind::InvalidInput))?;
    if let Some(standing) = standing {
        match bring_delta(folder, inlet, want, standing, hash) {
            Ok(Some(temporary)) => {
                return Ok(Brought {
                    temporary,
                    by_delta: true,
                });
            }
            // One that broke off may have met a damaged chunk: the whole file tells
            // that from a node that is away.
            Ok(None) | Err(FetchError::Remote(_)) => {}
            Err(error) => return Err(error),
        }
    }
    let mut partial = folder.partial(&partial_name(want.version))?;
    let (mut hasher, start) = rehash(&partial.file, size)?;
    if start == 0 {
        // Space is claimed at once: a full disk is found before the transfer.
        preallocate(&partial.file, size)?;
    }
    let mut sink = Sink {
        file: &mut partial.file,
        hasher: &mut hasher,
        written: start,
        flushed: start,
    };
    if start < size {
        let mut source = inlet.node.content(inlet.space, want.version, start)?;
        sink.take(&mut *source, size - start)
            .map_err(|error| cut_off(inlet, &error))?;
    }
    if hasher.count() != size {
        return Err(cut_off(inlet, &io::ErrorKind::UnexpectedEof.into()));
    }
    if hasher.finish() != hash {
        folder.discard(&partial.name)?;
        // What an earlier attempt left may have been cut by a power failure.
        return Err(if start > 0 {
            cut_off(
                inlet,
                &io::Error::other("what was kept of it is damaged and starts over"),
            )
        } else {
            FetchError::Damaged {
                version: want.version,
            }
        });
    }
    partial.file.set_len(size)?;
    Ok(Brought {
        temporary: partial,
        by_delta: false,
    })
}

fn cut_off(inlet: &Inlet, error: &io::Error) -> FetchError {
    FetchError::Remote(RemoteError::Unreachable {
        server: inlet.node.server().to_owned(),
        reason: format!("the download broke off: {error}"),
    })
}

fn preallocate(file: &File, size: u64) -> io::Result<()> {
    use rustix::fs::FallocateFlags;
    match rustix::fs::fallocate(file, FallocateFlags::KEEP_SIZE, 0, size) {
        Ok(()) | Err(rustix::io::Errno::OPNOTSUPP) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Hashes what an earlier attempt left; returns also where to go on.
fn rehash(mut file: &File, size: u64) -> io::Result<(Hasher, u64)> {
    let mut hasher = Hasher::new();
    let length = file.metadata()?.len();
    if length > size {
        file.set_len(0)?;
    }
    file.seek(SeekFrom::Start(0))?;
    let mut buffer = vec![0; PIECE_BYTES];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok((hasher.clone(), hasher.count())),
            read => hasher.update(&buffer[..read]),
        }
    }
}

/// Hashes and writes what comes, and keeps the disk busy meanwhile.
struct Sink<'a> {
    file: &'a mut File,
    hasher: &'a mut Hasher,
    written: u64,
    flushed: u64,
}

impl Sink<'_> {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.hasher.update(bytes);
        self.written += bytes.len() as u64;
        if self.written - self.flushed >= WRITEBACK_BYTES {
            start_writeback(self.file, self.flushed, self.written - self.flushed)?;
            self.flushed = self.written;
        }
        Ok(())
    }

    fn take(&mut self, source: &mut dyn Read, length: u64) -> io::Result<()> {
        let mut source = source.take(length);
        let mut buffer = vec![0; PIECE_BYTES];
        loop {
            match source.read(&mut buffer)? {
                0 => return Ok(()),
                read => self.put(&buffer[..read])?,
            }
        }
    }
}

/// Asks the kernel to begin writing a range; it does not wait.
fn start_writeback(file: &File, offset: u64, length: u64) -> io::Result<()> {
    // POSIX_FADV_DONTNEED starts writeback of dirty pages without waiting and
    // leaves them in the cache; sync_file_range has no safe wrapper.
    Ok(rustix::fs::fadvise(
        file,
        offset,
        std::num::NonZeroU64::new(length),
        rustix::fs::Advice::DontNeed,
    )?)
}

/// Builds the wanted bytes from those that stand here; `None` when that turns
/// out not to work and the whole file must come.
fn bring_delta(
    folder: &Folder,
    inlet: &Inlet,
    want: &Want,
    standing: &Standing,
    hash: Hash,
) -> Result<Option<Temporary>, FetchError> {
    let source = folder
        .directory(&want.directory)
        .and_then(|d| d.open(want.name.as_str()));
    let Ok(source) = source else { return Ok(None) };
    if observe_open(&source)? != standing.seen {
        return Ok(None);
    }
    let mut frames = match inlet
        .node
        .delta(inlet.space, want.version, standing.version)
    {
        Ok(frames) => frames,
        Err(error) if error.is_passing() => return Err(error.into()),
        Err(_) => return Ok(None),
    };
    let mut temporary = folder.temporary()?;
    let mut hasher = Hasher::new();
    let built = build(&mut frames, &source, &mut temporary.file, &mut hasher);
    let whole = matches!(built, Ok(true))
        && hasher.finish() == hash
        && observe_open(&source)? == standing.seen;
    if whole {
        return Ok(Some(temporary));
    }
    folder.discard(&temporary.name)?;
    built.map(|_| None)
}

fn build(
    frames: &mut crate::remote::Frames,
    source: &File,
    target: &mut File,
    hasher: &mut Hasher,
) -> Result<bool, FetchError> {
    let mut sink = Sink {
        file: target,
        hasher,
        written: 0,
        flushed: 0,
    };
    let mut buffer = vec![0; PIECE_BYTES];
    while let Some(frame) = frames.next_frame()? {
        match frame {
            Frame::Insert(bytes) => sink.put(&bytes)?,
            Frame::Copy { mut offset, length } => {
                let end = offset.saturating_add(length);
                if end > limits::FILE_BYTES {
                    return Ok(false);
                }
                while offset < end {
                    let want = (end - offset).min(PIECE_BYTES as u64) as usize;
                    let read = source.read_at(&mut buffer[..want], offset)?;
                    if read == 0 {
                        return Ok(false);
                    }
                    sink.put(&buffer[..read])?;
                    offset += read as u64;
                }
            }
            Frame::End => return Ok(true),
            _ => return Ok(false),
        }
    }
    Ok(false)
}

/// A batch that did not arrive.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The node's side.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// This side: nothing can be written or made durable.
    #[error("cannot write into the folder: {0}")]
    Local(#[from] io::Error),
    /// The bytes are not those of the version.
    #[error("version {version} arrived damaged: run `atoll scrub` at the node")]
    Damaged {
        /// Which.
        version: VersionId,
    },
}
