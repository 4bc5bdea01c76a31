//! The state of a simulated disk: what programs see, what is durable, and the
//! changes between the two.
//!
//! It knows nothing of operation numbers and faults; those are its parent's.

use base::SeededRandom;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Component, Path};

use crate::fs::Listed;

/// What is written whole or not at all by disks that lose power.
const SECTOR_BYTES: usize = 512;

pub(super) type FileId = u64;
type DirectoryId = u64;

const ROOT: DirectoryId = 0;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Node {
    File(FileId),
    Directory(DirectoryId),
}

/// A change of one directory. `rename` ties the two halves of a move.
#[derive(Clone)]
struct NameChange {
    name: String,
    node: Option<Node>,
    rename: Option<u64>,
}

#[derive(Clone, Default)]
struct Directory {
    live: BTreeMap<String, Node>,
    durable: BTreeMap<String, Node>,
    pending: Vec<NameChange>,
}

#[derive(Clone)]
enum ByteChange {
    Write { offset: usize, bytes: Vec<u8> },
    Length(usize),
}

#[derive(Clone, Default)]
struct Bytes {
    live: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<ByteChange>,
    /// Set by a failed sync: these sectors are readable, and lost for ever.
    lost: BTreeSet<usize>,
    /// Bytes set aside, which count as used.
    allocated: usize,
}

pub(super) struct Disk {
    pub(super) capacity: u64,
    directories: BTreeMap<DirectoryId, Directory>,
    files: BTreeMap<FileId, Bytes>,
    next_id: u64,
}

impl Default for Disk {
    fn default() -> Self {
        Self {
            capacity: u64::MAX,
            directories: BTreeMap::from([(ROOT, Directory::default())]),
            files: BTreeMap::new(),
            next_id: ROOT + 1,
        }
    }
}

/// The names of a path from the root; relative paths begin there too.
fn names(path: &Path) -> Vec<&str> {
    path.components()
        .filter_map(|component| match component {
            Component::Normal(name) => name.to_str(),
            _ => None,
        })
        .collect()
}

impl Disk {
    fn directory(&self, names: &[&str]) -> io::Result<DirectoryId> {
        names.iter().try_fold(ROOT, |at, name| {
            match self.directories[&at].live.get(*name) {
                Some(Node::Directory(id)) => Ok(*id),
                Some(Node::File(_)) => Err(io::ErrorKind::NotADirectory.into()),
                None => Err(io::ErrorKind::NotFound.into()),
            }
        })
    }

