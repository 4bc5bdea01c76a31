//! The HTTP/1.1 core through its public interface.
//!
//! `observe` tells what a connection understood of some bytes, `oracle` whether hyper
//! understands them alike. The other files say what it must understand (`heads`,
//! `mistakes`, `splits`, `differential`), what it must write (`responses`), and in what
//! order (`lifecycle`, `model`).

mod differential;
mod heads;
mod lifecycle;
mod messages;
mod mistakes;
mod model;
mod observe;
mod oracle;
mod responses;
mod splits;
