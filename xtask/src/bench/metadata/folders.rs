//! Manifests of folders through the release binary, beside mtree: how long, how large,
//! and how much memory.

use anyhow::{Context, ensure};
use harness::process::{Finished, Process};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::super::report::{Row, median, megabytes};
use super::super::{SEED, settle};
use super::Bench;
use crate::{judge, packages};

/// No work here takes longer.
const LIMIT: Duration = Duration::from_secs(1800);

/// Files in each folder of the large ones.
const PER_FOLDER: usize = 1000;

/// Bytes in each: what is hashed is not what is measured there.
const FILE_BYTES: usize = 16;

/// What mtree is told to record: what a manifest has.
const KEYWORDS: &str = "type,mode,size,time,link,sha256";

/// Times and sizes of the real folders; the table of sizes goes into `sizes`.
pub(super) fn measure(bench: &Bench, sizes: &mut String) -> anyhow::Result<Vec<Row>> {
    packages::ensure(&[packages::MTREE])?;
    let tree = judge::real_tree(bench.quick)?;
    sizes.push_str(SIZES);
    let mut rows = Vec::new();
    for name in judge::subfolders(&tree)? {
        let one = Folder {
            bench,
            folder: &tree.join(&name),
            name: &name.to_string_lossy(),
        };
        sizes.push_str(&one.sizes()?);
        rows.extend(one.times()?);
    }
    Ok(rows)
}

const SIZES: &str = "\n| folder | entries | text | bytes | of the text | compressed | of the text |\n\
    |---|---|---|---|---|---|---|\n";

struct Folder<'b> {
    bench: &'b Bench,
    folder: &'b Path,
    name: &'b str,
}

impl Folder<'_> {
    fn sizes(&self) -> anyhow::Result<String> {
        let sizes = [&[][..], &["--binary"], &["--binary", "--zstd"]].map(|options| {
            let file = self.bench.folder.join("sizes");
            self.show(options, &file)?;
            Ok(fs::metadata(&file)?.len())
        });
        let [text, plain, packed]: [anyhow::Result<u64>; 3] = sizes;
        let (text, plain, packed) = (text?, plain?, packed?);
        let entries = self.entries()?;
        ensure!(
            plain < text && packed < text,
            "bytes are more than the text"
        );
        let part = |bytes: u64| bytes as f64 / text as f64 * 100.0;
        Ok(format!(
            "| {} | {entries} | {} | {} | {:.1} % | {} | {:.1} % |\n",
            self.name,
            megabytes(text),
            megabytes(plain),
            part(plain),
            megabytes(packed),
            part(packed),
        ))
    }

    /// How many entries the text that was written has.
    fn entries(&self) -> anyhow::Result<usize> {
        let file = self.bench.folder.join("entries");
        self.show(&["--no-hash"], &file)?;
        let text = fs::read_to_string(&file)?;
        Ok(text
            .lines()
            .filter(|line| line.starts_with("    - path: "))
            .count())
    }

    fn times(&self) -> anyhow::Result<Vec<Row>> {
        let file = self.bench.folder.join("manifest");
        let specification = self.bench.folder.join("specification");
        // Once, so that everybody finds the files in memory.
        self.show(&[], &file)?;
        let (mut made, mut verified) = ((Vec::new(), Vec::new()), (Vec::new(), Vec::new()));
        for _ in 0..self.bench.rounds {
            settle();
            made.0.push(self.show(&[], &file)?.wall);
            made.1.push(self.mtree_make(&specification)?.wall);
            verified.0.push(self.verify(&file)?.wall);
            verified.1.push(self.mtree_verify(&specification)?.wall);
        }
        let name = self.name;
        Ok(vec![
            Row::ratio(
                &format!("manifest of {name}, made"),
                &made.0,
                ("mtree", &made.1),
                None,
            ),
            Row::ratio(
                &format!("manifest of {name}, verified"),
                &verified.0,
                ("mtree", &verified.1),
                None,
            ),
        ])
    }

    fn show(&self, options: &[&str], file: &Path) -> anyhow::Result<Finished> {
        show(self.bench, self.folder, options, file)
    }

    fn verify(&self, file: &Path) -> anyhow::Result<Finished> {
        verify(self.bench, file, self.folder)
    }

    fn mtree_make(&self, specification: &Path) -> anyhow::Result<Finished> {
        let mut mtree = Command::new("mtree");
        mtree.args(["-c", "-k", KEYWORDS, "-p"]).arg(self.folder);
        let log = specification;
        if log.exists() {
            fs::remove_file(log)?;
        }
        // What it prints is the specification.
        Process::start("mtree -c", &mut mtree, log)?.succeed(LIMIT)
    }

    fn mtree_verify(&self, specification: &Path) -> anyhow::Result<Finished> {
        let mut mtree = Command::new("mtree");
        mtree
            .arg("-f")
            .arg(specification)
            .arg("-p")
            .arg(self.folder);
        let log = self.bench.folder.join("mtree.log");
        Process::start("mtree -f", &mut mtree, &log)?.succeed(LIMIT)
    }
}

