//! Every bound on what a peer may send, in one place, each with its reason.
//!
//! Limits that are settings of one node (threads, queue lengths) live beside
//! the code that uses them; these are part of the protocol and the formats.

/// Longest item name in bytes: what Linux file systems hold (`NAME_MAX`).
pub const NAME_BYTES: usize = 255;

/// Longest path inside a space in bytes: Linux's `PATH_MAX`.
pub const PATH_BYTES: usize = 4096;

/// Deepest directory nesting. A 4096-byte path holds at most 2048 names, and
/// every recursion over a tree is bounded by this.
pub const PATH_DEPTH: usize = 2048;

/// Longest space slug: the longest DNS label, so a slug can become a host name.
pub const SLUG_BYTES: usize = 63;

/// Longest symbolic link target in bytes: Linux's `PATH_MAX`.
pub const TARGET_BYTES: usize = 4096;

/// Files up to this size are "small": they travel whole inside a frame and are
/// appended to shared segments (files win above 50–100 KB, sqlite.org
/// "internal versus external blobs"; twice that keeps 64 KiB pages together).
pub const SMALL_FILE_BYTES: u64 = 128 * 1024;

/// Files up to this size that resemble nothing the node has travel whole, without
/// a block map: several share a request of 8 MiB, what a broken connection takes
/// is little, and cutting one when a map is first needed takes milliseconds.
pub const WHOLE_FILE_BYTES: u64 = 4 << 20;

/// Largest file. Its block map is one flat list, held in memory while the file
/// travels and sent in one request: 36 bytes for each chunk make 36 MiB of it
/// where chunks are cut on average, 144 MiB where all are the smallest.
pub const FILE_BYTES: u64 = 64 << 30;

/// Smallest content-defined chunk, except the last one of a file.
pub const CHUNK_MIN_BYTES: usize = 16 * 1024;

/// Average content-defined chunk.
pub const CHUNK_AVERAGE_BYTES: usize = 64 * 1024;

/// Largest content-defined chunk.
pub const CHUNK_MAX_BYTES: usize = 256 * 1024;

/// Changes in one commit command: enough that a command's fsync is shared by
/// thousands of files, few enough that an ordinal fits 16 bits.
pub const CHANGES_PER_COMMAND: usize = 4096;

/// Encoded size of one command in the log. 4096 changes with longest names fit.
pub const COMMAND_BYTES: usize = 4 << 20;

/// Payload of one wire frame: a largest chunk or a small file with its header
/// is far below; a commit command is the largest.
pub const FRAME_BYTES: usize = COMMAND_BYTES + 64 * 1024;

/// Results remembered per (device, stream) for answering repeated commands.
pub const DEDUPLICATION_WINDOW: u64 = 1024;

/// Streams remembered per device; a device opens one per start of a client.
pub const STREAMS_PER_DEVICE: u64 = 64;

/// Longest device, member or node name given by a person, in bytes.
pub const LABEL_BYTES: usize = 128;

/// Join tokens and unfinished uploads live this long, in milliseconds: 24 h.
pub const LEASE_MILLIS: u64 = 24 * 60 * 60 * 1000;

/// Items in one page of a JSON list.
pub const PAGE_ITEMS: usize = 1000;
