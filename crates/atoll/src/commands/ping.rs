//! `atoll ping`: how long a round trip through an echo server takes, and how many
//! fit in a second.

use crate::interrupt;
use crate::output::line;
use anyhow::{Context, Result, bail};
use httpd::echo::ping::{self, Outcome, Plan, Report, Round, Stop, Transport};
use serde_json::json;
use std::io::IsTerminal;
use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

/// Each connection is a thread.
const MAX_CONNECTIONS: i64 = 1024;

/// A message is held twice by each connection.
const MAX_BYTES: i64 = 1 << 30;

/// Round trips unless somebody says how many or how long.
const COUNT: u64 = 10;

#[derive(clap::Args)]
pub struct Arguments {
    /// The echo server, such as 127.0.0.1:7007 or localhost:7007
    #[arg(value_name = "ADDR", value_parser = host_and_port)]
    address: String,
    /// Send datagrams, which may be lost
    #[arg(long)]
    udp: bool,
    /// Round trips of each connection; 10 unless --duration says when to end. 0 goes
    /// on until Ctrl-C
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// Bytes of each message
    #[arg(long, default_value_t = 64, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=MAX_BYTES as u64))]
    size: u64,
    /// Connections at the same time
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=MAX_CONNECTIONS))]
    connections: u16,
    /// Milliseconds from one round trip of a connection to the next; 0 sends as fast
    /// as answers come, and prints only what came of it
    #[arg(long, default_value_t = 200, value_name = "MS")]
    interval: u32,
    /// Begin no round trip after so many seconds
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u32).range(1..))]
    duration: Option<u32>,
    /// How many milliseconds a round trip may take
    #[arg(long, default_value_t = 5000, value_name = "MS", value_parser = clap::value_parser!(u32).range(1..))]
    timeout: u32,
    /// Print one line of JSON
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let address = arguments.resolve()?;
    let transport = arguments.transport();
    let stop = Stop::default();
    let asked = stop.clone();
    interrupt::first(move || asked.stop())?;
    let shows = !arguments.json && arguments.interval > 0 && std::io::stdout().is_terminal();
    let outcome = ping::run(address, transport, arguments.plan(), &stop, |round| {
        if shows {
            // What came of it is told in any case.
            let _ = arguments.show(address, round);
        }
    })?;
    arguments.tell(address, &outcome)?;
    match outcome.failure {
        Some(failure) => Err(failure.into()),
        None if outcome.report.received == 0 && outcome.report.lost > 0 => {
            bail!("{address} sent nothing back; is an echo server running there?")
        }
        None => Ok(()),
    }
}

impl Arguments {
    fn resolve(&self) -> Result<SocketAddr> {
        let what = || format!("cannot find the address of {}", self.address);
        let mut addresses = self.address.to_socket_addrs().with_context(what)?;
        addresses.next().with_context(what)
    }

    fn transport(&self) -> Transport {
        if self.udp {
            Transport::Udp
        } else {
            Transport::Tcp
        }
    }

    fn plan(&self) -> Plan {
        let count = match (self.count, self.duration) {
            (None, None) => Some(COUNT),
            (None, Some(_)) | (Some(0), _) => None,
            (Some(count), _) => Some(count),
        };
        Plan {
            connections: self.connections.into(),
            count,
            bytes: self.size as usize,
            interval: Duration::from_millis(self.interval.into()),
            duration: self.duration.map(|s| Duration::from_secs(s.into())),
            timeout: Duration::from_millis(self.timeout.into()),
        }
    }

    fn show(&self, address: SocketAddr, round: Round) -> std::io::Result<()> {
        let connection = match self.connections {
            1 => String::new(),
            _ => format!(" connection {},", round.connection + 1),
        };
        let (size, number) = (self.size, round.number + 1);
        match round.time {
            Some(time) => line(format_args!(
                "{size} bytes from {address}:{connection} round {number}, {}",
                milliseconds(time)
            )),
            None => line(format_args!(
                "nothing from {address}:{connection} round {number}, lost after {}",
                milliseconds(Duration::from_millis(self.timeout.into()))
            )),
        }
    }

    fn tell(&self, address: SocketAddr, outcome: &Outcome) -> std::io::Result<()> {
        let report = &outcome.report;
        let transport = if self.udp { "UDP" } else { "TCP" };
        if self.json {
            return line(format_args!("{}", self.object(address, outcome)));
        }
        let Report {
            sent,
            received,
            lost,
            ..
        } = *report;
        line(format_args!(
            "{address} over {transport}: {sent} sent, {received} received, {lost} lost"
        ))?;
        if received == 0 {
            return Ok(());
        }
        line(format_args!(
            "round trip: min {}, median {}, p99 {}, max {}",
            milliseconds(report.least),
            milliseconds(report.p50),
            milliseconds(report.p99),
            milliseconds(report.most)
        ))?;
        line(format_args!(
            "{:.1} round trips/s, {:.3} MB/s in each direction",
            report.per_second,
            report.bytes_per_second / 1e6
        ))
    }

    fn object(&self, address: SocketAddr, outcome: &Outcome) -> serde_json::Value {
        let Outcome { report, failure } = outcome;
        let micros = |time: Duration| time.as_nanos() as f64 / 1e3;
        json!({
            "address": address.to_string(),
            "transport": if self.udp { "udp" } else { "tcp" },
            "connections": self.connections,
            "size": self.size,
            "sent": report.sent,
            "received": report.received,
            "lost": report.lost,
            "min_us": micros(report.least),
            "median_us": micros(report.p50),
            "p99_us": micros(report.p99),
            "max_us": micros(report.most),
            "seconds": report.elapsed.as_secs_f64(),
            "round_trips_per_second": report.per_second,
            "bytes_per_second": report.bytes_per_second,
            "error": failure.as_ref().map(ToString::to_string),
        })
    }
}

fn milliseconds(time: Duration) -> String {
    format!("{:.3} ms", time.as_secs_f64() * 1e3)
}

/// Whether it says where to look; who that is is asked later.
fn host_and_port(text: &str) -> Result<String> {
    let (host, port) = text.rsplit_once(':').unwrap_or((text, ""));
    if host.is_empty() || !port.parse().is_ok_and(|port: u16| port > 0) {
        bail!("write it as HOST:PORT, such as 127.0.0.1:7007");
    }
    Ok(text.to_owned())
}
