//! A file system in memory that can lose power at any operation, fill up, and
//! fail: the disk of tests.
//!
//! Every operation that changes something is numbered from 1, the syncs
//! included. What a power cut may leave is what Linux file systems may leave,
//! taken pessimistically:
//! 1. Synced bytes and names are there.
//! 2. Of a file's changes since its last sync, any of its 512-byte sectors may
//!    be there or not; its length may be any that it has had since.
//! 3. Of a directory's changes since its last sync, the first few are there.
//!    Renaming between directories never loses the file: if the old name is
//!    gone, the new one is there.
//! 4. After a sync that failed, the bytes it should have written are readable
//!    but will never be durable, whatever a later sync says.
//!
//! It is not a model of performance, permissions, links or times. The state of
//! the disk lives in `disk`.

mod disk;

use super::{File, FileSystem, Listed, Open};
use crate::lock::lock;
use base::SeededRandom;
use disk::{Disk, FileId};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

/// A disk in memory. Clones share it.
#[derive(Clone, Default)]
pub struct SimulatedFileSystem {
    machine: Arc<Mutex<Machine>>,
}

/// The disk, its power and the faults that wait for it.
struct Machine {
    disk: Disk,
    operations: u64,
    crash_at: Option<u64>,
    powered: bool,
    faults: Vec<(u64, io::ErrorKind)>,
}

impl Default for Machine {
    fn default() -> Self {
        Self {
            disk: Disk::default(),
            operations: 0,
            crash_at: None,
            powered: true,
            faults: Vec::new(),
        }
    }
}

struct SimulatedFile {
    machine: Arc<Mutex<Machine>>,
    id: FileId,
    writable: bool,
}

/// What becomes of the operation that is about to happen.
enum Fate {
    Happens,
    /// It happens, unsynced, as far as the caller will never learn.
    CutsPower,
    Fails(io::ErrorKind),
}

impl SimulatedFileSystem {
    /// An empty disk without a size limit.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many operations have changed or synced anything.
    pub fn operations(&self) -> u64 {
        self.machine().operations
    }

    /// Cuts the power during operation `operation` (numbered from 1): that one
    /// and everything after it fails.
    pub fn crash_at(&self, operation: u64) {
        self.machine().crash_at = Some(operation);
    }

    /// Makes operation `operation` fail with `kind` and change nothing, once.
    pub fn fail_at(&self, operation: u64, kind: io::ErrorKind) {
        self.machine().faults.push((operation, kind));
    }

    /// Whether the power is still on.
    pub fn is_powered(&self) -> bool {
        self.machine().powered
    }

    /// Sets how many bytes fit; more gives `StorageFull`.
    pub fn set_capacity(&self, bytes: u64) {
        self.machine().disk.capacity = bytes;
    }

    /// Bytes in use.
    pub fn used_bytes(&self) -> u64 {
        self.machine().disk.used()
    }

    /// The disk as it is found when the power returns; `seed` decides what of
    /// the unsynced changes is there. This one is left as it is, without power.
    pub fn after_crash(&self, seed: u64) -> Self {
        let mut machine = self.machine();
        machine.powered = false;
        let disk = machine.disk.after_crash(&SeededRandom::new(seed));
        drop(machine);
        Self {
            machine: Arc::new(Mutex::new(Machine {
                disk,
                ..Machine::default()
            })),
        }
    }

    fn machine(&self) -> MutexGuard<'_, Machine> {
        lock(&self.machine)
    }
}

impl Machine {
    fn check_power(&self) -> io::Result<()> {
        if self.powered {
            Ok(())
        } else {
            Err(io::Error::other("the simulated power is off"))
        }
    }

    fn count(&mut self) -> io::Result<Fate> {
        self.check_power()?;
        self.operations += 1;
        let now = self.operations;
        if self.crash_at.is_some_and(|at| at <= now) {
            self.powered = false;
            return Ok(Fate::CutsPower);
        }
        match self.faults.iter().position(|(at, _)| *at == now) {
            Some(place) => Ok(Fate::Fails(self.faults.swap_remove(place).1)),
            None => Ok(Fate::Happens),
        }
    }

