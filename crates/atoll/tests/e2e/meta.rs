//! `atoll meta` on real directories: what is shown is checked, converted, compared and
//! verified, and everything that was touched is told on exactly one line.

use crate::told::terminal;
use crate::{LIMIT, atoll, binary, printed, refused};
use harness::site::Node;
use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, SystemTime};

/// A directory to be looked at, and room beside it.
struct Scene {
    top: tempfile::TempDir,
}

impl Scene {
    /// Some of everything, with times that say what they are.
    fn new() -> Self {
        let scene = Self {
            top: tempfile::tempdir().unwrap(),
        };
        let tree = scene.path("tree");
        fs::create_dir_all(tree.join("papers/old")).unwrap();
        for name in ["a \"quoted\" name", "papers/one.txt", "papers/old/two.txt"] {
            fs::write(tree.join(name), name.repeat(20)).unwrap();
        }
        fs::write(tree.join("empty"), "").unwrap();
        symlink("papers/one.txt", tree.join("link")).unwrap();
        fs::set_permissions(tree.join("empty"), Permissions::from_mode(0o600)).unwrap();
        for name in [
            "papers/one.txt",
            "papers/old/two.txt",
            "papers/old",
            "papers",
            "",
        ] {
            set_time(&tree.join(name), 1_000_000_000);
        }
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.top.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// Takes down the tree.
    fn manifest(&self, options: &[&str]) -> String {
        let output = self.text("manifest");
        let tree = self.text("tree");
        let words = [&["meta", "show", &tree, "--output", &output], options].concat();
        assert_eq!(printed(&words), "");
        output
    }

    /// What `verify` prints, with its exit code, and its last words.
    fn verify(&self, manifest: &str, options: &[&str]) -> (String, Option<i32>, String) {
        let words = ["meta", "verify", manifest, &self.text("tree")];
        let output = atoll(&[&words[..], options].concat());
        let said = String::from_utf8(output.stderr).unwrap();
        let last = said.lines().last().unwrap_or_default().to_owned();
        let printed = String::from_utf8(output.stdout).unwrap();
        (printed, output.status.code(), last)
    }
}

fn set_time(path: &Path, seconds: u64) {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    File::open(path).unwrap().set_modified(time).unwrap();
}

/// Runs `atoll` with `input` on its standard input.
fn fed(words: &[&str], input: &[u8]) -> Output {
    let mut command = Command::new(binary());
    command.args(words).stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn what_is_shown_is_checked_converted_and_verified() {
    let scene = Scene::new();
    let (tree, manifest) = (scene.text("tree"), scene.manifest(&[]));
    let text = fs::read_to_string(&manifest).unwrap();
    assert_eq!(printed(&["meta", "show", &tree]), text);
    assert!(text.starts_with("manifest:\n  entries:\n    - path: \".\"\n      version: 0\n"));
    assert!(text.contains("path: \"a \\\"quoted\\\" name\"\n"));
    assert!(text.contains("target: \"papers/one.txt\"\n"));

    let (small, smaller, back) = (
        scene.text("small"),
        scene.text("smaller"),
        scene.text("back"),
    );
    printed(&["meta", "encode", &manifest, "--output", &small]);
    printed(&["meta", "encode", &manifest, "--output", &smaller, "--zstd"]);
    let size = |path: &str| fs::metadata(path).unwrap().len();
    assert!(size(&smaller) < size(&small) && size(&small) < size(&manifest));
    printed(&["meta", "decode", &smaller, "--output", &back]);
    assert_eq!(fs::read_to_string(&back).unwrap(), text);
    for (options, same) in [
        (&["--binary"][..], &small),
        (&["--binary", "--zstd"], &smaller),
    ] {
        let shown = atoll(&[&["meta", "show", &tree], options].concat());
        assert_eq!(shown.stdout, fs::read(same).unwrap());
    }

    let files = [&manifest, &small, &smaller, &back].map(String::as_str);
    assert_eq!(printed(&[&["meta", "check"], &files[..]].concat()), "");
    assert_eq!(printed(&["meta", "fmt", "--check", &manifest, &back]), "");
    for file in files {
        let all = "8 the same, 0 changed, 0 missing, 0 extra, 0 unread";
        assert_eq!(
            scene.verify(file, &[]),
            (String::new(), Some(0), all.to_owned())
        );
        assert_eq!(printed(&["meta", "diff", &manifest, file]), "");
        assert_eq!(printed(&["meta", "diff", file, &tree]), "");
    }
    let through = fed(
        &["meta", "verify", "-", &tree],
        &fs::read(&smaller).unwrap(),
    );
    assert!(through.status.success(), "{through:?}");
}

#[test]
fn whatever_was_touched_is_told_on_one_line() {
    let scene = Scene::new();
    let manifest = scene.manifest(&[]);
    let one = scene.path("tree/papers/one.txt");
    let written = fs::read(&one).unwrap();
    let check = |line: &str, json: &str| {
        let (printed, code, _) = scene.verify(&manifest, &[]);
        assert_eq!(code, Some(1));
        let printed = printed.strip_suffix('\n').unwrap();
        let (before, after) = line.split_once("…").unwrap_or((line, ""));
        assert!(
            printed.starts_with(before) && printed.ends_with(after),
            "{printed}"
        );
        assert!(!printed.contains('\n'), "{printed}");
        let (printed, ..) = scene.verify(&manifest, &["--json"]);
        let object: serde_json::Value = serde_json::from_str(&printed).unwrap();
        assert_eq!(object["aspects"][0]["aspect"], json);
        assert!(object["change"] == "changed", "{object}");
    };
    // One byte, with the time of before.
    let mut changed = written.clone();
    changed[7] ^= 1;
    fs::write(&one, &changed).unwrap();
    set_time(&one, 1_000_000_000);
    check("papers/one.txt: hash blake3:…", "hash");
    fs::write(&one, &written).unwrap();
    check("papers/one.txt: mtime 2001-09-09T01:46:40Z -> …Z", "mtime");
    set_time(&one, 1_000_000_000);
    let mode = |bits| fs::set_permissions(&one, Permissions::from_mode(bits)).unwrap();
    mode(0o4755);
    check("papers/one.txt: mode 0644 -> 4755", "mode");
    assert_eq!(scene.verify(&manifest, &["--content"]).1, Some(0));
    mode(0o644);
    fs::remove_file(scene.path("tree/link")).unwrap();
    symlink("/etc/passwd", scene.path("tree/link")).unwrap();
    set_time(&scene.path("tree"), 1_000_000_000);
    check(
        "link: target \"papers/one.txt\" -> \"/etc/passwd\", mtime …",
        "target",
    );

    fs::remove_file(&one).unwrap();
    fs::write(scene.path("tree/papers/new"), "").unwrap();
    let (printed, code, last) = scene.verify(&manifest, &["--content"]);
    let lines: Vec<_> = printed.lines().collect();
    assert_eq!(lines[1..], ["+ papers/new", "- papers/one.txt"]);
    assert!(lines[0].starts_with("link: target"));
    assert_eq!(code, Some(1));
    assert_eq!(
        last,
        "atoll: 6 the same, 1 changed, 1 missing, 1 extra, 0 unread"
    );
}

#[test]
fn what_cannot_be_told_is_named_and_fails() {
    let scene = Scene::new();
    let manifest = scene.manifest(&[]);
    let name = OsStr::from_bytes(b"tree/\xff");
    fs::write(scene.top.path().join(name), "").unwrap();
    set_time(&scene.path("tree"), 1_000_000_000);
    let tree = scene.text("tree");
    refused(&["meta", "show", &tree], 1, "1 entry was left out");
    refused(
        &["meta", "show", &tree],
        1,
        "left out \\xff: its name is not UTF-8",
    );
    refused(
        &["meta", "diff", &manifest, &tree],
        1,
        "1 could not be read, 0 differ",
    );
    let (printed, code, last) = scene.verify(&manifest, &["--json"]);
    assert!(printed.contains("\"change\":\"unread\""), "{printed}");
    assert!(last.ends_with("0 extra, 1 unread"), "{last}");
    assert_eq!(code, Some(1));
}

const MARKER: &str = r#"{"site":"1","space":"1","slug":"s","server":"http://h:1"}"#;

#[test]
fn a_planted_corner_hides_nothing() {
    let scene = Scene::new();
    let manifest = scene.manifest(&[]);
    let (tree, corner) = (scene.text("tree"), scene.path("tree/.atoll"));
    fs::create_dir(&corner).unwrap();
    fs::write(corner.join("marker.json"), MARKER).unwrap();
    fs::write(corner.join("payload"), "").unwrap();
    set_time(&scene.path("tree"), 1_000_000_000);
    let told = "+ .atoll\n+ .atoll/marker.json\n+ .atoll/payload\n";
    let (printed, code, _) = scene.verify(&manifest, &[]);
    assert_eq!((printed.as_str(), code), (told, Some(1)));
    let output = atoll(&["meta", "diff", &manifest, &tree]);
    assert_eq!(String::from_utf8(output.stdout).unwrap(), told);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_file_that_is_called_like_a_corner_is_like_any_other() {
    let scene = Scene::new();
    fs::write(scene.path("tree/.atoll"), "mine").unwrap();
    let manifest = scene.manifest(&[]);
    let text = fs::read_to_string(&manifest).unwrap();
    assert!(text.contains("path: \".atoll\"\n"), "{text}");
    assert_eq!(scene.verify(&manifest, &[]).1, Some(0));
    printed(&["meta", "diff", &manifest, &scene.text("tree")]);
    printed(&["meta", "show", &scene.text("tree/empty")]);
}

#[test]
fn contents_that_were_not_compared_are_told() {
    let scene = Scene::new();
    let manifest = scene.manifest(&["--no-hash"]);
    let (printed, code, last) = scene.verify(&manifest, &[]);
    assert_eq!((printed.as_str(), code), ("", Some(0)));
    assert!(last.ends_with("0 unread, 4 without a hash"), "{last}");
}

#[test]
fn hashes_of_two_kinds_are_never_taken_for_equal() {
    let scene = Scene::new();
    let top = scene.text("tree");
    fs::remove_dir_all(&top).unwrap();
    fs::create_dir(&top).unwrap();
    fs::write(scene.path("tree/a"), "abc").unwrap();
    let manifest = |name: &str, hash: &str| {
        let entry = format!("    - path: \"a\"\n      version: 0\n      hash: \"{hash}\"\n");
        let path = scene.text(name);
        fs::write(&path, format!("manifest:\n  entries:\n{entry}")).unwrap();
        path
    };
    let of_abc = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let sha256 = manifest("sha256", of_abc);
    let blake3 = manifest("blake3", &format!("blake3:{}", "0".repeat(64)));
    let diff = |one: &str, other: &str, options: &[&str]| {
        let output = atoll(&[&["meta", "diff", one, other], options].concat());
        let printed = String::from_utf8(output.stdout).unwrap();
        (printed, output.status.code())
    };
    let told = "a: hash: sha256 and blake3 cannot be compared\n".to_owned();
    assert_eq!(diff(&sha256, &blake3, &[]), (told, Some(1)));
    let (printed, _) = diff(&sha256, &blake3, &["--json"]);
    let object: serde_json::Value = serde_json::from_str(&printed).unwrap();
    let expected = serde_json::json!({ "aspect": "algorithm", "from": "sha256", "to": "blake3" });
    assert_eq!(object["aspects"], serde_json::json!([expected]));

    // A directory is read by the algorithm of the other side, whichever that is.
    for (one, other) in [(&sha256, &top), (&top, &sha256)] {
        let (printed, _) = diff(one, other, &[]);
        assert!(!printed.contains("a:"), "{printed}");
    }
    let (printed, code) = diff(&top, &blake3, &[]);
    assert!(printed.contains("a: hash blake3:6437"), "{printed}");
    assert_eq!(code, Some(1));
}

#[test]
fn what_diff_cannot_read_is_neither_there_nor_missing() {
    let scene = Scene::new();
    let (manifest, tree) = (scene.manifest(&[]), scene.text("tree"));
    let whole = scene.text("whole");
    let copied = Command::new("cp").args(["-a", &tree, &whole]).status();
    assert!(copied.unwrap().success());
    fs::remove_dir_all(scene.path("tree/papers")).unwrap();
    let made = Command::new("mkfifo")
        .arg(scene.path("tree/papers"))
        .status();
    assert!(made.unwrap().success());
    set_time(&scene.path("tree"), 1_000_000_000);
    for (one, other) in [
        (&manifest, &tree),
        (&tree, &manifest),
        (&whole, &tree),
        (&tree, &whole),
    ] {
        let output = atoll(&["meta", "diff", one, other]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), "");
        let expected = "left out papers: it is a named pipe\n\
                        atoll: 1 could not be read, 0 differ\n";
        assert_eq!((said.as_str(), output.status.code()), (expected, Some(1)));
    }
}

#[test]
fn a_document_is_written_through_a_link() {
    let scene = Scene::new();
    let (tree, target) = (scene.text("tree"), scene.path("target"));
    fs::write(&target, "").unwrap();
    let link = scene.text("link");
    symlink("target", &link).unwrap();
    printed(&["meta", "show", &tree, "--output", &link]);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(
        fs::read_to_string(&target)
            .unwrap()
            .starts_with("manifest:")
    );
    let inward = scene.text("inward");
    symlink(scene.path("tree/empty"), &inward).unwrap();
    let words = ["meta", "show", &tree, "--output", &inward];
    refused(&words, 2, "lies in the directory that it would describe");
    let nowhere = scene.text("nowhere");
    symlink("absent", &nowhere).unwrap();
    refused(
        &["meta", "show", &tree, "--output", &nowhere],
        1,
        "cannot write",
    );
    assert!(fs::symlink_metadata(&nowhere).unwrap().is_symlink());
}

#[test]
fn one_file_is_shown_by_itself() {
    let scene = Scene::new();
    let one = scene.text("tree/papers/one.txt");
    let text = printed(&["meta", "show", &one]);
    assert!(text.starts_with("file_metadata:\n  name: \"one.txt\"\n  version: 0\n"));
    assert!(text.contains("    owner: \"rw\"\n") && text.contains("  hash: \"blake3:"));
    assert!(!printed(&["meta", "show", &one, "--no-hash"]).contains("hash"));
    let json: serde_json::Value =
        serde_json::from_str(&printed(&["meta", "show", &one, "--json"])).unwrap();
    assert_eq!(
        (&json["name"], &json["mode"]),
        (&"one.txt".into(), &"0644".into())
    );
    assert_eq!(json["mtime"], "2001-09-09T01:46:40Z");
    let link = printed(&["meta", "show", &scene.text("tree/link")]);
    assert!(link.contains("  kind: \"symlink\"\n  target: \"papers/one.txt\"\n"));
    let binary = atoll(&["meta", "show", &one, "--binary"]).stdout;
    assert_eq!(
        fed(&["meta", "decode", "-"], &binary).stdout,
        text.as_bytes()
    );
    refused(&["meta", "show", &scene.text("absent")], 1, "cannot show");
    fs::write(scene.path("text"), text).unwrap();
    let words = ["meta", "verify", &scene.text("text"), &scene.text("tree")];
    refused(&words, 1, "describes single files");
}

/// A verdict does not depend on whether anybody can be told why.
#[test]
fn a_full_error_output_is_no_crash() {
    let scene = Scene::new();
    let full = fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let mut command = Command::new(binary());
    command
        .args(["meta", "check", &scene.text("absent")])
        .stderr(full);
    assert_eq!(command.status().unwrap().code(), Some(1));
}

#[test]
fn problems_are_told_at_their_place_and_nothing_is_done() {
    let scene = Scene::new();
    let bad = scene.text("bad.atollmeta");
    let text = "file_metadata:\n  name: photo.jpg\n  version: 1\n";
    fs::write(&bad, text).unwrap();
    let told = atoll(&["meta", "check", &bad, &scene.text("absent")]);
    let said = String::from_utf8(told.stderr).unwrap();
    assert_eq!((told.status.code(), told.stdout.len()), (Some(1), 0));
    let place = format!("--> {bad}:2:9\n");
    assert!(said.starts_with("error: text needs quotes\n") && said.contains(&place));
    assert!(said.contains("error: cannot read "), "{said}");
    assert!(
        said.ends_with("atoll: 2 problems in 2 of 2 files\n"),
        "{said}"
    );
    let json = atoll(&["meta", "check", "--json", &bad]).stdout;
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(
        (&json["code"], &json["line"]),
        (&"unquoted-text".into(), &2.into())
    );
    for command in [&["fmt"][..], &["encode"], &["diff", &bad]] {
        let words = [&["meta"], command, &[bad.as_str()]].concat();
        refused(&words, 1, "text needs quotes");
    }
    assert_eq!(fs::read_to_string(&bad).unwrap(), text);

    // What has no document in it, and what is none.
    for (bytes, said) in [
        (&b""[..], "has no document in it"),
        (b"# a comment\n---\n", "has no document in it"),
        (&[0; 4096], "neither a text nor the binary form"),
        (
            b"\x7fELF\x02\x01\x01\0",
            "neither a text nor the binary form",
        ),
    ] {
        fs::write(&bad, bytes).unwrap();
        refused(&["meta", "check", &bad], 1, said);
    }
    refused(&["meta", "check", "/dev/zero"], 1, "neither a text");
    fs::write(&bad, "").unwrap();
    refused(&["meta", "encode", &bad], 1, "has no document in it");
    let tree = scene.text("tree");
    refused(&["meta", "verify", &bad, &tree], 1, "has no document in it");
    for command in ["check", "fmt", "diff"] {
        refused(&["meta", command, "-", "-"], 2, "can be read once only");
    }
    let odd = scene.text("a\nb");
    fs::write(&odd, "x: [\n").unwrap();
    refused(&["meta", "check", &odd], 1, "a\\u000ab:1:4\n");

    // A manifest that is broken in its middle, as a text and as bytes.
    let manifest = scene.manifest(&[]);
    let broken = fs::read_to_string(&manifest).unwrap();
    fs::write(&bad, broken.replacen("mode: \"0600\"", "mode: 0600", 1)).unwrap();
    let (printed, code, last) = scene.verify(&bad, &[]);
    assert_eq!((printed.as_str(), code), ("", Some(1)));
    assert!(last.ends_with("bad.atollmeta has 1 problem"), "{last}");
    let mut bytes = atoll(&["meta", "encode", &manifest]).stdout;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&bad, bytes).unwrap();
    let (printed, code, last) = scene.verify(&bad, &[]);
    assert_eq!((printed.as_str(), code), ("", Some(1)));
    assert!(
        last.contains("bad.atollmeta cannot be understood: the checksum of"),
        "{last}"
    );
    refused(&["meta", "check", &bad], 1, "cannot be understood");
    refused(
        &["meta", "decode", &bad, "--output", &scene.text("out")],
        1,
        "cannot be understood",
    );
    assert!(!scene.path("out").exists());
}

#[test]
fn texts_are_brought_into_form_and_nothing_else_of_a_file_changes() {
    let scene = Scene::new();
    let file = scene.path("x.atollmeta");
    let text = "file_metadata:   # mine\n    name:   \"a\"\n    version: 01\n".replace("01", "1");
    fs::write(&file, &text).unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
    let link = scene.text("link.atollmeta");
    symlink(&file, &link).unwrap();
    let check = atoll(&["meta", "fmt", "--check", &link]);
    assert_eq!(check.status.code(), Some(1));
    assert_eq!(
        String::from_utf8(check.stdout).unwrap(),
        format!("{link}\n")
    );
    let check = atoll(&["meta", "fmt", "--check", "--json", &link]);
    assert_eq!(check.status.code(), Some(1));
    let object: serde_json::Value = serde_json::from_slice(&check.stdout).unwrap();
    let expected = serde_json::json!({ "file": link, "change": "format" });
    assert_eq!(object, expected);
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
    let formatted = "file_metadata: # mine\n  name: \"a\"\n  version: 1\n";
    let filtered = fed(&["meta", "fmt", "-"], text.as_bytes());
    assert_eq!(filtered.stdout, formatted.as_bytes());
    assert_eq!(printed(&["meta", "fmt", &link]), "");
    assert_eq!(fs::read_to_string(&file).unwrap(), formatted);
    assert_eq!(
        fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o640
    );
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(printed(&["meta", "fmt", "--check", &link]), "");

    // Only root can give a file to somebody else, and only then is there an owner to keep.
    if std::os::unix::fs::chown(&file, Some(1234), Some(1234)).is_ok() {
        fs::write(&file, &text).unwrap();
        assert_eq!(printed(&["meta", "fmt", &link]), "");
        let metadata = fs::metadata(&file).unwrap();
        assert_eq!((metadata.uid(), metadata.gid()), (1234, 1234));
        assert_eq!(fs::read_to_string(&file).unwrap(), formatted);
    }
    let nowhere = scene.text("nowhere/out");
    let words = ["meta", "decode", &link, "--output", &nowhere];
    refused(&words, 1, "is no binary form");
    let words = ["meta", "encode", &link, "--output", &nowhere];
    refused(&words, 1, "nowhere/out: its directory does not exist");
}

#[test]
fn differences_of_documents_are_told() {
    let scene = Scene::new();
    let write = |name: &str, text: &str| fs::write(scene.path(name), text).unwrap();
    let file = |name: &str, version: u32, rest: &str| {
        format!("file_metadata:\n  name: \"{name}\"\n  version: {version}\n{rest}")
    };
    write(
        "one",
        &format!(
            "{}---\n{}",
            file("a", 1, "  mode: \"0644\"\n"),
            file("b", 1, "")
        ),
    );
    write(
        "two",
        &format!(
            "{}---\n{}",
            file("c", 1, ""),
            file("a", 2, "  mode: \"0600\"\n")
        ),
    );
    let (one, two) = (scene.text("one"), scene.text("two"));
    let diff = |options: &[&str]| {
        let output = atoll(&[&["meta", "diff", &one, &two], options].concat());
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(diff(&[]), "a: mode 0644 -> 0600\n- b\n+ c\n");
    let versions = "a: mode 0644 -> 0600, version 1 -> 2\n- b\n+ c\n";
    assert_eq!(diff(&["--versions"]), versions);
    let first = diff(&["--json"]);
    let first: serde_json::Value = serde_json::from_str(first.lines().next().unwrap()).unwrap();
    let expected = serde_json::json!({ "aspect": "mode", "from": "0644", "to": "0600" });
    assert_eq!(first["aspects"], serde_json::json!([expected]));
    printed(&["meta", "encode", &two, "--output", &scene.text("binary")]);
    assert_eq!(printed(&["meta", "diff", &two, &scene.text("binary")]), "");
    write(
        "one",
        &format!("{}---\n{}", file("a", 1, ""), file("a", 2, "")),
    );
    refused(&["meta", "diff", &one, &two], 1, "describes \"a\" twice");
}

#[test]
fn bytes_go_to_no_terminal_and_no_manifest_into_its_directory() {
    let scene = Scene::new();
    let (tree, manifest) = (scene.text("tree"), scene.manifest(&["--binary"]));
    let inside = scene.text("tree/papers/manifest");
    let words = ["meta", "show", &tree, "--output", &inside];
    refused(&words, 2, "lies in the directory that it would describe");
    for style in ["--binary", "--zstd"] {
        let words = ["meta", "show", &tree, style, "--json"];
        refused(&words, 2, "cannot be used with");
    }

    let (_window, terminal) = terminal();
    let text = scene.text("text");
    printed(&["meta", "decode", &manifest, "--output", &text]);
    for words in [["show", &tree, "--binary"], ["encode", &text, "--zstd"]] {
        let mut command = Command::new(binary());
        command.arg("meta").args(words);
        command.stdout(terminal.try_clone().unwrap());
        let output = command
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
            .wait_with_output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("--output FILE"), "{said}");
    }
}

/// It ends a listing in peace; a verdict stays what it is.
#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let scene = Scene::new();
    let tree = scene.path("tree");
    for number in 0..1000 {
        fs::write(tree.join(format!("{number:04}")), number.to_string()).unwrap();
    }
    let words = ["meta", "show", &scene.text("tree")];
    let manifest = printed(&words);
    assert_eq!(manifest.matches("- path: ").count(), 1008);
    assert_eq!(
        printed(&["meta", "show", &scene.text("tree"), "--json"])
            .lines()
            .count(),
        1008
    );
    fs::write(scene.path("manifest"), &manifest).unwrap();
    for number in 0..1000 {
        fs::write(tree.join(format!("{number:04}")), "another").unwrap();
    }
    for (words, code) in [
        (&words[..], 0),
        (&["meta", "verify", &scene.text("manifest"), words[2]], 1),
    ] {
        let mut command = Command::new(binary());
        command
            .args(words)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut begun = [0; 9];
        child.stdout.take().unwrap().read_exact(&mut begun).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        assert!(output.stderr.is_empty(), "{output:?}");
    }
}

