//! Sending what was set aside: files to and from the node in batches for the
//! worker threads, new directories in commits of their own. What is set aside is
//! [`super::act`]'s choice; what comes of it is taken in by [`super::conclude`].

use super::{NewDirectory, Round};
use crate::error::EngineError;
use crate::pool::Job;
use base::{ItemId, VersionId, limits};
use state::{Base, Change, Outcome, Parent};

impl Round<'_> {
    pub(super) fn send_small(&mut self) -> Result<(), EngineError> {
        self.small_bytes = 0;
        let batch = std::mem::take(&mut self.small);
        self.give_out_offers(batch)
    }

    pub(super) fn send_large(&mut self) -> Result<(), EngineError> {
        self.large_bytes = 0;
        let batch = std::mem::take(&mut self.large);
        self.give_out_offers(batch)
    }

    pub(super) fn request_small(&mut self) -> Result<(), EngineError> {
        self.fetch_small_bytes = 0;
        let batch = std::mem::take(&mut self.fetch_small);
        self.give_out(Job::FetchSmall(batch))
    }

    pub(super) fn request_large(&mut self) -> Result<(), EngineError> {
        self.fetch_large_bytes = 0;
        let batch = std::mem::take(&mut self.fetch_large);
        self.give_out(Job::FetchLarge(batch))
    }

    /// Gives the node the new directories seen so far, and goes into them.
    pub(super) fn create_directories(&mut self) -> Result<(), EngineError> {
        let new = std::mem::take(&mut self.new_directories);
        for batch in new.chunks(limits::CHANGES_PER_COMMAND) {
            let changes = batch.iter().map(|directory| Change::Put {
                base: Base::Absent {
                    parent: Parent::Item(directory.parent),
                    name: directory.name.clone(),
                },
                metadata: directory.metadata.clone(),
                conflict_of: None,
            });
            let places: Vec<(ItemId, &str)> = batch
                .iter()
                .map(|directory| (directory.parent, directory.name.as_str()))
                .collect();
            let Some((offer, outcomes)) = self.commit(&places, changes.collect())? else {
                let left = new.iter().map(|directory| directory.path.clone());
                self.report.again.extend(left);
                return Ok(());
            };
            for (directory, outcome) in batch.iter().zip(outcomes) {
                self.created(directory, outcome)?;
            }
            self.engine.trees.heard(offer)?;
        }
        Ok(())
    }

    fn created(&mut self, directory: &NewDirectory, outcome: Outcome) -> Result<(), EngineError> {
        let version = match outcome {
            Outcome::Committed(version) => version,
            // Somebody else made it first, perhaps with another mode and time.
            Outcome::Same(version) => VersionId {
                counter: 0,
                ..version
            },
            Outcome::Conflict { current } => {
                if let Some(current) = current {
                    self.engine.trees.learn(&current)?;
                }
                self.report.again.insert(directory.path.clone());
                return Ok(());
            }
            Outcome::Refused(refusal) => {
                self.refused(&directory.path, refusal);
                return Ok(());
            }
        };
        let (metadata, seen) = (directory.metadata.clone(), directory.seen);
        self.agree(
            Some(directory.parent),
            directory.name.as_str(),
            version,
            metadata,
            seen,
            false,
        )?;
        self.report.uploaded += 1;
        self.walk.push_back((version.item, directory.path.clone()));
        Ok(())
    }
}
