//! Servers to be measured beside this crate's: `rivals NAME ADDR FILE`.
//!
//! Each runs on one thread and answers from memory, the way its own documentation
//! would have it. `hyper` answers every target with the bytes of FILE; `axum` and
//! `tower` serve one and the same router, the first by `axum::serve`, the second by
//! this crate. What is asked of them and what their figures mean is the benchmark's.

use axum::Router;
use axum::extract::Path;
use axum::routing::get;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Request, Response};
use http_body_util::Full;
use httpd::models::events;
use httpd::serve::{Settings, Tower};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::error::Error;
use std::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, address, file] = arguments.as_slice() else {
        return Err("usage: rivals hyper|axum|tower ADDR FILE".into());
    };
    let listener = TcpListener::bind(address)?;
    match name.as_str() {
        "hyper" => hyper(listener, &Bytes::from(std::fs::read(file)?)),
        "axum" => axum(listener),
        "tower" => tower(listener),
        _ => Err(format!("no rival is called {name}").into()),
    }
}

/// hyper's connection on one event loop.
fn hyper(listener: TcpListener, content: &Bytes) -> Result<(), Box<dyn Error>> {
    let local = tokio::task::LocalSet::new();
    local.block_on(&one_loop()?, async {
        let listener = register(listener)?;
        let mut builder = http1::Builder::new();
        // All answers of one read in one write, as its pipelining is meant.
        builder.pipeline_flush(true);
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let content = content.clone();
            let service = service_fn(move |_: Request<Incoming>| {
                let mut response = Response::new(Full::new(content.clone()));
                let text = HeaderValue::from_static("text/plain; charset=utf-8");
                response.headers_mut().insert(CONTENT_TYPE, text);
                async move { Ok::<_, Infallible>(response) }
            });
            let connection = builder.serve_connection(TokioIo::new(stream), service);
            tokio::task::spawn_local(async move {
                // A client that leaves in between is no news.
                let _ = connection.await;
            });
        }
    })
}

fn axum(listener: TcpListener) -> Result<(), Box<dyn Error>> {
    one_loop()?.block_on(async { Ok(axum::serve(register(listener)?, router()).await?) })
}

fn tower(listener: TcpListener) -> Result<(), Box<dyn Error>> {
    let handler = Tower::new(router());
    let forever = std::future::pending();
    Ok(events::run(
        listener,
        handler,
        Settings::default(),
        forever,
    )?)
}

/// A small dynamic route: one extractor, one short text.
fn router() -> Router {
    let hello = |Path(name): Path<String>| async move { format!("hello {name}\n") };
    Router::new().route("/hello/{name}", get(hello))
}

fn one_loop() -> std::io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

fn register(listener: TcpListener) -> std::io::Result<tokio::net::TcpListener> {
    listener.set_nonblocking(true)?;
    tokio::net::TcpListener::from_std(listener)
}
