//! Connections that leave HTTP: what a service then says on them, through our
//! engine and through hyper's.

use crate::serve::{Client, Server, field};
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use httpd::serve::{Closing, Settings, Switch, Timeouts, Tower, Upgrade, Upgraded};
use hyper_util::rt::TokioIo;
use std::io::Read;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower::ServiceExt;

const REQUEST: &str =
    "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: other, shout\r\n\r\n";

/// Speaks `shout`: lines come back in capitals, and a server that ends says so.
async fn shout(request: Request) -> Response {
    let (parts, body) = request.into_parts();
    if axum::body::to_bytes(body, 100).await.is_err() {
        return StatusCode::BAD_REQUEST.into_response();
    }
    let Some(upgrade) = parts.extensions.get::<Upgrade>() else {
        return (StatusCode::UPGRADE_REQUIRED, "speak shout").into_response();
    };
    let mut fields = HeaderMap::new();
    fields.insert(header::UPGRADE, HeaderValue::from_static("shout"));
    upgrade
        .clone()
        .accept(fields, |mut connection: Upgraded| async move {
            let mut closing = connection.closing();
            let mut buffer = [0; 100];
            loop {
                let read = tokio::select! {
                    read = connection.read(&mut buffer) => read,
                    () = closing.told() => return drop(connection.write_all(b"BYE").await),
                };
                let Ok(length @ 1..) = read else {
                    return;
                };
                buffer[..length].make_ascii_uppercase();
                if connection.write_all(&buffer[..length]).await.is_err() {
                    return;
                }
            }
        })
}

fn router() -> Router {
    Router::new().route("/", any(shout))
}

fn server(timeouts: Timeouts) -> Server {
    let settings = Settings {
        timeouts,
        ..Settings::default()
    };
    Server::start(settings, || Tower::new(router()))
}

/// A connection that speaks `shout`.
fn switched(server: &Server) -> Client {
    let mut client = server.connect();
    client.send(REQUEST);
    let (status, fields) = client.receive_head();
    assert_eq!(status, "HTTP/1.1 101 Switching Protocols");
    assert_eq!(field(&fields, "upgrade"), Some("shout"));
    assert_eq!(field(&fields, "connection"), Some("upgrade"));
    client
}

#[track_caller]
fn check_shouts(client: &mut Client) {
    client.send("GET / HTTP/1.1\r\n\r\n");
    let mut answer = [0; 18];
    client.0.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"GET / HTTP/1.1\r\n\r\n");
    client.send("hello");
    let mut answer = [0; 5];
    client.0.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HELLO");
}

#[test]
fn behind_the_101_there_is_no_http() {
    let server = server(Timeouts::default());
    let mut client = switched(&server);
    check_shouts(&mut client);
    client
        .0
        .get_ref()
        .shutdown(std::net::Shutdown::Write)
        .unwrap();
    assert_eq!(client.rest(), b"");
}

#[test]
fn content_is_read_before_the_switch() {
    let server = server(Timeouts::default());
    let request = REQUEST.replace("\r\n\r\n", "\r\nContent-Length: 3\r\n\r\nabc");
    let mut client = server.connect();
    client.send(&request);
    assert_eq!(client.receive_head().0, "HTTP/1.1 101 Switching Protocols");
    check_shouts(&mut client);

    let mut client = server.connect();
    client.send(request + "early");
    assert_eq!(client.receive().0, "HTTP/1.1 400 Bad Request");
}

#[test]
fn what_comes_before_the_101_is_neither_http_nor_the_other_protocol() {
    let server = server(Timeouts::default());
    for early in ["hello", REQUEST, "\0"] {
        let mut client = server.connect();
        client.send(format!("{REQUEST}{early}"));
        let (status, fields, _) = client.receive();
        assert_eq!(status, "HTTP/1.1 400 Bad Request");
        assert_eq!(field(&fields, "connection"), Some("close"));
        assert_eq!(client.rest(), b"");
    }
}

#[test]
fn an_offer_that_is_none_is_answered_in_http() {
    let server = server(Timeouts::default());
    for request in [
        "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: shout\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\n\r\n",
        "GET / HTTP/1.0\r\nConnection: upgrade, keep-alive\r\nUpgrade: shout\r\n\r\n",
    ] {
        let mut client = server.connect();
        client.send(request);
        assert_eq!(client.receive().0, "HTTP/1.1 426 Upgrade Required");
        client.send(REQUEST);
        assert_eq!(client.receive_head().0, "HTTP/1.1 101 Switching Protocols");
    }
}

#[test]
fn a_server_that_ends_lets_them_say_goodbye() {
    let mut server = server(Timeouts::default());
    let mut client = switched(&server);
    check_shouts(&mut client);
    server.stop();
    assert_eq!(client.rest(), b"BYE");
    server.join();
}

/// Whatever the service does with it.
#[test]
fn a_connection_that_does_not_end_is_ended() {
    async fn hold(request: Request) -> Response {
        let upgrade = request.extensions().get::<Upgrade>().cloned().unwrap();
        let mut fields = HeaderMap::new();
        fields.insert(header::UPGRADE, HeaderValue::from_static("shout"));
        upgrade.accept(fields, |connection| async move {
            std::future::pending::<()>().await;
            drop(connection);
        })
    }
    let start = |timeouts| {
        let settings = Settings {
            timeouts,
            ..Settings::default()
        };
        Server::start(settings, || Tower::new(Router::new().route("/", any(hold))))
    };
    let mut impatient = start(Timeouts {
        farewell: Duration::ZERO,
        ..Timeouts::default()
    });
    let mut client = switched(&impatient);
    impatient.stop();
    assert_eq!(client.rest(), b"");
    impatient.join();

    let silent = start(Timeouts {
        silence: Duration::from_millis(1),
        ..Timeouts::default()
    });
    assert_eq!(switched(&silent).rest(), b"");
}

/// The same handler, and hyper instead of our engine.
#[test]
fn another_engine_can_switch_as_well() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    let client = std::thread::spawn(move || {
        let stream = std::net::TcpStream::connect(address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        let mut client = Client(std::io::BufReader::new(stream));
        client.send(REQUEST);
        assert_eq!(client.receive_head().0, "HTTP/1.1 101 Switching Protocols");
        check_shouts(&mut client);
    });
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let service = hyper::service::service_fn(through_hyper);
        hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades()
            .await
            .unwrap();
        tokio::task::spawn_blocking(|| client.join())
            .await
            .unwrap()
            .unwrap();
    });
}

async fn through_hyper(
    mut request: http::Request<hyper::body::Incoming>,
) -> Result<Response, std::convert::Infallible> {
    let upgraded = hyper::upgrade::on(&mut request);
    request.extensions_mut().insert(Upgrade::offered());
    let mut response = router().oneshot(request.map(Body::new)).await?;
    if let Some(talk) = Switch::take(response.extensions_mut()) {
        // hyper wants what ours adds.
        let option = HeaderValue::from_static("upgrade");
        response.headers_mut().insert(header::CONNECTION, option);
        tokio::spawn(async move {
            let (_closer, closing) = Closing::pair();
            let stream = TokioIo::new(upgraded.await.unwrap());
            talk(Upgraded::new(stream, closing)).await;
        });
    }
    Ok(response)
}
