//! Clients that leave, or seem to, while a service is at work for them.

use super::serve::{Client, Server};
use axum::Router;
use axum::routing::get;
use httpd::serve::{Settings, Tower};
use rustix::net::sockopt::set_socket_linger;
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;
use tokio::sync::Notify;

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// Only against a test that would hang.
const HANG: Duration = Duration::from_secs(30);

/// Says that the service is at work no more.
struct Work(Sender<&'static str>);

impl Drop for Work {
    fn drop(&mut self) {
        // The test may be over.
        let _ = self.0.send("ended");
    }
}

/// A server whose service tells when it begins and ends, and does not end before it is
/// released, unless it is dropped.
struct Scene {
    server: Server,
    told: Receiver<&'static str>,
    release: Arc<Notify>,
}

impl Scene {
    fn new(leaves_with_client: bool) -> Self {
        let (tell, told) = channel();
        let release = Arc::new(Notify::new());
        let released = Arc::clone(&release);
        let settings = Settings {
            leaves_with_client,
            ..Settings::default()
        };
        let server = Server::start(settings, move || {
            let service = move || {
                let (tell, released) = (tell.clone(), Arc::clone(&released));
                async move {
                    tell.send("begun").unwrap();
                    let _work = Work(tell);
                    released.notified().await;
                    "done"
                }
            };
            Tower::new(Router::new().route("/", get(service)))
        });
        Self {
            server,
            told,
            release,
        }
    }

    /// A client for which the service has begun.
    fn client(&self, requests: &str) -> Client {
        let mut client = self.server.connect();
        client.send(requests);
        self.expect("begun");
        client
    }

    fn expect(&self, word: &str) {
        assert_eq!(self.told.recv_timeout(HANG).unwrap(), word);
    }
}

#[test]
fn a_service_ends_when_its_client_has_left() {
    let scene = Scene::new(true);
    drop(scene.client(GET));
    scene.expect("ended");
    let reset = scene.client(GET);
    set_socket_linger(reset.0.get_ref(), Some(Duration::ZERO)).unwrap();
    drop(reset);
    scene.expect("ended");
}

#[test]
fn a_client_that_has_more_to_say_has_not_left() {
    let scene = Scene::new(true);
    let mut client = scene.client(GET);
    client.send(GET);
    for next in [true, false] {
        scene.release.notify_one();
        scene.expect("ended");
        assert_eq!(client.receive().2, b"done");
        if next {
            scene.expect("begun");
        }
    }
}

#[test]
fn a_client_that_only_says_no_more_is_answered_where_services_stay() {
    let scene = Scene::new(false);
    let mut client = scene.client(GET);
    client.0.get_ref().shutdown(Shutdown::Write).unwrap();
    scene.release.notify_one();
    assert_eq!(client.receive().2, b"done");
}
