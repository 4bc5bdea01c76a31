//! `atoll meta decode`: from the binary form to the canonical text.

use super::input::{Content, Input};
use super::sink::{Form, Sink};
use super::writer::{Style, Writer, put, text_of};
use anyhow::{Result, bail};
use meta::binary::Step;
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Arguments {
    /// A document in the binary form; `-` is the standard input
    file: PathBuf,
    /// Where the text goes [default: the standard output]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let input = Input::open(&arguments.file)?;
    let Content::Binary(mut binary) = input.content else {
        bail!(
            "{} is no binary form of a document: is it a text already?",
            input.name
        );
    };
    let mut sink = Sink::open(arguments.output.as_deref(), Form::Text)?;
    let mut is_first = true;
    loop {
        match binary.step()? {
            Step::Header(header) => {
                let mut writer = Writer::new(Style::Text, &header, sink);
                while let Step::Entry(entry) = binary.step()? {
                    writer.entry(&entry)?;
                }
                return writer.finish();
            }
            Step::File(file) => {
                let between = if is_first { "" } else { "---\n" };
                put(&mut sink, format!("{between}{}", text_of(&file)).as_bytes())?;
                is_first = false;
            }
            Step::Entry(_) | Step::NeedMore | Step::End => return sink.finish(),
        }
    }
}
