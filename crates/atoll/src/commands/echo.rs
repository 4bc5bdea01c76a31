//! `atoll echo`: sends back what comes, over any concurrency model.

use crate::named::named;
use crate::output::line;
use anyhow::Result;
use httpd::echo::Settings;
use httpd::echo::server::{self, Config, Content};
use httpd::models::{ModelName, processes, threads};
use std::net::SocketAddr;
use std::time::Duration;

/// The port that RFC 862 gives to echo needs root; this one is its namesake.
const LISTEN: &str = "127.0.0.1:7007";

#[derive(clap::Args)]
pub struct Arguments {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, default_value = LISTEN, value_name = "ADDR")]
    listen: SocketAddr,
    /// Who serves which connection: one after another, a thread for each of as many as
    /// there are workers, an event loop per worker, or a process with a loop per worker
    #[arg(long, value_parser = named(ModelName::NAMES), default_value = "events")]
    model: ModelName,
    /// How many threads, event loops or processes; the sequential model has one.
    /// As many as there are cores unless given, and 16 threads
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=processes::MAX_SLOTS as i64))]
    workers: Option<u16>,
    /// Send back datagrams to the same port, too
    #[arg(long)]
    udp: bool,
    /// Send back the messages of WebSockets instead, whatever their path
    #[arg(long, conflicts_with = "udp")]
    websocket: bool,
    /// End a connection over which nothing moved for so many seconds
    #[arg(long, default_value_t = 60, value_name = "S", value_parser = clap::value_parser!(u32).range(1..))]
    idle_timeout: u32,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let config = arguments.config();
    let what = arguments.what(config.workers);
    server::run(config, move |address| {
        // It serves whether or not anyone reads this.
        let _ = line(format_args!("atoll: echo at {address}: {what}"));
    })?;
    Ok(())
}

impl Arguments {
    fn config(&self) -> Config {
        Config {
            listen: self.listen,
            model: self.model,
            workers: self
                .workers
                .map_or_else(|| usual_workers(self.model), usize::from),
            content: match (self.websocket, self.udp) {
                (true, _) => Content::Messages,
                (false, true) => Content::StreamsAndDatagrams,
                (false, false) => Content::Streams,
            },
            settings: Settings {
                idle: Duration::from_secs(self.idle_timeout.into()),
                ..Settings::default()
            },
        }
    }

    /// What it is, in words.
    fn what(&self, workers: usize) -> String {
        let content = match (self.websocket, self.udp) {
            (true, _) => "WebSockets",
            (false, true) => "TCP and UDP",
            (false, false) => "TCP",
        };
        match self.model {
            ModelName::Sequential => format!("{content}, one connection after another"),
            ModelName::Threads => format!("{content}, {workers} threads"),
            ModelName::Events => format!("{content}, {workers} event loops"),
            ModelName::Processes => format!("{content}, {workers} processes"),
        }
    }
}

/// How many workers there are unless somebody says.
fn usual_workers(model: ModelName) -> usize {
    match model {
        ModelName::Sequential => 1,
        ModelName::Threads => threads::Settings::default().workers,
        ModelName::Events | ModelName::Processes => {
            let cores = std::thread::available_parallelism();
            cores.map_or(1, |cores| cores.get().min(processes::MAX_SLOTS))
        }
    }
}
