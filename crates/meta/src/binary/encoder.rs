//! Records into blocks, blocks into bytes.

use super::MAGIC;
use super::blocks::{
    BLOCK_BYTES, END, FILES, FORMAT, HEADER, LEVEL, MANIFEST, PLAIN, RECORD_BYTES, ZSTD,
};
use super::records::{encode_entry, encode_file, encode_header};
use super::wire::put_varint;
use crate::manifest::{Entry, Header, Manifest, Order, OrderError};
use crate::record::FileMetadata;

/// Whether blocks are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// They are as they are: smaller than the text, and quickest to read.
    #[default]
    None,
    /// Each by zstd, where that makes it smaller.
    Zstd,
}

/// Makes the bytes of a manifest as its entries come; holds one block.
#[derive(Debug)]
pub struct Encoder {
    writer: Writer,
    order: Order,
    /// The path before, of the same block; empty at its start.
    last: String,
}

impl Encoder {
    /// A manifest whose entries are to come.
    pub fn new(header: &Header, compression: Compression) -> Self {
        let mut writer = Writer::new(MANIFEST, compression);
        let mut bytes = Vec::new();
        encode_header(header, &mut bytes);
        writer.header(&bytes);
        Self {
            writer,
            order: Order::default(),
            last: String::new(),
        }
    }

    /// Adds an entry.
    ///
    /// # Errors
    /// [`OrderError`]; then it is not there.
    pub fn push(&mut self, entry: &Entry) -> Result<(), OrderError> {
        self.order.next(&entry.path, entry.record.is_directory())?;
        let last = &self.last;
        let is_full = self.writer.record(|out| encode_entry(entry, last, out));
        self.last.clear();
        if !is_full {
            self.last.push_str(entry.path.as_str());
        }
        Ok(())
    }

    /// The bytes that are complete, to be written.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.writer.out)
    }

    /// The last bytes.
    pub fn finish(mut self) -> Vec<u8> {
        self.writer.finish();
        self.take()
    }
}

/// The bytes of documents of single files.
pub fn encode_files<'f>(
    files: impl IntoIterator<Item = &'f FileMetadata>,
    compression: Compression,
) -> Vec<u8> {
    let mut writer = Writer::new(FILES, compression);
    for file in files {
        writer.record(|out| encode_file(file, out));
    }
    writer.finish();
    writer.out
}

/// The bytes of a manifest that is there as a whole.
pub fn encode_manifest(manifest: &Manifest, compression: Compression) -> Vec<u8> {
    let mut encoder = Encoder::new(&manifest.header, compression);
    for entry in manifest.entries() {
        // A manifest's entries are in order.
        let pushed = encoder.push(entry);
        debug_assert_eq!(pushed, Ok(()));
    }
    encoder.finish()
}

/// Blocks as they fill.
#[derive(Debug)]
struct Writer {
    compression: Compression,
    /// Bytes that nobody has taken yet.
    out: Vec<u8>,
    /// The checksum of all that came out.
    sum: u32,
    /// Records of the block that is being filled.
    block: Vec<u8>,
    in_block: u64,
    total: u64,
    /// One record, whose length is not known before it is there.
    record: Vec<u8>,
}

impl Writer {
    fn new(contents: u8, compression: Compression) -> Self {
        let mut writer = Self {
            compression,
            out: Vec::new(),
            sum: 0,
            block: Vec::new(),
            in_block: 0,
            total: 0,
            record: Vec::new(),
        };
        let [a, b, c, d] = MAGIC;
        writer.put(&[a, b, c, d, FORMAT, contents]);
        writer
    }

    fn put(&mut self, bytes: &[u8]) {
        self.sum = crc32c::crc32c_append(self.sum, bytes);
        self.out.extend_from_slice(bytes);
    }

    /// Bytes and their checksum.
    fn put_checked(&mut self, bytes: &[u8]) {
        self.put(bytes);
        self.put(&crc32c::crc32c(bytes).to_le_bytes());
    }

    fn header(&mut self, header: &[u8]) {
        if header.is_empty() {
            return;
        }
        let mut block = vec![HEADER];
        put_varint(&mut block, header.len() as u64);
        block.extend_from_slice(header);
        self.put_checked(&block);
    }

    /// Adds what `encode` writes; true when the block was full with it, so that the next
    /// record begins another.
    fn record(&mut self, encode: impl FnOnce(&mut Vec<u8>)) -> bool {
        self.record.clear();
        encode(&mut self.record);
        debug_assert!(
            self.record.len() <= RECORD_BYTES,
            "parts of a record are bounded"
        );
        put_varint(&mut self.block, self.record.len() as u64);
        self.block.extend_from_slice(&self.record);
        self.in_block += 1;
        let is_full = self.block.len() >= BLOCK_BYTES;
        if is_full {
            self.end_block();
        }
        is_full
    }

    fn end_block(&mut self) {
        if self.in_block == 0 {
            return;
        }
        let mut block = Vec::with_capacity(self.block.len() + 32);
        let packed = match self.compression {
            Compression::None => None,
            Compression::Zstd => zstd::bulk::compress(&self.block, LEVEL).ok(),
        };
        match packed.filter(|packed| packed.len() < self.block.len()) {
            Some(packed) => {
                block.push(ZSTD);
                put_varint(&mut block, self.in_block);
                put_varint(&mut block, self.block.len() as u64);
                put_varint(&mut block, packed.len() as u64);
                block.extend_from_slice(&packed);
            }
            None => {
                block.push(PLAIN);
                put_varint(&mut block, self.in_block);
                put_varint(&mut block, self.block.len() as u64);
                block.extend_from_slice(&self.block);
            }
        }
        self.put_checked(&block);
        self.total += self.in_block;
        self.in_block = 0;
        self.block.clear();
    }

    fn finish(&mut self) {
        self.end_block();
        let mut end = vec![END];
        put_varint(&mut end, self.total);
        self.put(&end);
        self.out.extend_from_slice(&self.sum.to_le_bytes());
    }
}
