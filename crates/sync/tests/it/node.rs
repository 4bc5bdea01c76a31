//! A node that says what a test has it say: HTTP/1.1 on loopback, one request to
//! a connection.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A request that came.
pub struct Asked {
    /// Path and query.
    pub what: String,
    pub body: Vec<u8>,
}

/// What is answered.
pub enum Said {
    Whole(Vec<u8>),
    /// The connection ends before all of it was sent.
    BrokenOff(Vec<u8>),
    Internal,
}

/// A node that answers every request by `script`. Its thread ends with the test's
/// process.
pub struct Scripted {
    pub address: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    pub fn start(script: impl Fn(&Asked) -> Said + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&asked);
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let mut connection = connection.unwrap();
                let request = read_request(&connection);
                noted.lock().unwrap().push(request.what.clone());
                answer(&mut connection, script(&request));
            }
        });
        Self { address, asked }
    }

    /// What was asked so far.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn read_request(connection: &TcpStream) -> Asked {
    let mut reader = BufReader::new(connection);
    let (mut what, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if what.is_empty() {
            line.split(' ').nth(1).unwrap().clone_into(&mut what);
        } else if let Some(told) = line.to_lowercase().strip_prefix("content-length:") {
            length = told.trim().parse().unwrap();
        } else if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    Asked { what, body }
}

fn answer(connection: &mut TcpStream, said: Said) {
    let (status, kind, length, body) = match said {
        Said::Whole(body) => ("200 OK", "application/octet-stream", body.len(), body),
        Said::BrokenOff(body) => ("200 OK", "application/octet-stream", body.len() + 1, body),
        Said::Internal => {
            let problem = br#"{"type":"urn:atoll:problem:internal","detail":"damaged"}"#;
            let status = "500 Internal Server Error";
            (
                status,
                "application/problem+json",
                problem.len(),
                problem.to_vec(),
            )
        }
    };
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
    );
    connection.write_all(head.as_bytes()).unwrap();
    connection.write_all(&body).unwrap();
}
