//! A web server: the HTTP/1.1 core and everything that serves with it.
//!
//! It never names the product. The package is called `httpd` because `http` is
//! the name of the types crate that everyone shares.
//!
//! Read on in [`h1`] (the protocol, without sockets), [`files`] (what a file
//! becomes as an answer), [`websocket`] (messages once a connection has left HTTP),
//! [`limit`] (how often a client may ask), [`log`] (what is written about it),
//! [`yaml`] (how all of that is told) and [`load`] (the other side: many clients, and how
//! long they wait).

pub mod date;
pub mod echo;
pub mod files;
pub mod h1;
mod json;
pub mod limit;
pub mod load;
pub mod log;
pub mod models;
mod recent;
pub mod serve;
pub mod tls;
pub mod web;
pub mod websocket;
pub mod yaml;