    /// Does one numbered change, which stays unsynced whatever happens to it.
    fn change<T>(&mut self, change: impl FnOnce(&mut Disk) -> io::Result<T>) -> io::Result<T> {
        match self.count()? {
            Fate::Happens => change(&mut self.disk),
            Fate::Fails(kind) => Err(kind.into()),
            Fate::CutsPower => {
                // Half done is among the outcomes of `after_crash`, so is not done.
                let _ = change(&mut self.disk);
                self.check_power()?;
                unreachable!("the power was just cut")
            }
        }
    }

    /// Does one numbered sync; `failed` is what a failed one leaves behind.
    fn sync(
        &mut self,
        sync: impl FnOnce(&mut Disk) -> io::Result<()>,
        failed: impl FnOnce(&mut Disk),
    ) -> io::Result<()> {
        match self.count()? {
            Fate::Happens => sync(&mut self.disk),
            Fate::Fails(kind) => {
                failed(&mut self.disk);
                Err(kind.into())
            }
            // A sync cut short has written some sectors: as if it never began.
            Fate::CutsPower => self.check_power(),
        }
    }
}

impl FileSystem for SimulatedFileSystem {
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut machine = self.machine();
        machine.check_power()?;
        if machine.disk.is_directory(path) {
            return Ok(());
        }
        machine.change(|disk| disk.create_dir_all(path))
    }

    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn File>> {
        let mut machine = self.machine();
        machine.check_power()?;
        let id = match (machine.disk.file(path), how) {
            (Ok(_), Open::CreateNew) => return Err(io::ErrorKind::AlreadyExists.into()),
            (Ok(id), _) => id,
            (Err(error), Open::Read | Open::ReadWrite) => return Err(error),
            (Err(_), Open::Create | Open::CreateNew) => {
                machine.change(|disk| disk.create_file(path))?
            }
        };
        Ok(Box::new(SimulatedFile {
            machine: Arc::clone(&self.machine),
            id,
            writable: how != Open::Read,
        }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.machine().change(|disk| disk.rename(from, to))
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut machine = self.machine();
        machine.check_power()?;
        machine.disk.file(path)?;
        machine.change(|disk| disk.remove_file(path))
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Listed>> {
        let machine = self.machine();
        machine.check_power()?;
        machine.disk.list(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.machine().sync(|disk| disk.sync_dir(path), |_| ())
    }

    fn length(&self, path: &Path) -> io::Result<Option<u64>> {
        let machine = self.machine();
        machine.check_power()?;
        if machine.disk.is_directory(path) {
            return Ok(Some(0));
        }
        match machine.disk.file(path) {
            Ok(id) => Ok(Some(machine.disk.length(id))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn free_bytes(&self, _path: &Path) -> io::Result<u64> {
        let machine = self.machine();
        machine.check_power()?;
        Ok(machine.disk.capacity.saturating_sub(machine.disk.used()))
    }

    fn total_bytes(&self, _path: &Path) -> io::Result<u64> {
        let machine = self.machine();
        machine.check_power()?;
        Ok(machine.disk.capacity)
    }
}

impl SimulatedFile {
    fn change(&self, change: impl FnOnce(&mut Disk, FileId) -> io::Result<()>) -> io::Result<()> {
        if !self.writable {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        lock(&self.machine).change(|disk| change(disk, self.id))
    }
}

impl File for SimulatedFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let machine = lock(&self.machine);
        machine.check_power()?;
        Ok(machine.disk.read(self.id, buffer, offset))
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.change(|disk, id| disk.write(id, bytes, offset))
    }

    fn sync_data(&self) -> io::Result<()> {
        lock(&self.machine).sync(
            |disk| {
                disk.sync_file(self.id);
                Ok(())
            },
            |disk| disk.lose_unsynced(self.id),
        )
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.change(|disk, id| {
            disk.set_length(id, length);
            Ok(())
        })
    }

    fn length(&self) -> io::Result<u64> {
        let machine = lock(&self.machine);
        machine.check_power()?;
        Ok(machine.disk.length(self.id))
    }

    fn preallocate(&self, length: u64) -> io::Result<()> {
        self.change(|disk, id| disk.preallocate(id, length))
    }

    fn as_std(&self) -> Option<&Arc<std::fs::File>> {
        None
    }
}
