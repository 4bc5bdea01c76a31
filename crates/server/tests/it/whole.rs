//! A whole server on a port of its own: its folders, its lock, its end.

use axum::body::Bytes;
use base::{SystemClock, SystemRandom};
use serde_json::{Value, json};
use server::Server;
use server::config::Source;
use server::node::{DirectoryError, Node, NodeError, Settings, SnapshotPolicy};
use server::security::Security;
use std::path::Path;
use std::sync::Arc;
use sync::wire::{Decoder, Frame, MEDIA_TYPE};

fn settings(data: &Path) -> Settings {
    Settings {
        data: data.to_owned(),
        name: None,
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
        snapshots: SnapshotPolicy::default(),
        metrics: Default::default(),
        live_copy: false,
    }
}

fn start(data: &Path) -> Server {
    let listen = "127.0.0.1:0".parse().unwrap();
    Server::start(
        &settings(data),
        listen,
        Security::default(),
        Source::new(None, data),
    )
    .unwrap()
}

fn bearer(server: &Server) -> String {
    format!("Bearer {}", server.node().admin_token())
}

fn add_folder(server: &Server, folder: &Path) -> Value {
    let body = json!({ "path": folder }).to_string();
    let mut response = ureq::post(format!("{}/api/folders", server.address().url()))
        .header("authorization", bearer(server))
        .header("content-type", "application/json")
        .send(body)
        .unwrap();
    serde_json::from_str(&response.body_mut().read_to_string().unwrap()).unwrap()
}

/// Follows the feed until an item of that name comes.
fn await_name(server: &Server, space: &str, name: &str) {
    let url = format!(
        "{}/api/changes?space={space}&follow=1",
        server.address().url()
    );
    let response = ureq::get(url)
        .header("authorization", bearer(server))
        .header("accept", MEDIA_TYPE)
        .call()
        .unwrap();
    let mut reader = response.into_body().into_reader();
    let (mut decoder, mut buffer) = (Decoder::new(), [0; 4096]);
    loop {
        while let Some(frame) = decoder.next_frame().unwrap() {
            if let Frame::Version(bytes) = frame
                && state::Version::decode(&bytes).unwrap().name.as_str() == name
            {
                return;
            }
        }
        let read = std::io::Read::read(&mut reader, &mut buffer).unwrap();
        assert_ne!(read, 0, "the feed ended before `{name}` came");
        decoder.push(Bytes::copy_from_slice(&buffer[..read]));
    }
}

#[test]
fn a_folder_is_shared_and_remembered() {
    let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let shared = folder.path().join("My Files");
    std::fs::create_dir(&shared).unwrap();
    std::fs::write(shared.join("first"), "1").unwrap();
    {
        let server = start(data.path());
        let added = add_folder(&server, &shared);
        assert_eq!(added["space"]["slug"], "my-files");
        assert_eq!(
            add_folder(&server, &shared),
            added,
            "adding it again changes nothing"
        );
        await_name(&server, "my-files", "first");
        let second = Node::open(&settings(data.path())).map(drop);
        let locked = matches!(second, Err(NodeError::Directory(DirectoryError::Locked(_))));
        assert!(locked, "{second:?}");
        server.stop();
    }
    assert!(!data.path().join("address").exists());
    std::fs::write(shared.join("second"), "2").unwrap();
    let server = start(data.path());
    await_name(&server, "my-files", "second");
    server.stop();
}

#[test]
fn an_open_feed_does_not_hold_up_the_end() {
    let data = tempfile::tempdir().unwrap();
    let server = start(data.path());
    let body = json!({ "slug": "s" }).to_string();
    ureq::post(format!("{}/api/spaces", server.address().url()))
        .header("authorization", bearer(&server))
        .header("content-type", "application/json")
        .send(body)
        .unwrap();
    let response = ureq::get(format!(
        "{}/api/changes?space=s&follow=1",
        server.address().url()
    ))
    .header("authorization", bearer(&server))
    .header("accept", MEDIA_TYPE)
    .call()
    .unwrap();
    server.stop();
    // The head came before the end; what is left of the body ends with it.
    let mut rest = Vec::new();
    let _ = std::io::Read::read_to_end(&mut response.into_body().into_reader(), &mut rest);
}

#[test]
fn a_refused_upload_gets_its_answer() {
    use std::io::{Read, Write};
    let data = tempfile::tempdir().unwrap();
    let server = start(data.path());
    let mut socket = std::net::TcpStream::connect(server.endpoint().address).unwrap();
    let length = 32 << 20;
    let head = format!(
        "POST /api/file/upload?space=s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
         Authorization: Bearer wrong\r\nContent-Length: {length}\r\n\r\n"
    );
    socket.write_all(head.as_bytes()).unwrap();
    // More than any socket's buffers hold: someone has to read it.
    socket.write_all(&vec![0; length]).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    assert!(
        answer.contains("urn:atoll:problem:unauthorized"),
        "{answer}"
    );

    // One that waits to be invited is refused without being invited.
    let mut socket = std::net::TcpStream::connect(server.endpoint().address).unwrap();
    let head = head.replace("Connection", "Expect: 100-continue\r\nConnection");
    socket.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    server.stop();
}
