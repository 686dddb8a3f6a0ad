//! One client's questions and updates, over HTTP, to whichever node.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};

/// How long a client waits for a node that does not answer: it may stand still.
const PATIENCE: Duration = Duration::from_secs(4);

/// How long a node may wait for what a client has seen.
const WAIT: &str = "2s";

/// What a client was told.
pub(crate) enum Told {
    /// The list, of an answer by this run.
    List { run: u64, elements: Vec<u64>, token: String },
    /// It is appended, in this run.
    Appended { run: u64, token: String },
    /// Nothing was changed, and nothing is said.
    Refused { code: String },
    /// Nobody knows what has become of it.
    Silence,
}

/// Asks and changes.
pub(crate) struct Client {
    agent: ureq::Agent,
}

impl Client {
    pub(crate) fn new() -> Self {
        let config = ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).http_status_as_error(false);
        Client { agent: config.build().into() }
    }

    pub(crate) fn read(&self, node: SocketAddr, list: u64, level: &str, token: Option<&str>) -> Told {
        let url =
            format!("http://{node}/api/v1/jobs/sessions/state/lists?key={list}&level={level}&wait={WAIT}");
        let mut request = self.agent.get(url);
        if let Some(token) = token {
            request = request.header("Watershed-Token", token);
        }
        let Some((said, run, token)) = answer(request.call()) else { return Told::Silence };
        match (run, token) {
            (Some(run), Some(token)) => {
                let elements =
                    said["value"].as_array().into_iter().flatten().filter_map(Value::as_u64).collect();
                Told::List { run, elements, token }
            }
            _ => refused(&said),
        }
    }

    pub(crate) fn append(&self, node: SocketAddr, list: u64, element: u64, token: Option<&str>) -> Told {
        let url = format!("http://{node}/api/v1/jobs/sessions/state/lists");
        let mut request = self.agent.post(url);
        if let Some(token) = token {
            request = request.header("Watershed-Token", token);
        }
        let body = json!({ "key": list, "update": { "Add": element }, "wait": WAIT });
        let Some((said, run, token)) = answer(request.send_json(body)) else { return Told::Silence };
        match (run, token) {
            (Some(run), Some(token)) => Told::Appended { run, token },
            _ => refused(&said),
        }
    }
}

fn answer(
    said: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
) -> Option<(Value, Option<u64>, Option<String>)> {
    let said: Value = said.ok()?.body_mut().read_json().ok()?;
    let (run, token) = (said["run"].as_u64(), said["token"].as_str().map(str::to_owned));
    Some((said, run, token))
}

fn refused(said: &Value) -> Told {
    match said["code"].as_str() {
        // It is not known whether it was made; and whatever has no code may have been anything.
        Some("unknown") | None => Told::Silence,
        Some(code) => Told::Refused { code: code.to_owned() },
    }
}
