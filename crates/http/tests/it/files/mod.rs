//! A directory on a real disk, served by [`Site`], and what is asked of it.

mod exhausted;
mod random;
mod serving;
mod variants;

use httpd::files::{
    Answer, Body, Links, Method, Moment, Options, Part, Request, Root, Site, Wanted,
};
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tempfile::TempDir;

/// A folder and the site that serves it, at a time that the test moves.
struct Served {
    folder: TempDir,
    site: Site,
    elapsed: Duration,
}

/// Far enough ahead that no file just written counts as written just now.
const AHEAD: Duration = Duration::from_secs(3600);

impl Served {
    fn new(options: Options, fill: impl FnOnce(&Path)) -> Self {
        Self::with_links(options, Links::Inside, fill)
    }

    fn with_links(options: Options, links: Links, fill: impl FnOnce(&Path)) -> Self {
        let folder = TempDir::new().unwrap();
        fill(folder.path());
        let root = Arc::new(Root::open(folder.path(), links).unwrap());
        let site = Site::new(root, Arc::new(options), 7).unwrap();
        Self {
            folder,
            site,
            elapsed: Duration::ZERO,
        }
    }

    fn get(&mut self, target: &str, fields: &[(&str, &str)]) -> Answer {
        self.ask(Method::Get, target, fields)
    }

    fn ask(&mut self, method: Method, target: &str, fields: &[(&str, &str)]) -> Answer {
        let fields = fields
            .iter()
            .map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + AHEAD;
        self.site.answer(&Request {
            method,
            target: target.as_bytes(),
            wanted: Wanted::from_fields(fields),
            now: Moment {
                elapsed: self.elapsed,
                since_epoch,
            },
        })
    }

    /// Status and body of a GET.
    fn text(&mut self, target: &str) -> (u16, String) {
        let answer = self.get(target, &[]);
        (answer.status.as_u16(), body(&answer))
    }

    fn status(&mut self, target: &str) -> u16 {
        self.get(target, &[]).status.as_u16()
    }

    fn write(&self, name: &str, content: &str) {
        fs::write(self.folder.path().join(name), content).unwrap();
    }

    fn pass(&mut self, time: Duration) {
        self.elapsed += time;
    }
}

/// What is sent as the body.
fn bytes(answer: &Answer) -> Vec<u8> {
    let part = |part: &Part| match part {
        Part::Bytes(bytes) => bytes.to_vec(),
        Part::File(range) => {
            let mut bytes = vec![0; range.span.length as usize];
            let file = &range.file;
            file.read_exact_at(&mut bytes, range.span.offset).unwrap();
            bytes
        }
    };
    match &answer.body {
        Body::Empty => Vec::new(),
        Body::Bytes(bytes) => bytes.to_vec(),
        Body::File(range) => part(&Part::File(range.clone())),
        Body::Parts(parts) => parts.iter().flat_map(part).collect(),
    }
}

/// The same, of texts.
fn body(answer: &Answer) -> String {
    String::from_utf8(bytes(answer)).unwrap()
}

fn field(answer: &Answer, name: &str) -> Option<String> {
    answer
        .fields
        .get(name)
        .map(|value| String::from_utf8(value.to_vec()).unwrap())
}

fn write(folder: &Path, files: &[(&str, &str)]) {
    for (name, content) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
}
