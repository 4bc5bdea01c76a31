//! The opening of one upload: the file and its runs, which may come in several
//! frames, each bounded in number and in memory.
//!
//! What the runs mean is `store::blob`'s business.

use super::maps::{MapMemory, Share, memory_for, most_chunks};
use crate::problem::Problem;
use store::blob::{CHUNK_ENCODED_BYTES, Run};
use sync::wire::Open;

/// Runs of one opening: enough for a million separate edits of one file, and
/// 64 MiB of memory.
const RUNS: usize = 1 << 21;

/// Frames of runs behind one opening. A client fills frames, and some hundred
/// full ones reach [`super::upload::STREAM_BYTES`].
const CONTINUED: u32 = 4096;

/// An upload whose runs are arriving.
pub struct Opening {
    open: Open,
    /// Frames of runs to come.
    left: u32,
    /// Its share of the memory for maps, held until the store has made one.
    share: Share,
}

impl Opening {
    /// Begins with the frame that opens an upload.
    ///
    /// # Errors
    /// [`Problem::Frames`] when it has or announces too much, [`Problem::Busy`]
    /// when its runs find no memory.
    pub fn begin(mut open: Open, maps: &MapMemory) -> Result<Self, Problem> {
        let continued = open.continued;
        if continued > CONTINUED {
            return Err(Problem::Frames(format!(
                "{continued} frames of runs are announced; the limit is {CONTINUED}"
            )));
        }
        let runs = std::mem::take(&mut open.runs);
        let mut opening = Self {
            left: continued,
            open,
            share: Share::default(),
        };
        opening.add(runs, maps)?;
        Ok(opening)
    }

    /// Takes a frame of more runs.
    ///
    /// # Errors
    /// As [`Opening::begin`].
    pub fn go_on(&mut self, runs: Vec<Run>, maps: &MapMemory) -> Result<(), Problem> {
        self.left -= 1;
        self.add(runs, maps)
    }

    /// Whether all frames that were announced have come: then, no more may.
    pub const fn is_complete(&self) -> bool {
        self.left == 0
    }

    /// The whole, and the memory it holds until a map was made of it; that of the
    /// map is taken now.
    ///
    /// # Errors
    /// [`Problem::Busy`] when there is none.
    pub fn into_parts(mut self, maps: &MapMemory) -> Result<(Open, Share), Problem> {
        let named = self.open.runs.iter().map(run_chunks).sum();
        let chunks = most_chunks(self.open.size).min(named);
        maps.add(&mut self.share, memory_for(chunks))?;
        Ok((self.open, self.share))
    }

    fn add(&mut self, runs: Vec<Run>, maps: &MapMemory) -> Result<(), Problem> {
        if self.open.runs.len() + runs.len() > RUNS {
            return Err(Problem::Frames(format!(
                "more than {RUNS} runs for one file: send it whole"
            )));
        }
        maps.add(&mut self.share, runs.iter().map(run_bytes).sum())?;
        self.open.runs.extend(runs);
        Ok(())
    }
}

fn run_bytes(run: &Run) -> usize {
    let chunks = match run {
        Run::Insert(chunks) => chunks.len(),
        Run::Copy { .. } => 0,
    };
    size_of::<Run>() + chunks * CHUNK_ENCODED_BYTES
}

/// Chunks that a run describes.
fn run_chunks(run: &Run) -> usize {
    match run {
        Run::Insert(chunks) => chunks.len(),
        Run::Copy { count, .. } => *count as usize,
    }
}
