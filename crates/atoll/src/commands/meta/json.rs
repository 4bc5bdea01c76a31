//! Entries as JSON objects, with the keys of their texts.

use meta::manifest::Entry;
use meta::{FileMetadata, Record, RecordKind, SyncState};
use serde_json::{Map, Value, json};

/// An entry of a manifest.
pub fn entry(entry: &Entry) -> Value {
    described("path", entry.path.as_str(), &entry.record)
}

/// A file's document.
pub fn file(file: &FileMetadata) -> Value {
    described("name", file.name.as_str(), &file.record)
}

fn described(key: &str, place: &str, record: &Record) -> Value {
    let mut object = Map::new();
    let mut put = |key: &str, value: Value| drop(object.insert(key.to_owned(), value));
    put(key, json!(place));
    put("version", json!(record.version));
    put("kind", json!(record.kind.as_str()));
    match &record.kind {
        RecordKind::File { size, hash, .. } => {
            if let Some(size) = size {
                put("size", json!(size));
            }
            if let Some(hash) = hash {
                put("hash", json!(hash.to_string()));
            }
        }
        RecordKind::Symlink(target) => put("target", json!(target.as_str())),
        RecordKind::Directory { .. } => {}
    }
    if let Some(mode) = record.mode() {
        put("mode", json!(format!("{:04o}", mode.bits())));
    }
    if let Some(mtime) = record.mtime {
        put("mtime", json!(mtime.to_string()));
    }
    if let Some(state) = &record.sync_state {
        put("sync_state", sync_state(state));
    }
    if !record.attributes.is_empty() {
        let attributes = record.attributes.iter();
        let attributes = attributes.map(|(name, value)| (name.to_owned(), attribute(value)));
        put("attributes", Value::Object(attributes.collect()));
    }
    if !record.unrecognized.is_empty() {
        put("unrecognized", json!(base::hex(&record.unrecognized)));
    }
    Value::Object(object)
}

fn sync_state(state: &SyncState) -> Value {
    let replicas = state.replicas.iter();
    let replicas = replicas.map(|it| json!({ "node": it.node.as_str(), "version": it.version }));
    let mut object = json!({
        "status": state.status.as_str(),
        "replicas": replicas.collect::<Vec<_>>(),
    });
    if let Some(time) = state.last_modified {
        object["last_modified"] = json!(time.to_string());
    }
    object
}

/// Bytes that are text are shown as such.
fn attribute(value: &[u8]) -> Value {
    match std::str::from_utf8(value) {
        Ok(text) => json!(text),
        Err(_) => json!({ "hex": base::hex(value) }),
    }
}