#[test]
fn a_synced_folder_knows_how_its_files_stand() {
    let scene = Scene::new();
    let node = Node::start(binary(), &scene.path("data"), &scene.path("node.log")).unwrap();
    let space = node.create_space("kept").unwrap();
    let (folder, tree) = (scene.path("tree"), scene.text("tree"));
    let synced = node.folder("first", &folder, &space, &scene.path("log"));
    synced.once(LIMIT).unwrap();
    fs::write(folder.join("empty"), "no more").unwrap();
    synced.once(LIMIT).unwrap();
    fs::write(folder.join("papers/one.txt"), "edited").unwrap();
    fs::write(folder.join("papers/three.txt"), "new").unwrap();
    let shown = printed(&["meta", "show", &tree, "--json"]);
    let stands: Vec<_> = shown
        .lines()
        .map(|line| {
            let entry: serde_json::Value = serde_json::from_str(line).unwrap();
            let state = &entry["sync_state"];
            let replica = &state["replicas"][0];
            format!(
                "{} {} {} {}",
                entry["path"].as_str().unwrap(),
                entry["version"],
                state["status"].as_str().unwrap(),
                replica["version"]
            )
        })
        .collect();
    let find = |path: &str| {
        let line = stands.iter().find(|line| line.starts_with(path));
        line.unwrap_or_else(|| panic!("{path}: {stands:?}"))
            .as_str()
    };
    assert_eq!(find("empty"), "empty 2 synced 2");
    assert_eq!(find("link"), "link 1 synced 1");
    assert_eq!(find("papers/old/two"), "papers/old/two.txt 1 synced 1");
    assert_eq!(find("papers/one"), "papers/one.txt 1 modified 1");
    assert_eq!(find("papers/three"), "papers/three.txt 0 modified null");
    assert!(!shown.contains(".atoll"), "{shown}");
    let one = printed(&["meta", "show", &scene.text("tree/papers/one.txt")]);
    assert!(one.contains("  version: 1\n") && one.contains("    status: \"modified\"\n"));
    // As the node calls itself, here and in what it tells by its interface.
    let marker = fs::read_to_string(folder.join(".atoll/marker.json")).unwrap();
    let marker: serde_json::Value = serde_json::from_str(&marker).unwrap();
    let replica = format!("      - node: {}\n", marker["node"]);
    assert!(one.contains(&replica), "{replica}{one}");
    let part = printed(&["meta", "show", &scene.text("tree/papers")]);
    // A part of the folder has no corner.
    assert!(part.starts_with("manifest:\n  entries:\n"), "{part}");
    assert!(part.contains("status: \"modified\""), "{part}");
    let manifest = scene.manifest(&[]);
    let text = fs::read_to_string(&manifest).unwrap();
    assert!(text.starts_with("manifest:\n  space: \"kept\"\n"), "{text}");
    assert_eq!(scene.verify(&manifest, &[]).1, Some(0));
    let small = scene.text("small");
    printed(&["meta", "encode", &manifest, "--output", &small]);
    assert_eq!(scene.verify(&small, &[]).1, Some(0));
    assert_eq!(printed(&["meta", "diff", &tree, &small]), "");
    let names = || {
        let names = fs::read_dir(folder.join(".atoll")).unwrap();
        let mut names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = names();
    printed(&["meta", "show", &tree]);
    assert_eq!(names(), before);

    // Without what its client knows the folder is still told of, and a warning says so.
    for state in [None, Some("no database at all")] {
        let path = folder.join(".atoll/state.db");
        fs::remove_file(&path).unwrap();
        fs::write(&path, state.unwrap_or_default()).unwrap();
        if state.is_none() {
            fs::remove_file(&path).unwrap();
        }
        let output = atoll(&["meta", "show", &tree]);
        let (text, said) = (
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        );
        assert!(output.status.success(), "{said}");
        assert!(text.starts_with("manifest:\n  space: \"kept\"\n"), "{text}");
        assert!(!text.contains("sync_state") && !text.contains(".atoll"));
        assert_eq!(said.matches("warning: ").count(), 1, "{said}");
        fs::write(&path, "").unwrap();
    }
}

/// Whether `line` is `pattern`, in which `…` stands for anything.
fn matches(pattern: &str, line: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('…') else {
        return pattern == line;
    };
    let Some(mut left) = line.strip_prefix(start) else {
        return false;
    };
    let mut parts: Vec<_> = rest.split('…').collect();
    let end = parts.pop().unwrap_or_default();
    for part in parts {
        let Some((_, behind)) = left.split_once(part) else {
            return false;
        };
        left = behind;
    }
    left.ends_with(end)
}

/// What the page shows is what happens.
#[test]
fn the_examples_of_the_pages_work() {
    try_examples(include_str!("../../../../docs/manifests.md"), 10);
    try_examples(include_str!("../../../../docs/metadata.md"), 6);
}

/// Runs what a page shows, at least so many commands, which must print what it shows.
fn try_examples(page: &str, least: usize) {
    let blocks = page.split("```console\n").skip(1);
    let lines = blocks.flat_map(|block| block.split("```").next().unwrap().lines());
    let top = tempfile::tempdir().unwrap();
    let mut printed: Vec<String> = Vec::new();
    let mut commands = 0;
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", binary().parent().unwrap().display());
    for shown in lines {
        let Some(command) = shown.strip_prefix("$ ") else {
            assert!(!printed.is_empty(), "not printed: {shown}");
            let line = printed.remove(0);
            assert!(matches(shown, &line), "{line}\nis not\n{shown}");
            continue;
        };
        assert!(printed.is_empty(), "not on the page: {printed:?}");
        let mut shell = Command::new("sh");
        shell
            .arg("-c")
            .arg(format!("umask 022; exec 2>&1; {command}"));
        let output = shell.env("PATH", &path).current_dir(&top).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        printed = text.lines().map(str::to_owned).collect();
        commands += 1;
    }
    assert!(printed.is_empty() && commands >= least, "{printed:?}");
}
