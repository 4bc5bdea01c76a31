//! A node as the short commands see it: one JSON request, one JSON answer, and
//! problems as errors in the node's own words. Syncing has its own client.

use anyhow::{Context, Result, anyhow};
use serde_json::Value;
use sync::{Address, RemoteError};
use ureq::http::{Method, Request, Response, StatusCode};
use ureq::{Agent, AsSendBody, Body};

/// Longest answer that is read: the largest page of a list is far below.
const ANSWER_BYTES: u64 = 64 << 20;

/// What a request holds and its answer is, unless somebody says otherwise.
const JSON: &str = "application/json";

/// A node, and the right to talk to it.
pub struct Client {
    agent: Agent,
    server: String,
    /// None where the server is asked without one, which it may refuse.
    token: Option<String>,
}

impl Client {
    /// The node at `address`; nothing is sent yet.
    pub fn new(address: &Address, token: &str) -> Self {
        Self::with(address, Some(token))
    }

    /// The same, with a token or without.
    pub fn with(address: &Address, token: Option<&str>) -> Self {
        Self {
            agent: sync::remote::agent(address.fingerprint(), None),
            server: address.url().to_owned(),
            token: token.map(str::to_owned),
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

    /// Sends `body`, which is of the media type `kind`, and gives the answer whatever its
    /// status is.
    pub fn exchange(
        &self,
        method: Method,
        path: &str,
        kind: &str,
        body: impl AsSendBody,
    ) -> Result<Response<Body>> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.server))
            .header("content-type", kind);
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = request.body(body);
        let request = request.with_context(|| format!("{} is not an address", self.server))?;
        let response = self.agent.run(request);
        Ok(response.map_err(|error| RemoteError::of(&self.server, &error))?)
    }

    /// The JSON of an answer; `Null` where there is none.
    pub fn read(&self, response: Response<Body>) -> Result<Value> {
        let status = response.status().as_u16();
        let text = response
            .into_body()
            .into_with_config()
            .limit(ANSWER_BYTES)
            .read_to_string()
            .with_context(|| format!("node {} broke off its answer", self.server))?;
        if text.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&text).ok().with_context(|| {
            format!(
                "{} does not answer like an atoll node ({status})",
                self.server
            )
        })
    }

    /// What an answer that is no success says, as an error: a problem has its detail, the API
    /// of Prometheus an error.
    pub fn refusal(&self, status: StatusCode, answer: &Value) -> anyhow::Error {
        let said = answer["detail"].as_str().or(answer["error"].as_str());
        let detail = said.unwrap_or("no reason given");
        anyhow!(
            "node {} refused ({}): {detail}",
            self.server,
            status.as_u16()
        )
    }

    fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value> {
        let text = body.map(Value::to_string).unwrap_or_default();
        let response = self.exchange(method, path, JSON, text)?;
        let status = response.status();
        let answer = self.read(response)?;
        if !status.is_success() {
            return Err(self.refusal(status, &answer));
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
    use serde_json::json;

    #[test]
    fn a_refusal_has_the_reason_of_the_node() {
        let address = Address::new("http://127.0.0.1:1", None);
        let client = Client::with(&address, None);
        for (answer, reason) in [
            (
                json!({"type": "about:blank", "detail": "no token"}),
                "no token",
            ),
            (
                json!({"status": "error", "error": "1:2: parse error"}),
                "1:2: parse error",
            ),
            (Value::Null, "no reason given"),
        ] {
            let refusal = client.refusal(StatusCode::BAD_REQUEST, &answer);
            let expected = format!("node http://127.0.0.1:1 refused (400): {reason}");
            assert_eq!(refusal.to_string(), expected);
        }
    }

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
