//! Asks a node over HTTP.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;
use ureq::Agent;

/// How long a node may think before another is asked: it waits for a leader where none is known.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);

/// How long it may take to do something.
const DONE_WITHIN: Duration = Duration::from_secs(10);

/// How large an answer may be.
const ANSWER_BYTES_MAX: u64 = 16 << 20;

/// Whether a node listens for whoever asks it.
pub(super) fn listens(node: SocketAddr) -> bool {
    TcpStream::connect_timeout(&node, ANSWER_WITHIN).is_ok()
}

/// Asks nodes. A clone asks as the same.
#[derive(Clone)]
pub(super) struct Asker(Agent);

/// Why a node does not do what it is asked.
pub(super) enum Refused {
    /// It was asked wrongly.
    Asked(String),
    /// It cannot, or does not answer.
    Unable(String),
}

impl Asker {
    pub(super) fn new() -> Self {
        let config = Agent::config_builder()
            .timeout_global(Some(DONE_WITHIN))
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None);
        Asker(config.build().into())
    }

    /// What a node answers; none where it does not, or refuses.
    pub(super) fn get(&self, node: SocketAddr, path: &str) -> Option<Value> {
        let answer = self.0.get(format!("http://{node}{path}"));
        let mut answer = answer.config().timeout_global(Some(ANSWER_WITHIN)).build().call().ok()?;
        if !answer.status().is_success() {
            return None;
        }
        let body = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec().ok()?;
        serde_json::from_slice(&body).ok()
    }

    /// Has a node do something.
    pub(super) fn post(&self, node: SocketAddr, path: &str, body: &Value) -> Result<(), Refused> {
        let answer = self.0.post(format!("http://{node}{path}")).send_json(body);
        let mut answer = answer.map_err(|error| Refused::Unable(error.to_string()))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let body = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec().unwrap_or_default();
        let problem: Value = serde_json::from_slice(&body).unwrap_or_default();
        let detail = problem["detail"].as_str().map_or_else(|| status.to_string(), str::to_owned);
        if status.is_client_error() { Err(Refused::Asked(detail)) } else { Err(Refused::Unable(detail)) }
    }
}
