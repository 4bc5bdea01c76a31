//! A document as it is written, entry by entry: as a text, in the binary form, or as one
//! JSON object for each entry.

use super::json;
use super::sink::Sink;
use anyhow::{Context, Result};
use meta::FileMetadata;
use meta::binary::{Compression, Encoder, encode_files};
use meta::form::{self, begin_manifest, end_manifest, file_metadata_document, write_entry};
use meta::manifest::{Entry, Header};
use std::io::Write;
use sync::printable::printable;

/// How documents are written.
#[derive(Clone, Copy)]
pub enum Style {
    Text,
    Binary(Compression),
    Json,
}

/// A manifest that is being written.
pub struct Writer {
    sink: Sink,
    state: State,
}

enum State {
    /// What is not yet passed on, and whether no entry was.
    Text {
        text: String,
        is_empty: bool,
    },
    Binary(Box<Encoder>),
    Json,
}

impl Writer {
    pub fn new(style: Style, header: &Header, sink: Sink) -> Self {
        let state = match style {
            Style::Text => State::Text {
                text: begin_manifest(header),
                is_empty: true,
            },
            Style::Binary(compression) => {
                State::Binary(Box::new(Encoder::new(header, compression)))
            }
            Style::Json => State::Json,
        };
        Self { sink, state }
    }

    pub fn entry(&mut self, entry: &Entry) -> Result<()> {
        match &mut self.state {
            State::Text { text, is_empty } => {
                write_entry(text, entry, *is_empty);
                *is_empty = false;
                put(&mut self.sink, text.as_bytes())?;
                text.clear();
                Ok(())
            }
            State::Binary(encoder) => {
                encoder.push(entry)?;
                put(&mut self.sink, &encoder.take())
            }
            State::Json => {
                let object = json::entry(entry).to_string();
                put(
                    &mut self.sink,
                    format!("{}\n", printable(&object)).as_bytes(),
                )
            }
        }
    }

    pub fn finish(mut self) -> Result<()> {
        match self.state {
            State::Text { mut text, is_empty } => {
                end_manifest(&mut text, is_empty);
                put(&mut self.sink, text.as_bytes())?;
            }
            State::Binary(encoder) => put(&mut self.sink, &encoder.finish())?,
            State::Json => {}
        }
        self.sink.finish()
    }
}

/// Writes the document of one file.
pub fn write_file(style: Style, file: &FileMetadata, mut sink: Sink) -> Result<()> {
    match style {
        Style::Text => put(&mut sink, text_of(file).as_bytes())?,
        Style::Binary(compression) => put(&mut sink, &encode_files([file], compression))?,
        Style::Json => {
            let object = json::file(file).to_string();
            put(&mut sink, format!("{}\n", printable(&object)).as_bytes())?;
        }
    }
    sink.finish()
}

/// The canonical text of one file's document.
pub fn text_of(file: &FileMetadata) -> String {
    form::text_of(file_metadata_document(file))
}

pub fn put(sink: &mut Sink, bytes: &[u8]) -> Result<()> {
    let written = sink.write_all(bytes);
    written.with_context(|| format!("cannot write {}", sink.name()))
}
