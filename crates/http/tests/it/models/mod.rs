//! The concurrency models over real sockets: who is served, and how serving ends.

mod echo;
mod processes;
mod turns;

use httpd::models::{Drain, Patience, Protocol, Strategy, events, listeners, sequential, threads};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;

/// Only against a test that would hang.
const PATIENCE: Duration = Duration::from_secs(30);

/// Short, so that tests that wait for it are.
const SHORT: Patience = Patience {
    share: Duration::from_millis(20),
    drain: Drain {
        grace: Duration::from_millis(50),
        deadline: PATIENCE,
    },
};

/// A way to serve.
#[derive(Clone, Copy, Debug)]
enum Model {
    Sequential,
    Threads { workers: usize, queue: usize },
    Events { workers: usize, strategy: Strategy },
}

const MODELS: [Model; 5] = [
    Model::Sequential,
    Model::Threads {
        workers: 3,
        queue: 64,
    },
    Model::Events {
        workers: 3,
        strategy: Strategy::PerSlot,
    },
    Model::Events {
        workers: 3,
        strategy: Strategy::Shared,
    },
    Model::Events {
        workers: 3,
        strategy: Strategy::LeastLoaded,
    },
];

impl Model {
    fn workers(self) -> usize {
        match self {
            Self::Sequential => 1,
            Self::Threads { workers, .. } | Self::Events { workers, .. } => workers,
        }
    }

    /// Serves on threads of its own.
    fn start<P: Protocol>(
        self,
        make: impl Fn(usize) -> io::Result<Rc<P>> + Send + Sync + 'static,
    ) -> Running {
        self.start_until(PATIENCE, make)
    }

    /// The same, with so much time to end.
    fn start_until<P: Protocol>(
        self,
        deadline: Duration,
        make: impl Fn(usize) -> io::Result<Rc<P>> + Send + Sync + 'static,
    ) -> Running {
        self.listen().start_until(self, deadline, make)
    }

    /// Where its clients may connect, though nobody serves them yet.
    fn listen(self) -> Listening {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let count = match self {
            Self::Sequential | Self::Threads { .. } => 1,
            Self::Events { workers, strategy } => strategy.listeners(workers),
        };
        Listening(listeners(any, count).unwrap())
    }
}

/// A server before it begins.
struct Listening(Vec<TcpListener>);

impl Listening {
    fn address(&self) -> SocketAddr {
        self.0[0].local_addr().unwrap()
    }

    fn connect(&self) -> TcpStream {
        connect(self.address())
    }

    fn start_until<P: Protocol>(
        self,
        model: Model,
        deadline: Duration,
        make: impl Fn(usize) -> io::Result<Rc<P>> + Send + Sync + 'static,
    ) -> Running {
        let (stop, stopped) = oneshot::channel();
        let mut running = self.run(model, deadline, make, stopped);
        running.stop = Some(stop);
        running
    }

    /// Begins to end before it begins to serve.
    fn start_stopped<P: Protocol>(
        self,
        model: Model,
        make: impl Fn(usize) -> io::Result<Rc<P>> + Send + Sync + 'static,
    ) -> Running {
        let (_, stopped) = oneshot::channel();
        self.run(model, PATIENCE, make, stopped)
    }

    fn run<P: Protocol>(
        self,
        model: Model,
        deadline: Duration,
        make: impl Fn(usize) -> io::Result<Rc<P>> + Send + Sync + 'static,
        stopped: oneshot::Receiver<()>,
    ) -> Running {
        let mut patience = SHORT;
        patience.drain.deadline = deadline;
        let address = self.address();
        let listeners = self.0;
        let stopped = async move { drop(stopped.await) };
        let thread = std::thread::spawn(move || match model {
            Model::Sequential => sequential::run(listeners, make, patience, stopped),
            Model::Threads { workers, queue } => {
                let settings = threads::Settings {
                    workers,
                    queue,
                    patience,
                };
                threads::run(listeners, make, settings, stopped)
            }
            Model::Events { workers, strategy } => {
                let settings = events::Settings {
                    strategy,
                    drain: patience.drain,
                };
                events::run_all(listeners, workers, make, settings, stopped)
            }
        });
        Running {
            address,
            stop: None,
            thread: Some(thread),
        }
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// A server that ends with the test.
struct Running {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Running {
    fn connect(&self) -> TcpStream {
        connect(self.address)
    }

    /// Begins to end.
    fn stop(&mut self) {
        drop(self.stop.take());
    }

    /// Waits for the end.
    fn join(&mut self) -> io::Result<()> {
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Sends `text` and expects it back.
fn echo(stream: &mut TcpStream, text: &str) {
    stream.write_all(text.as_bytes()).unwrap();
    assert_eq!(receive(stream, text.len()), text);
}

fn receive(stream: &mut TcpStream, length: usize) -> String {
    let mut received = vec![0; length];
    stream.read_exact(&mut received).unwrap();
    String::from_utf8(received).unwrap()
}

/// Everything up to the end.
fn rest(stream: &mut TcpStream) -> String {
    let mut rest = String::new();
    stream.read_to_string(&mut rest).unwrap();
    rest
}
