//! What a node keeps on its own disk: the replicated log, the bytes of files,
//! and the file-system trait through which both are written, so that tests can
//! cut the power at any operation.
//!
//! Nothing here knows what an entry or a blob means; `state` interprets the
//! one, `sync` and `server` the other. Start with [`fs`], then [`log`] (byte
//! layout in `docs/formats/log.md`), then [`blob`] (`docs/formats/blobs.md`).

pub mod blob;
pub mod fs;
mod lock;
pub mod log;
