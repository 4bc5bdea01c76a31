//! What is in a directory, as a page or as JSON. Reading it is the job of
//! [`super::root`]; here it is only put in order and written.

use super::answer::{Answer, Body, push_field};
use super::facts::Time;
use super::negotiate::prefers_json;
use super::path::encode;
use super::representation::push_policy;
use crate::date::Civil;
use crate::json::push_escaped;
use bytes::Bytes;
use http::StatusCode;
use std::io::Write;
use std::sync::OnceLock;

/// The contents of a directory.
#[derive(Debug)]
pub struct Listing {
    entries: Vec<Entry>,
    is_truncated: bool,
    page: OnceLock<Bytes>,
    json: OnceLock<Bytes>,
}

/// One thing in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name, which need not be text.
    pub name: Vec<u8>,
    /// It can be listed itself.
    pub is_directory: bool,
    /// Size in bytes; of a directory, nothing useful.
    pub size: u64,
    /// When it was last modified.
    pub modified: Time,
}

/// The most entries that a listing shows, the first by name; beyond, it says that there
/// are more.
/// A page of this size is about 2 MiB, which browsers still show at once.
pub const MAX_ENTRIES: usize = 10_000;

/// The look of the page. It loads nothing and runs nothing.
const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;\
padding:0 1rem;color-scheme:light dark}table{border-collapse:collapse;width:100%}\
th,td{text-align:left;padding:.2rem .6rem;border-bottom:1px solid #8884}\
td:nth-child(2),th:nth-child(2){text-align:right}td{font-variant-numeric:tabular-nums}\
td:first-child{overflow-wrap:anywhere}";

impl Listing {
    /// Puts `entries` in order: directories first, then by name.
    pub fn new(mut entries: Vec<Entry>, is_truncated: bool) -> Self {
        entries.sort_by(|one, other| {
            let key = |entry: &Entry| !entry.is_directory;
            key(one)
                .cmp(&key(other))
                .then_with(|| one.name.cmp(&other.name))
        });
        Self {
            entries,
            is_truncated,
            page: OnceLock::new(),
            json: OnceLock::new(),
        }
    }

    /// What is in it, in order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Roughly how much memory it holds once written in both forms, in bytes.
    pub(super) fn weight(&self) -> usize {
        let of_entry = |entry: &Entry| size_of::<Entry>() + entry.name.len() * 5 + 256;
        self.entries.iter().map(of_entry).sum()
    }

    /// The answer to a request for the directory at `path`, which is empty or
    /// ends with a slash.
    pub(super) fn answer(
        &self,
        path: &[u8],
        query: Option<&[u8]>,
        accept: Option<&[u8]>,
        extra: &[(String, String)],
    ) -> Answer {
        let asked = |format: &[u8]| {
            query.is_some_and(|query| query.split(|byte| *byte == b'&').any(|pair| pair == format))
        };
        let is_json = asked(b"format=json") || (!asked(b"format=html") && prefers_json(accept));
        let (kind, body) = if is_json {
            (
                "application/json",
                self.json.get_or_init(|| self.to_json(path).into()),
            )
        } else {
            (
                "text/html; charset=utf-8",
                self.page.get_or_init(|| self.to_page(path).into()),
            )
        };
        let mut lines = Vec::with_capacity(192);
        push_policy(&mut lines, Some("no-cache"), extra);
        push_field(&mut lines, "vary", b"Accept");
        push_field(&mut lines, "content-type", kind.as_bytes());
        Answer::new(StatusCode::OK, lines, Body::Bytes(body.clone()))
    }

    fn to_page(&self, path: &[u8]) -> String {
        let mut page = String::with_capacity(1024 + self.entries.len() * 160);
        let mut title = String::from("/");
        escape_html(&String::from_utf8_lossy(path), &mut title);
        page.push_str("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">");
        page.push_str("<meta name=\"viewport\" content=\"width=device-width\">");
        page.extend([
            "<title>",
            &title,
            "</title><style>",
            STYLE,
            "</style></head><body>\n<h1>",
        ]);
        page.extend([&title, "</h1>\n<table>\n"]);
        page.push_str(
            "<thead><tr><th>Name</th><th>Size</th><th>Modified</th></tr></thead>\n<tbody>\n",
        );
        if !path.is_empty() {
            page.push_str("<tr><td><a href=\"../\">../</a></td><td></td><td></td></tr>\n");
        }
        for entry in &self.entries {
            push_row(entry, &mut page);
        }
        page.push_str("</tbody></table>\n");
        if self.is_truncated {
            page.push_str("<p>There is more than can be shown.</p>\n");
        }
        page.push_str("</body></html>\n");
        page
    }

    fn to_json(&self, path: &[u8]) -> Vec<u8> {
        let mut json = Vec::with_capacity(64 + self.entries.len() * 128);
        json.extend_from_slice(b"{\"path\":\"/");
        push_escaped(path, &mut json);
        let is_truncated = self.is_truncated;
        push(
            &mut json,
            format_args!("\",\"truncated\":{is_truncated},\"entries\":["),
        );
        for (index, entry) in self.entries.iter().enumerate() {
            json.extend_from_slice(if index == 0 { b"\n" } else { b",\n" });
            push_object(entry, &mut json);
        }
        json.extend_from_slice(b"\n]}\n");
        json
    }
}

fn push_object(entry: &Entry, json: &mut Vec<u8>) {
    json.extend_from_slice(b"{\"name\":\"");
    push_escaped(&entry.name, json);
    json.extend_from_slice(b"\",\"href\":\"");
    push_escaped(href(entry).as_bytes(), json);
    let modified = Civil::from_unix(entry.modified.seconds()).rfc3339();
    match entry.is_directory {
        true => json.extend_from_slice(b"\",\"type\":\"directory\""),
        false => push(
            json,
            format_args!("\",\"type\":\"file\",\"size\":{}", entry.size),
        ),
    }
    push(json, format_args!(",\"modified\":\"{modified}\"}}"));
}

fn push_row(entry: &Entry, page: &mut String) {
    let slash = if entry.is_directory { "/" } else { "" };
    page.push_str("<tr><td><a href=\"");
    escape_html(&href(entry), page);
    page.push_str("\">");
    escape_html(&String::from_utf8_lossy(&entry.name), page);
    page.extend([slash, "</a></td><td>"]);
    if !entry.is_directory {
        page.push_str(&entry.size.to_string());
    }
    let modified = Civil::from_unix(entry.modified.seconds()).rfc3339();
    page.extend(["</td><td>", &modified, "</td></tr>\n"]);
}

/// A link relative to the directory. The `./` keeps a colon in the first name
/// from making a scheme of what is before it (RFC 3986 section 4.2).
fn href(entry: &Entry) -> String {
    let mut href = b"./".to_vec();
    encode(&entry.name, &mut href);
    if entry.is_directory {
        href.push(b'/');
    }
    String::from_utf8_lossy(&href).into_owned()
}

/// Text for element content and for attribute values in double quotes.
fn escape_html(text: &str, out: &mut String) {
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            control if control.is_control() => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
}

fn push(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text)
        .expect("a vector takes all that is written");
}

#[cfg(test)]
mod tests {
    use super::{Entry, Listing};
    use crate::files::answer::Body;
    use crate::files::facts::Time;

    fn entry(name: &str, is_directory: bool) -> Entry {
        Entry {
            name: name.as_bytes().to_vec(),
            is_directory,
            size: 7,
            modified: Time::new(784_111_777, 5),
        }
    }

    fn text(listing: &Listing, query: Option<&str>, accept: Option<&str>) -> String {
        let answer = listing.answer(
            b"a<b/",
            query.map(str::as_bytes),
            accept.map(str::as_bytes),
            &[],
        );
        let Body::Bytes(bytes) = answer.body else {
            panic!("a listing is in memory")
        };
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[test]
    fn json_is_in_order_and_escaped() {
        let entries = vec![
            entry("b\"\n.txt", false),
            entry("a.txt", false),
            entry("z", true),
        ];
        let listing = Listing::new(entries, true);
        let expected = r#"{"path":"/a<b/","truncated":true,"entries":[
{"name":"z","href":"./z/","type":"directory","modified":"1994-11-06T08:49:37Z"},
{"name":"a.txt","href":"./a.txt","type":"file","size":7,"modified":"1994-11-06T08:49:37Z"},
{"name":"b\"\u000a.txt","href":"./b%22%0A.txt","type":"file","size":7,"modified":"1994-11-06T08:49:37Z"}
]}
"#;
        assert_eq!(text(&listing, Some("x=1&format=json"), None), expected);
        assert_eq!(text(&listing, None, Some("application/json")), expected);
        assert!(
            text(&listing, Some("format=html"), Some("application/json")).starts_with("<!doctype")
        );
    }

    #[test]
    fn a_page_runs_nothing_that_a_name_says() {
        let name = "\"><script>alert('&')</script>";
        let listing = Listing::new(vec![entry(name, false), entry("a:b", true)], false);
        let page = text(&listing, None, Some("text/html"));
        assert!(!page.contains("<script"), "{page}");
        assert!(
            page.contains("&quot;&gt;&lt;script&gt;alert(&#39;&amp;&#39;)"),
            "{page}"
        );
        assert!(page.contains("<title>/a&lt;b/</title>"), "{page}");
        assert!(page.contains("href=\"./a:b/\""), "{page}");
        assert!(page.contains("href=\"../\""), "{page}");
    }
}
