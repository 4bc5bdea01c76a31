//! A program that serves by itself, without workers: it hears the signals that a
//! master hears, and another program can take over from it in the same way.

use super::orders::{Order, Orders};
use super::successor::{Predecessor, Successor, tell_awaited, tell_too_late};
use crate::models::activation::{Notice, notify};
use crate::models::event_loop::event_loop;
use std::future::{Future, pending};
use std::io;
use std::net::TcpListener;
use std::pin::pin;
use std::process::Command;
use std::time::{Duration, Instant};
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
            let mut ending = Ending::default();
            loop {
                let event = tokio::select! {
                    order = orders.next() => Event::Told(order),
                    serves = heard(heir.as_ref()) => Event::Succeeded(serves),
                    () = &mut ended => Event::Ended,
                };
                match event {
                    Event::Ended => return Ok(()),
                    Event::Told(Order::Stop) if ending.is_urged() => return Err(cut_off()),
                    Event::Told(Order::Stop) => {
                        notify(Notice::Stopping);
                        // One that does not serve yet would go on without anybody.
                        heir.take().into_iter().for_each(Successor::end);
                        ending.begin();
                    }
                    Event::Told(Order::Reload) => reload(service),
                    Event::Told(Order::ReopenLogs) => service.reopen_logs(),
                    Event::Told(Order::Upgrade) if ending.has_begun() => tell_too_late(),
                    Event::Told(Order::Upgrade) if heir.is_some() => tell_awaited(),
                    Event::Told(Order::Upgrade) => {
                        match Successor::start(successor(), &listeners) {
                            Ok(started) => heir = Some(started),
                            Err(error) => tracing::error!("no program takes over: {error}"),
                        }
                    }
                    Event::Succeeded(serves) => {
                        if serves {
                            ending.begin();
                        }
                        settle(heir.take(), serves);
                    }
                }
                if ending.has_begun() && !listeners.is_empty() {
                    // Nobody may come to wait now, unless another program listens.
                    listeners.clear();
                    service.drain();
                }
            }
        })
    }
}

/// Whether, and since when, a program ends.
#[derive(Debug, Default)]
pub(super) struct Ending(Option<Instant>);

/// A second order within this time is the first one again: terminals, `timeout` and
/// service managers send it to a process and to its group.
const SAME_ORDER: Duration = Duration::from_millis(500);

impl Ending {
    pub(super) fn begin(&mut self) {
        self.0.get_or_insert_with(Instant::now);
    }

    pub(super) fn has_begun(&self) -> bool {
        self.0.is_some()
    }

    /// Whether being told to end again means to end at once.
    pub(super) fn is_urged(&self) -> bool {
        self.0.is_some_and(|since| since.elapsed() > SAME_ORDER)
    }
}

/// What becomes of the program that was to take over.
fn settle(heir: Option<Successor>, serves: bool) {
    let Some(heir) = heir else {
        return;
    };
    if serves {
        notify(Notice::MainProcess(heir.child.id()));
        return;
    }
    tracing::error!("the program that should take over ended; this one stays");
    // It has ended, or speaks another language.
    heir.end();
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
