//! Which parts there are and up to where the log lies in them: a small file of lines that
//! is replaced as a whole.
//!
//! ```text
//! atoll-metrics 1
//! next 18                                     the number of the next part
//! flushed 0123456789abcdef 4711               a log, and its last entry that is in parts
//! part 12 2943 0                              number, window, resolution in ms (0: as it came)
//! part 17 2943 0                              of two in one window the newer comes later
//! deletion 15 0 1790000000000 {job="x"}       for parts below a number, from, to, of what
//! kind gauge node_load1
//! checksum 1234abcd                           CRC-32C of all lines before
//! ```
//!
//! Pure: text in, text out. `keeper` reads and replaces the file.

use super::deletion::Deletion;
use crate::eval::TimeRange;
use crate::ingest::Kind;
use std::fmt::Write;

/// What the file says.
#[derive(Debug, Clone, Default)]
pub(super) struct Manifest {
    /// The number of the next part.
    pub(super) next: u64,
    /// The id of a log, and the index of its last entry that lies in parts.
    pub(super) flushed: (u64, u64),
    /// Of two in one window the newer comes later.
    pub(super) parts: Vec<PartLine>,
    /// Those that parts are still to be read without.
    pub(super) deletions: Vec<PartDeletion>,
    /// What the values of metrics mean.
    pub(super) kinds: Vec<(Box<str>, Kind)>,
}

/// A part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PartLine {
    /// Its number, by which its file is named.
    pub(super) number: u64,
    /// The window of time in which all its samples lie.
    pub(super) window: i64,
    /// Milliseconds between two of its samples, where it was made coarser; else 0.
    pub(super) resolution: u64,
}

/// A deletion from parts.
#[derive(Debug, Clone)]
pub(super) struct PartDeletion {
    /// Only parts of smaller numbers have what it is about.
    pub(super) before: u64,
    pub(super) deletion: Deletion,
}

/// A text that is no manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// The first line says something else.
    #[error("it is no list of parts of version {VERSION}, which this program writes")]
    Foreign,
    /// What it says is not what was written.
    #[error("it does not match its checksum")]
    Checksum,
    /// A line that cannot be read.
    #[error("line {0} cannot be read")]
    Line(usize),
}

const NAME: &str = "atoll-metrics";
const VERSION: u32 = 1;

/// Kinds by their names.
const KINDS: [(Kind, &str); 4] = [
    (Kind::Gauge, "gauge"),
    (Kind::Counter, "counter"),
    (Kind::Histogram, "histogram"),
    (Kind::Summary, "summary"),
];

impl Manifest {
    /// The file's text.
    pub(super) fn write(&self) -> String {
        let (log, flushed) = self.flushed;
        let mut text = format!(
            "{NAME} {VERSION}\nnext {}\nflushed {log:016x} {flushed}\n",
            self.next
        );
        let mut line = |arguments: std::fmt::Arguments<'_>| {
            // A string takes everything.
            let _ = writeln!(text, "{arguments}");
        };
        for part in &self.parts {
            let PartLine {
                number,
                window,
                resolution,
            } = part;
            line(format_args!("part {number} {window} {resolution}"));
        }
        for PartDeletion { before, deletion } in &self.deletions {
            let TimeRange { start, end } = deletion.range();
            let selector = deletion.selector();
            line(format_args!("deletion {before} {start} {end} {selector}"));
        }
        for (name, kind) in &self.kinds {
            let kind = KINDS.iter().find(|(other, _)| other == kind);
            let kind = kind.map_or("gauge", |(_, name)| name);
            line(format_args!("kind {kind} {name}"));
        }
        let checksum = crc32c::crc32c(text.as_bytes());
        line_of_checksum(&mut text, checksum);
        text
    }

    /// What a file says.
    ///
    /// # Errors
    /// [`ManifestError`] says which line.
    pub(super) fn read(text: &str) -> Result<Self, ManifestError> {
        if text.split('\n').next() != Some(&format!("{NAME} {VERSION}")) {
            return Err(ManifestError::Foreign);
        }
        let body = text.trim_end_matches('\n');
        let body = body.rfind('\n').map_or("", |end| &text[..=end]);
        let mut expected = body.to_owned();
        line_of_checksum(&mut expected, crc32c::crc32c(body.as_bytes()));
        if text != expected {
            return Err(ManifestError::Checksum);
        }
        let mut manifest = Self::default();
        // No `lines`: it would take a return at the end of a name for one of a line.
        for (index, line) in body.split_terminator('\n').enumerate().skip(1) {
            let read = manifest.read_line(line);
            read.ok_or(ManifestError::Line(index + 1))?;
        }
        Ok(manifest)
    }

    fn read_line(&mut self, line: &str) -> Option<()> {
        let (word, rest) = line.split_once(' ')?;
        match word {
            "next" => self.next = rest.parse().ok()?,
            "flushed" => {
                let (log, index) = rest.split_once(' ')?;
                self.flushed = (u64::from_str_radix(log, 16).ok()?, index.parse().ok()?);
            }
            "part" => {
                let mut words = rest.splitn(3, ' ');
                self.parts.push(PartLine {
                    number: words.next()?.parse().ok()?,
                    window: words.next()?.parse().ok()?,
                    resolution: words.next()?.parse().ok()?,
                });
            }
            "deletion" => {
                let mut words = rest.splitn(4, ' ');
                let before = words.next()?.parse().ok()?;
                let start = words.next()?.parse().ok()?;
                let end = words.next()?.parse().ok()?;
                let deletion = Deletion::new(words.next()?, TimeRange { start, end }).ok()?;
                self.deletions.push(PartDeletion { before, deletion });
            }
            "kind" => {
                let (kind, name) = rest.split_once(' ')?;
                let (kind, _) = KINDS.iter().find(|(_, other)| *other == kind)?;
                self.kinds.push((name.into(), *kind));
            }
            _ => return None,
        }
        Some(())
    }
}

