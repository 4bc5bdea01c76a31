//! A node as the short commands see it: one JSON request, one JSON answer, and
//! problems as errors in the node's own words. Syncing has its own client.

use anyhow::{Context, Result, bail};
use serde_json::Value;
use sync::{Address, RemoteError};
use ureq::Agent;
use ureq::http::{Method, Request};

/// Longest answer that is read: the largest page of a list is far below.
const ANSWER_BYTES: u64 = 64 << 20;

/// A node, and the right to talk to it.
pub struct Client {
    agent: Agent,
    server: String,
    token: String,
}

impl Client {
    /// The node at `address`; nothing is sent yet.
    pub fn new(address: &Address, token: &str) -> Self {
        Self {
            agent: sync::remote::agent(address.fingerprint(), None),
            server: address.url().to_owned(),
            token: token.to_owned(),
        }
    }

    /// Its address.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Asks; `path` begins with `/` and holds an encoded query.
    pub fn get(&self, path: &str) -> Result<Value> {
        self.send(Method::GET, path, None)
    }

    /// Tells; `Null` when the node has nothing to answer.
    pub fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.send(Method::POST, path, Some(body))
    }

    fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value> {
        let text = body.map(Value::to_string).unwrap_or_default();
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.server))
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/json")
            .body(text)
            .with_context(|| format!("{} is not an address", self.server))?;
        let response = self
            .agent
            .run(request)
            .map_err(|error| RemoteError::of(&self.server, &error))?;
        let status = response.status();
        let text = response
            .into_body()
            .into_with_config()
            .limit(ANSWER_BYTES)
            .read_to_string()
            .with_context(|| format!("node {} broke off its answer", self.server))?;
        let answer: Value = if text.is_empty() {
            Value::Null
        } else {
            serde_json::from_str(&text).ok().with_context(|| {
                let status = status.as_u16();
                format!(
                    "{} does not answer like an atoll node ({status})",
                    self.server
                )
            })?
        };
        if !status.is_success() {
            let detail = answer["detail"].as_str().unwrap_or("no reason given");
            bail!(
                "node {} refused ({}): {detail}",
                self.server,
                status.as_u16()
            );
        }
        Ok(answer)
    }
}

/// A value of a query, percent-encoded.
pub fn encode(value: &str) -> String {
    use std::fmt::Write;
    let mut encoded = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            // Writing into a text cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn query_values() {
        for (value, encoded) in [
            ("a-1", "a-1"),
            ("a b/ü", "a%20b%2F%C3%BC"),
            ("&=#", "%26%3D%23"),
        ] {
            assert_eq!(encode(value), encoded);
        }
    }
}