    fn place<'a>(&self, path: &'a Path) -> io::Result<(DirectoryId, &'a str)> {
        let names = names(path);
        let (name, parents) = names.split_last().ok_or(io::ErrorKind::IsADirectory)?;
        Ok((self.directory(parents)?, *name))
    }

    fn change_name(
        &mut self,
        directory: DirectoryId,
        name: &str,
        node: Option<Node>,
        rename: Option<u64>,
    ) {
        let directory = self
            .directories
            .get_mut(&directory)
            .expect("ids of directories stay valid");
        match node {
            Some(node) => directory.live.insert(name.to_owned(), node),
            None => directory.live.remove(name),
        };
        directory.pending.push(NameChange {
            name: name.to_owned(),
            node,
            rename,
        });
    }

    fn fresh_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    fn bytes(&mut self, id: FileId) -> &mut Bytes {
        self.files.get_mut(&id).expect("ids of files stay valid")
    }

    pub(super) fn is_directory(&self, path: &Path) -> bool {
        self.directory(&names(path)).is_ok()
    }

    pub(super) fn create_dir_all(&mut self, path: &Path) -> io::Result<()> {
        let names = names(path);
        for depth in 1..=names.len() {
            match self.directory(&names[..depth]) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    let parent = self.directory(&names[..depth - 1])?;
                    let id = self.fresh_id();
                    self.directories.insert(id, Directory::default());
                    self.change_name(parent, names[depth - 1], Some(Node::Directory(id)), None);
                }
                found => {
                    found?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn file(&self, path: &Path) -> io::Result<FileId> {
        let (directory, name) = self.place(path)?;
        match self.directories[&directory].live.get(name) {
            Some(Node::File(id)) => Ok(*id),
            Some(Node::Directory(_)) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    pub(super) fn create_file(&mut self, path: &Path) -> io::Result<FileId> {
        let (directory, name) = self.place(path)?;
        let id = self.fresh_id();
        self.files.insert(id, Bytes::default());
        self.change_name(directory, name, Some(Node::File(id)), None);
        Ok(id)
    }

    pub(super) fn remove_file(&mut self, path: &Path) -> io::Result<()> {
        self.file(path)?;
        let (directory, name) = self.place(path)?;
        self.change_name(directory, name, None, None);
        Ok(())
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let (source, old) = self.place(from)?;
        let (target, new) = self.place(to)?;
        let node = *self.directories[&source]
            .live
            .get(old)
            .ok_or(io::ErrorKind::NotFound)?;
        let replaced = self.directories[&target].live.get(new).copied();
        if replaced == Some(node) {
            return Ok(());
        }
        if matches!(replaced, Some(Node::Directory(_))) {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        let rename = self.fresh_id();
        self.change_name(target, new, Some(node), Some(rename));
        self.change_name(source, old, None, Some(rename));
        Ok(())
    }

    pub(super) fn list(&self, path: &Path) -> io::Result<Vec<Listed>> {
        let directory = self.directory(&names(path))?;
        let entries = self.directories[&directory].live.iter();
        Ok(entries
            .map(|(name, node)| Listed {
                name: name.clone(),
                directory: matches!(node, Node::Directory(_)),
            })
            .collect())
    }

    pub(super) fn sync_dir(&mut self, path: &Path) -> io::Result<()> {
        let id = self.directory(&names(path))?;
        let everything = self.directories[&id].pending.len();
        self.settle(BTreeMap::from([(id, everything)]));
        Ok(())
    }

    /// Makes the first changes of each directory durable, and the new names of
    /// whatever they renamed away.
    fn settle(&mut self, mut kept: BTreeMap<DirectoryId, usize>) {
        while let Some((id, count)) = self.half_renamed(&kept) {
            kept.insert(id, count);
        }
        for (id, count) in kept {
            let directory = self.directories.get_mut(&id).expect("known directory");
            for change in directory.pending.drain(..count) {
                match change.node {
                    Some(node) => directory.durable.insert(change.name, node),
                    None => directory.durable.remove(&change.name),
                };
            }
        }
    }

    /// A directory that must keep more changes, because a kept change of
    /// another took a name away that it received.
    fn half_renamed(&self, kept: &BTreeMap<DirectoryId, usize>) -> Option<(DirectoryId, usize)> {
        let gone: BTreeSet<u64> = kept
            .iter()
            .flat_map(|(id, count)| &self.directories[id].pending[..*count])
            .filter(|change| change.node.is_none())
            .filter_map(|change| change.rename)
            .collect();
        self.directories.iter().find_map(|(id, directory)| {
            let count = kept.get(id).copied().unwrap_or(0);
            directory.pending[count..]
                .iter()
                .rposition(|c| c.node.is_some() && c.rename.is_some_and(|r| gone.contains(&r)))
                .map(|place| (*id, count + place + 1))
        })
    }

    pub(super) fn length(&self, id: FileId) -> u64 {
        self.files[&id].live.len() as u64
    }

    /// Bytes set aside for all files that have a name.
    pub(super) fn used(&self) -> u64 {
        let named: BTreeSet<FileId> = self
            .directories
            .values()
            .flat_map(|directory| directory.live.values())
            .filter_map(|node| match node {
                Node::File(id) => Some(*id),
                Node::Directory(_) => None,
            })
            .collect();
        named.iter().map(|id| self.files[id].allocated as u64).sum()
    }

    pub(super) fn read(&self, id: FileId, buffer: &mut [u8], offset: u64) -> usize {
        let bytes = &self.files[&id].live;
        let start = (offset as usize).min(bytes.len());
        let count = buffer.len().min(bytes.len() - start);
        buffer[..count].copy_from_slice(&bytes[start..start + count]);
        count
    }

    /// How far a file may reach when it wants to reach `end`.
    fn reachable(&self, id: FileId, end: usize) -> usize {
        let allocated = self.files[&id].allocated;
        let free = self.capacity.saturating_sub(self.used());
        end.min(allocated.saturating_add(usize::try_from(free).unwrap_or(usize::MAX)))
    }

    pub(super) fn write(&mut self, id: FileId, bytes: &[u8], offset: u64) -> io::Result<()> {
        let offset = offset as usize;
        let end = offset + bytes.len();
        let reached = self.reachable(id, end);
        let fits = &bytes[..reached.saturating_sub(offset).min(bytes.len())];
        if !fits.is_empty() {
            let file = self.bytes(id);
            file.allocated = file.allocated.max(offset + fits.len());
            file.change(ByteChange::Write {
                offset,
                bytes: fits.to_vec(),
            });
        }
        if fits.len() < bytes.len() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    pub(super) fn set_length(&mut self, id: FileId, length: u64) {
        let file = self.bytes(id);
        file.allocated = file.allocated.min(length as usize);
        file.change(ByteChange::Length(length as usize));
    }

    pub(super) fn preallocate(&mut self, id: FileId, length: u64) -> io::Result<()> {
        let length = length as usize;
        if self.reachable(id, length) < length {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let file = self.bytes(id);
        file.allocated = file.allocated.max(length);
        if file.live.len() < length {
            file.change(ByteChange::Length(length));
        }
        Ok(())
    }

    pub(super) fn sync_file(&mut self, id: FileId) {
        let file = self.bytes(id);
        for change in std::mem::take(&mut file.pending) {
            change.apply(&mut file.durable, |sector| !file.lost.contains(&sector));
        }
    }

    pub(super) fn lose_unsynced(&mut self, id: FileId) {
        let file = self.bytes(id);
        for change in std::mem::take(&mut file.pending) {
            file.lost.extend(change.sectors());
        }
    }

    pub(super) fn after_crash(&self, random: &SeededRandom) -> Self {
        let mut disk = Self {
            capacity: self.capacity,
            directories: self.directories.clone(),
            files: self.files.clone(),
            next_id: self.next_id,
        };
        let kept = disk
            .directories
            .iter()
            .map(|(id, directory)| {
                (
                    *id,
                    random.below(directory.pending.len() as u64 + 1) as usize,
                )
            })
            .collect();
        disk.settle(kept);
        for directory in disk.directories.values_mut() {
            directory.pending.clear();
            directory.live.clone_from(&directory.durable);
        }
        for file in disk.files.values_mut() {
            file.lose_power(random);
        }
        disk
    }
}

impl Bytes {
    fn change(&mut self, change: ByteChange) {
        // A rewritten sector is dirty again, so a later sync does write it.
        for sector in change.sectors() {
            self.lost.remove(&sector);
        }
        change.apply(&mut self.live, |_| true);
        self.pending.push(change);
    }

    fn lose_power(&mut self, random: &SeededRandom) {
        // One file in four keeps all, one nothing, the others any sectors.
        let mood = random.below(4);
        for change in std::mem::take(&mut self.pending) {
            let happens = match change {
                ByteChange::Length(_) => mood == 0 || (mood > 1 && random.below(2) == 0),
                ByteChange::Write { .. } => true,
            };
            if happens {
                change.apply(&mut self.durable, |sector| {
                    !self.lost.contains(&sector)
                        && (mood == 0 || (mood > 1 && random.below(2) == 0))
                });
            }
        }
        self.live.clone_from(&self.durable);
        self.lost.clear();
        self.allocated = self.live.len();
    }
}

impl ByteChange {
    fn sectors(&self) -> std::ops::Range<usize> {
        match self {
            Self::Write { offset, bytes } => {
                offset / SECTOR_BYTES..(offset + bytes.len()).div_ceil(SECTOR_BYTES)
            }
            Self::Length(_) => 0..0,
        }
    }

    /// Does the change to `target` in those sectors that `kept` names.
    fn apply(&self, target: &mut Vec<u8>, mut kept: impl FnMut(usize) -> bool) {
        match self {
            Self::Length(length) => target.resize(*length, 0),
            Self::Write { offset, bytes } => {
                for sector in self.sectors() {
                    let start = (sector * SECTOR_BYTES).max(*offset);
                    let end = ((sector + 1) * SECTOR_BYTES).min(offset + bytes.len());
                    if start == end || !kept(sector) {
                        continue;
                    }
                    if target.len() < end {
                        target.resize(end, 0);
                    }
                    target[start..end].copy_from_slice(&bytes[start - offset..end - offset]);
                }
            }
        }
    }
}
