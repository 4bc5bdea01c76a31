//! HTTP as this process asks: one request at a time, over a connection that stays.

use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::Value;

/// No answer here takes longer: a merge of everything is the slowest.
const LIMIT: Duration = Duration::from_secs(300);

/// The longest answer, an export.
const ANSWER_BYTES: u64 = 4 << 30;

/// Fields of a head.
pub type Fields<'a> = &'a [(&'a str, &'a str)];

/// Asks one server.
pub struct Client {
    agent: ureq::Agent,
    root: String,
}

impl Client {
    /// Of the server at `address`; nothing is asked yet.
    pub fn new(address: &str) -> Self {
        let settings = ureq::Agent::config_builder()
            .timeout_global(Some(LIMIT))
            .http_status_as_error(false)
            .build();
        Self {
            agent: settings.into(),
            root: format!("http://{address}"),
        }
    }

    /// The content at `target`.
    ///
    /// # Errors
    /// When there is no answer, or none with 2xx.
    pub fn get(&self, target: &str) -> anyhow::Result<Vec<u8>> {
        let request = self.agent.get(format!("{}{target}", self.root));
        read(request.call(), target)
    }

    /// Sends `body`.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn post(&self, target: &str, fields: Fields<'_>, body: &[u8]) -> anyhow::Result<Vec<u8>> {
        let mut request = self.agent.post(format!("{}{target}", self.root));
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        read(request.send(body), target)
    }

    /// The `data` that the API of Prometheus answers at `path`.
    ///
    /// # Errors
    /// As [`Client::get`], and when that says that it failed.
    pub fn ask(&self, path: &str, parameters: Fields<'_>) -> anyhow::Result<Value> {
        let pairs = parameters.iter();
        let pairs = pairs.map(|(name, value)| format!("{}={}", escaped(name), escaped(value)));
        let target = format!("{path}?{}", pairs.collect::<Vec<_>>().join("&"));
        let mut answer: Value = serde_json::from_slice(&self.get(&target)?)?;
        ensure!(answer["status"] == "success", "{target}: {answer}");
        Ok(answer["data"].take())
    }
}

fn read(
    answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    target: &str,
) -> anyhow::Result<Vec<u8>> {
    let mut answer = answer.with_context(|| format!("no answer to {target}"))?;
    let status = answer.status();
    let content = answer.body_mut().with_config().limit(ANSWER_BYTES);
    let content = content.read_to_vec()?;
    ensure!(
        status.is_success(),
        "{target}: {status}: {}",
        String::from_utf8_lossy(&content)
    );
    Ok(content)
}

/// A text as a part of a query string.
pub fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                escaped.push(char::from(byte));
            }
            _ => escaped += &format!("%{byte:02X}"),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn what_means_something_in_a_query_string_is_escaped() {
        assert_eq!(escaped("a=~\"ä\"&b"), "a%3D~%22%C3%A4%22%26b");
    }
}