fn show(bench: &Bench, folder: &Path, options: &[&str], file: &Path) -> anyhow::Result<Finished> {
    let mut atoll = Command::new(&bench.binary);
    atoll
        .args(["meta", "show"])
        .arg(folder)
        .args(options)
        .arg("--output")
        .arg(file);
    let log = bench.folder.join("atoll.log");
    Process::start("atoll meta show", &mut atoll, &log)?.succeed(LIMIT)
}

fn verify(bench: &Bench, file: &Path, folder: &Path) -> anyhow::Result<Finished> {
    let mut atoll = Command::new(&bench.binary);
    atoll.args(["meta", "verify"]).arg(file).arg(folder);
    let log = bench.folder.join("atoll.log");
    Process::start("atoll meta verify", &mut atoll, &log)?.succeed(LIMIT)
}

/// Peak memory at a hundred thousand files and at ten times as many.
pub(super) fn memory(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let few = if bench.quick { 3000 } else { 100_000 };
    let peaks = [few, 10 * few].map(|files| peaks(bench, files));
    let [one, ten]: [anyhow::Result<Peaks>; 2] = peaks;
    let (one, ten) = (one?, ten?);
    let mut rows = Vec::new();
    for (what, of) in Peaks::ALL {
        let (less, more) = (of(&one), of(&ten));
        rows.push(Row::figure(
            &format!("peak memory, {what}, {few} and {} files", 10 * few),
            format!("{} and {}", megabytes(less), megabytes(more)),
            String::new(),
            "flat: ≤ 1.25 ×".to_owned(),
            more as f64 <= 1.25 * less as f64,
        ));
    }
    rows.push(Row::note(
        &format!("the text that is held while it is read, {} files", 10 * few),
        megabytes(ten.text_length),
        String::new(),
    ));
    rows.push(Row::note(
        &format!("manifest of {} files, made, and verified", 10 * few),
        format!(
            "{:.1} s, {:.1} s",
            ten.made.as_secs_f64(),
            ten.verified.as_secs_f64()
        ),
        String::new(),
    ));
    Ok(rows)
}

/// What was done, and how much memory it took at most.
type Step = (&'static str, fn(&Peaks) -> u64);

/// Most memory that each step took.
struct Peaks {
    text_made: u64,
    text_verified: u64,
    bytes_made: u64,
    bytes_verified: u64,
    text_length: u64,
    made: Duration,
    verified: Duration,
}

impl Peaks {
    /// A text lies in memory as a whole while it is read: that much is taken off.
    const ALL: [Step; 4] = [
        ("text written", |it| it.text_made),
        ("text read and verified, without the text", |it| {
            it.text_verified.saturating_sub(it.text_length)
        }),
        ("bytes written", |it| it.bytes_made),
        ("bytes read and verified", |it| it.bytes_verified),
    ];
}

fn peaks(bench: &Bench, files: usize) -> anyhow::Result<Peaks> {
    let folder = many(bench, files)?;
    let (text, bytes) = (bench.folder.join("text"), bench.folder.join("bytes"));
    let made = show(bench, &folder, &[], &text)?;
    let bytes_made = show(bench, &folder, &["--binary"], &bytes)?;
    let mut walls = Vec::new();
    let mut text_verified = 0;
    for _ in 0..bench.rounds {
        let finished = verify(bench, &text, &folder)?;
        walls.push(finished.wall);
        text_verified = finished.usage.peak_bytes;
    }
    let bytes_verified = verify(bench, &bytes, &folder)?;
    let text_length = fs::metadata(&text)?.len();
    fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    Ok(Peaks {
        text_made: made.usage.peak_bytes,
        text_verified,
        bytes_made: bytes_made.usage.peak_bytes,
        bytes_verified: bytes_verified.usage.peak_bytes,
        text_length,
        made: made.wall,
        verified: median(&walls),
    })
}

/// A folder of so many small files.
fn many(bench: &Bench, files: usize) -> anyhow::Result<PathBuf> {
    let folder = bench.folder.join("many");
    harness::tree::flat(&folder, files, FILE_BYTES, PER_FOLDER, SEED)?;
    Ok(folder)
}
