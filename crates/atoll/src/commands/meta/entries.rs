//! Documents as a sequence of entries that is pulled, to be laid beside another.
//!
//! A text is read twice: once to find whether anything is wrong with it, before anything
//! is compared, because an entry with a slip in it would otherwise be told as a file too
//! many; and then on a thread of its own, whose bounded queue turns reading that gives
//! into reading that is asked. The binary form is read once: what its checksums let pass
//! before some damage holds, and the damage ends the comparison.

use super::input::{Binary, Content, Input, nothing};
use super::problems::{Found, files_of, is_manifest};
use anyhow::{Context, Error, Result, bail};
use meta::FileMetadata;
use meta::binary::Step;
use meta::form::{Described, read_manifest};
use meta::manifest::{Entry, EntryPath, Header};
use meta::text::Source;
use std::iter;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

/// Entries in the order of a manifest.
pub type Entries = Box<dyn Iterator<Item = Result<Entry>> + Send>;

/// What is said of a folder as a whole, and its entries.
pub struct Listed {
    pub header: Header,
    pub entries: Entries,
}

/// Entries that wait to be taken: enough that neither thread waits for each single one.
const AHEAD: usize = 1024;

/// The entries of a manifest.
pub fn of_manifest(input: Input) -> Result<Listed> {
    let name = input.name.clone();
    match described(input)? {
        Documents::Manifest(listed) => Ok(listed),
        Documents::Files(files) if files.is_empty() => bail!(nothing(&name)),
        Documents::Files(_) => bail!(
            "{name} describes single files, and a manifest is expected: `atoll meta show DIR` \
             makes one"
        ),
    }
}

/// The entries of a manifest, or of documents of single files, each at its name.
pub fn of_any(input: Input) -> Result<Listed> {
    let name = input.name.clone();
    match described(input)? {
        Documents::Manifest(listed) => Ok(listed),
        Documents::Files(files) => Ok(Listed {
            header: Header::default(),
            entries: by_name(files, &name)?,
        }),
    }
}

/// What `push` gives, on a thread of its own, pulled.
pub fn pulled<T: Send + 'static>(
    push: impl FnOnce(&SyncSender<Result<T>>) + Send + 'static,
) -> Result<Receiver<Result<T>>> {
    let (sender, receiver) = sync_channel(AHEAD);
    thread::Builder::new()
        .name("entries".to_owned())
        .spawn(move || push(&sender))
        .context("cannot start a thread")?;
    Ok(receiver)
}

enum Documents {
    Manifest(Listed),
    Files(Vec<FileMetadata>),
}

fn described(input: Input) -> Result<Documents> {
    match input.content {
        Content::Text(text) => of_text(text, &input.name),
        Content::Binary(binary) => of_binary(binary),
    }
}

fn of_text(text: Vec<u8>, name: &str) -> Result<Documents> {
    let failed = |found: Found| found.into_error(name);
    let source = Source::new(&text).map_err(|problem| failed(problem.into()))?;
    if is_manifest(source) {
        let header = read_manifest(source, drop).map_err(|found| failed(found.into()))?;
        let name = name.to_owned();
        let entries = pulled(move |sender| push_text(&text, &name, sender))?;
        return Ok(Documents::Manifest(Listed {
            header,
            entries: Box::new(entries.into_iter()),
        }));
    }
    let described = files_of(source).map_err(failed)?;
    let files = described.into_iter().map(|described| match described {
        Described::File(file) => Ok(file),
        Described::Folder(_) => {
            bail!("{name} has a manifest among other documents: give it a file of its own")
        }
    });
    Ok(Documents::Files(files.collect::<Result<_>>()?))
}

/// Gives the entries of a text in which nothing was found to be wrong.
fn push_text(text: &[u8], name: &str, sender: &SyncSender<Result<Entry>>) {
    // Whoever takes them may have seen enough.
    let push = |entry| drop(sender.send(Ok(entry)));
    let read = Source::new(text)
        .map_err(Found::from)
        .and_then(|source| read_manifest(source, push).map_err(Found::from));
    if let Err(found) = read {
        let _ = sender.send(Err(found.into_error(name)));
    }
}

fn of_binary(mut binary: Binary) -> Result<Documents> {
    let mut files = Vec::new();
    loop {
        match binary.step()? {
            Step::Header(header) => {
                return Ok(Documents::Manifest(Listed {
                    header,
                    entries: Box::new(rest(binary)),
                }));
            }
            Step::File(file) => files.push(*file),
            Step::Entry(_) | Step::NeedMore | Step::End => return Ok(Documents::Files(files)),
        }
    }
}

/// The entries behind a header.
fn rest(mut binary: Binary) -> impl Iterator<Item = Result<Entry>> + Send {
    let mut failed = false;
    iter::from_fn(move || match binary.step() {
        _ if failed => None,
        Ok(Step::Entry(entry)) => Some(Ok(*entry)),
        Ok(_) => None,
        Err(error) => {
            failed = true;
            Some(Err(error))
        }
    })
}

fn by_name(files: Vec<FileMetadata>, name: &str) -> Result<Entries> {
    let entry = |file: FileMetadata| -> Result<Entry, Error> {
        Ok(Entry {
            path: EntryPath::new(file.name.as_str())?,
            record: file.record,
        })
    };
    let mut entries = files.into_iter().map(entry).collect::<Result<Vec<_>>>()?;
    entries.sort_by(|one, other| one.path.cmp(&other.path));
    let twice = entries.windows(2).find(|pair| pair[0].path == pair[1].path);
    if let Some(pair) = twice {
        bail!("{name} describes {:?} twice", pair[0].path);
    }
    Ok(Box::new(entries.into_iter().map(Ok)))
}