/// What a manifest says, written anew. For the fuzz target, which sees no more of it.
///
/// # Errors
/// [`ManifestError`] says which line.
#[doc(hidden)]
pub fn rewrite_manifest(text: &str) -> Result<String, ManifestError> {
    Manifest::read(text).map(|manifest| manifest.write())
}

fn line_of_checksum(text: &mut String, checksum: u32) {
    // A string takes everything.
    let _ = writeln!(text, "checksum {checksum:08x}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn manifest() -> Manifest {
        let range = TimeRange { start: -5, end: 70 };
        let deletion = Deletion::new("up{job=\"a b\"}", range).unwrap();
        Manifest {
            next: 18,
            flushed: (0x0123_4567_89ab_cdef, 4711),
            parts: vec![
                PartLine {
                    number: 12,
                    window: -3,
                    resolution: 0,
                },
                PartLine {
                    number: 17,
                    window: 2943,
                    resolution: 300_000,
                },
            ],
            deletions: vec![PartDeletion {
                before: 15,
                deletion,
            }],
            kinds: vec![
                ("node load".into(), Kind::Counter),
                ("of\r".into(), Kind::Gauge),
            ],
        }
    }

    #[test]
    fn it_comes_back() {
        for given in [Manifest::default(), manifest()] {
            let text = given.write();
            let read = Manifest::read(&text).unwrap();
            assert_eq!(read.write(), text);
            assert_eq!(read.parts, given.parts);
            assert_eq!(read.kinds, given.kinds);
        }
        assert!(
            manifest()
                .write()
                .contains("\ndeletion 15 -5 70 {__name__=\"up\",job=\"a b\"}\n")
        );
    }

    proptest! {
        #[test]
        fn no_lines_are_too_much(lines in prop::collection::vec("[a-z0-9 {}=\"-]{0,30}", 0..8)) {
            let words = ["next", "flushed", "part", "deletion", "kind", ""];
            let lines = lines.iter().zip(words.iter().cycle());
            let mut text = format!("{NAME} {VERSION}\n");
            lines.for_each(|(line, word)| text.push_str(&format!("{word} {line}\n")));
            let checksum = crc32c::crc32c(text.as_bytes());
            line_of_checksum(&mut text, checksum);
            if let Ok(read) = Manifest::read(&text) {
                // What is read is what would be written.
                let written = read.write();
                prop_assert_eq!(Manifest::read(&written).unwrap().write(), written);
            }
        }
    }

    #[test]
    fn a_selector_is_one_line_whatever_it_was() {
        let range = TimeRange { start: 0, end: 1 };
        for (given, written) in [
            ("up # old host\n{job=\"x\"}", "{__name__=\"up\",job=\"x\"}"),
            ("{ # why\n job=\"x\"}", "{job=\"x\"}"),
            ("{a=`b\nc`}", "{a=\"b\\nc\"}"),
        ] {
            let deletion = Deletion::new(given, range).unwrap();
            assert_eq!(deletion.selector(), written);
            assert!(Deletion::new(written, range).unwrap().is(&deletion));
        }
    }

    #[test]
    fn what_was_not_written_so_is_refused() {
        let text = manifest().write();
        for end in 0..text.len() {
            assert!(Manifest::read(&text[..end]).is_err(), "{end}");
        }
        let changed = text.replace("part 12", "part 13");
        assert_eq!(
            Manifest::read(&changed).unwrap_err(),
            ManifestError::Checksum
        );
        let later = text.replace("metrics 1", "metrics 2");
        assert_eq!(Manifest::read(&later).unwrap_err(), ManifestError::Foreign);
        let mut unknown = format!("{NAME} {VERSION}\nnext 1\nmore 2\n");
        let checksum = crc32c::crc32c(unknown.as_bytes());
        line_of_checksum(&mut unknown, checksum);
        assert_eq!(
            Manifest::read(&unknown).unwrap_err(),
            ManifestError::Line(3)
        );
    }
}
