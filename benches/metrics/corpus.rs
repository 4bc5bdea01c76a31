//! One request of an agent in three formats, made from a fixed seed: the same samples of
//! the same series, as a host and its services have them.

use base::{Random, SeededRandom};

/// Seed of all of it.
const SEED: u64 = 5;

/// Samples of a request.
pub const ITEMS: usize = 100;

/// Autumn of 2026, in milliseconds.
const NOW: u64 = 1_795_000_000_000;

const NAMES: [&str; 5] = [
    "http_requests_total",
    "http_request_duration_seconds",
    "process_cpu_seconds_total",
    "queue_length",
    "disk_io_time_seconds_total",
];

/// A sample of a series.
pub struct Item {
    name: &'static str,
    tags: Vec<(&'static str, String)>,
    value: f64,
    time: u64,
}

/// The samples.
pub fn items() -> Vec<Item> {
    let random = SeededRandom::new(SEED);
    (0..ITEMS)
        .map(|number| Item {
            name: NAMES[number % NAMES.len()],
            tags: vec![
                ("host", format!("web-{:02}.example.net", number % 20)),
                ("region", "eu-west-1".to_owned()),
                ("service", format!("checkout-{}", number / 20)),
                ("version", "2.14.3".to_owned()),
            ],
            value: (random.next_u64() % 100_000_000) as f64 / 1000.0,
            time: NOW + random.next_u64() % 15_000,
        })
        .collect()
}

/// As our agents push them.
pub fn json(items: &[Item]) -> Vec<u8> {
    let items = items.iter().map(|item| {
        let tags = item.tags.iter();
        let tags = tags.map(|(name, value)| format!("\"{name}\":\"{value}\""));
        format!(
            "{{\"name\":\"{}\",\"value\":{},\"type\":\"gauge\",\"tags\":{{{}}},\"timestamp\":{}}}",
            item.name,
            item.value,
            tags.collect::<Vec<_>>().join(","),
            item.time
        )
    });
    let items = items.collect::<Vec<_>>().join(",");
    format!("{{\"metrics\":[{items}]}}").into_bytes()
}

/// As Influx's agents push them.
pub fn lines(items: &[Item]) -> Vec<u8> {
    let lines = items.iter().map(|item| {
        let tags = item.tags.iter();
        let tags = tags.map(|(name, value)| format!(",{name}={value}"));
        let tags = tags.collect::<String>();
        format!("{}{tags} value={} {}\n", item.name, item.value, item.time)
    });
    lines.collect::<String>().into_bytes()
}

/// As Prometheus pushes them, uncompressed.
pub fn remote_write(items: &[Item]) -> Vec<u8> {
    let mut request = Vec::new();
    for item in items {
        let mut series = Vec::new();
        let name = ("__name__", item.name.to_owned());
        for (name, value) in [name].iter().chain(&item.tags) {
            let mut label = Vec::new();
            put(&mut label, 1, name.as_bytes());
            put(&mut label, 2, value.as_bytes());
            put(&mut series, 1, &label);
        }
        let mut sample = vec![1 << 3 | 1];
        sample.extend_from_slice(&item.value.to_le_bytes());
        sample.push(2 << 3);
        put_varint(&mut sample, item.time);
        put(&mut series, 2, &sample);
        put(&mut request, 1, &series);
    }
    request
}

/// A field with a length.
fn put(message: &mut Vec<u8>, tag: u8, content: &[u8]) {
    message.push(tag << 3 | 2);
    put_varint(message, content.len() as u64);
    message.extend_from_slice(content);
}

fn put_varint(message: &mut Vec<u8>, mut value: u64) {
    while value > 0x7f {
        message.push(value as u8 | 0x80);
        value >>= 7;
    }
    message.push(value as u8);
}
