//! A program that serves by itself, without workers: it hears the signals that a
//! master hears, and another program can take over from it in the same way.

use super::orders::{Order, Orders};
use super::successor::{Predecessor, Successor};
use crate::models::activation::{Notice, notify};
use crate::models::event_loop::event_loop;
use std::future::{Future, pending};
use std::io;
use std::net::TcpListener;
use std::pin::pin;
use std::process::Command;
use tokio::runtime::LocalRuntime;

/// What serves, as signals see it.
pub trait Service {
    /// Reads the configuration anew; what is wrong with it changes nothing.
    ///
    /// # Errors
    /// What is wrong.
    fn reload(&mut self) -> Result<(), String>;

    /// Opens logs again.
    fn reopen_logs(&mut self);

    /// Begins to end, as [`Drain`](crate::models::Drain) says.
    fn drain(&mut self);

    /// Ends when it serves no more.
    fn ended(&self) -> impl Future<Output = ()> + 'static;
}

/// This process, before it serves; signals are heard from now on.
pub struct Alone {
    runtime: LocalRuntime,
    orders: Orders,
    predecessor: Option<Predecessor>,
}

/// What happened.
enum Event {
    Told(Order),
    /// Whether the program that takes over serves.
    Succeeded(bool),
    Ended,
}

impl Alone {
    pub(super) fn new(predecessor: Option<Predecessor>) -> io::Result<Self> {
        let runtime = event_loop()?;
        let orders = {
            let _inside = runtime.enter();
            Orders::new()?
        };
        Ok(Self {
            runtime,
            orders,
            predecessor,
        })
    }

    /// Does what signals ask of `service`, which serves already, until it has ended.
    /// What takes over is started by `successor` and given `listeners`.
    ///
    /// # Errors
    /// It was told to end twice, and connections may be open still.
    pub fn run(
        mut self,
        service: &mut impl Service,
        mut listeners: Vec<TcpListener>,
        successor: impl Fn() -> Command,
    ) -> io::Result<()> {
        notify(Notice::Ready);
        if let Some(predecessor) = self.predecessor.take() {
            predecessor.tell();
        }
        let Self {
            runtime,
            mut orders,
            ..
        } = self;
        runtime.block_on(async {
            let mut ended = pin!(service.ended());
            let mut heir: Option<Successor> = None;
            let mut is_ending = false;
            loop {
                let event = tokio::select! {
                    order = orders.next() => Event::Told(order),
                    serves = heard(heir.as_ref()) => Event::Succeeded(serves),
                    () = &mut ended => Event::Ended,
                };
                match event {
                    Event::Ended => return Ok(()),
                    Event::Told(Order::Stop) if is_ending => return Err(cut_off()),
                    Event::Told(Order::Stop) => {
                        notify(Notice::Stopping);
                        is_ending = true;
                    }
                    Event::Told(Order::Reload) => reload(service),
                    Event::Told(Order::ReopenLogs) => service.reopen_logs(),
                    Event::Told(Order::Upgrade) if is_ending || heir.is_some() => {}
                    Event::Told(Order::Upgrade) => {
                        match Successor::start(successor(), &listeners) {
                            Ok(started) => heir = Some(started),
                            Err(error) => tracing::error!("no program takes over: {error}"),
                        }
                    }
                    Event::Succeeded(serves) => {
                        is_ending |= serves;
                        settle(heir.take(), serves);
                    }
                }
                if is_ending && !listeners.is_empty() {
                    // Nobody may come to wait now, unless another program listens.
                    listeners.clear();
                    service.drain();
                }
            }
        })
    }
}

/// What becomes of the program that was to take over.
fn settle(heir: Option<Successor>, serves: bool) {
    let Some(mut heir) = heir else {
        return;
    };
    if serves {
        notify(Notice::MainProcess(heir.child.id()));
        return;
    }
    tracing::error!("the program that should take over ended; this one stays");
    // It has ended, or speaks another language.
    let _ = heir.child.kill();
    let _ = heir.child.wait();
}

/// Never, if there is none.
async fn heard(heir: Option<&Successor>) -> bool {
    match heir {
        Some(heir) => heir.line.serves().await,
        None => pending().await,
    }
}

fn reload(service: &mut impl Service) {
    notify(Notice::Reloading);
    match service.reload() {
        Ok(()) => tracing::info!("the configuration has been read anew"),
        Err(fault) => tracing::error!("the former configuration stays: {fault}"),
    }
    notify(Notice::Ready);
}

pub(super) fn cut_off() -> io::Error {
    io::Error::new(
        io::ErrorKind::Interrupted,
        "connections were cut off: it was told to end twice",
    )
}
