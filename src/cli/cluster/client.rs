//! Asks the nodes of a cluster in turn, until one answers.

use std::io;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use ureq::http::{Response, StatusCode};
use ureq::{Agent, Body, Error, Timeout};
use watershed_server::view::ProblemDocument;

use crate::cli::failure::Failure;

/// How long a connection to a node may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);

/// How long an answer may take: a savepoint takes its time, for which a leader waits 90 s.
const ANSWER_WITHIN: Duration = Duration::from_secs(100);

/// How large an answer may be.
const ANSWER_BYTES_MAX: u64 = 64 << 20;

/// A cluster that can be asked.
pub(in crate::cli) struct Client {
    agent: Agent,
    nodes: Vec<String>,
    token: Option<String>,
}

/// Why a node gave no answer.
enum NoAnswer {
    /// It was not asked, so that another one can be.
    Unasked(String),
    /// Another one may know better; what was only looked at can be asked again.
    Unable(String),
    /// It may have done what it was asked.
    Final(Failure),
}

impl Client {
    pub(super) fn new(nodes: &[String], token: Option<String>) -> Result<Client, Failure> {
        let nodes: Vec<String> =
            nodes.iter().map(|node| node.trim().trim_end_matches('/').to_owned()).collect();
        if let Some(wrong) = nodes.iter().find(|node| !node.starts_with("http://")) {
            return Err(Failure::Usage(format!("--node {wrong}: write http://HOST:PORT")));
        }
        if nodes.is_empty() {
            return Err(Failure::Usage("--node names no node: write http://HOST:PORT".to_owned()));
        }
        let config = Agent::config_builder()
            .timeout_connect(Some(CONNECT_WITHIN))
            .timeout_global(Some(ANSWER_WITHIN))
            .http_status_as_error(false)
            .max_redirects(0)
            // Nodes are asked where they are.
            .proxy(None);
        Ok(Client { agent: config.build().into(), nodes, token })
    }

    /// Looks at something.
    pub(super) fn get(&self, path: &str) -> Result<Value, Failure> {
        self.ask(true, |node| {
            let mut request = self.agent.get(format!("{node}{path}"));
            if let Some(token) = &self.token {
                request = request.header("Authorization", format!("Bearer {token}"));
            }
            request.call()
        })
    }

    /// Has something done.
    pub(super) fn post(&self, path: &str, body: &impl Serialize) -> Result<Value, Failure> {
        self.ask(false, |node| {
            let mut request = self.agent.post(format!("{node}{path}"));
            if let Some(token) = &self.token {
                request = request.header("Authorization", format!("Bearer {token}"));
            }
            request.send_json(body)
        })
    }

    /// Asks one node after the other. What `is_look` only looks at something, and can be asked twice.
    fn ask(
        &self,
        is_look: bool,
        call: impl Fn(&str) -> Result<Response<Body>, Error>,
    ) -> Result<Value, Failure> {
        let mut reasons = Vec::new();
        for node in &self.nodes {
            let reason = match call(node).map_err(|error| failed(node, &error)).and_then(read) {
                Ok(answer) => return Ok(answer),
                Err(NoAnswer::Final(failure)) => return Err(failure),
                Err(NoAnswer::Unable(reason)) if !is_look => return Err(Failure::Unreachable(reason)),
                Err(NoAnswer::Unasked(reason) | NoAnswer::Unable(reason)) => reason,
            };
            reasons.push(reason);
        }
        Err(Failure::Unreachable(reasons.join("; ")))
    }
}

/// What it means that a request failed without an answer.
fn failed(node: &str, error: &Error) -> NoAnswer {
    let unasked = match error {
        Error::HostNotFound | Error::ConnectionFailed => true,
        Error::Timeout(timeout) => matches!(timeout, Timeout::Connect | Timeout::Resolve),
        Error::Io(error) => matches!(
            error.kind(),
            io::ErrorKind::ConnectionRefused
                | io::ErrorKind::HostUnreachable
                | io::ErrorKind::NetworkUnreachable
        ),
        _ => false,
    };
    if unasked {
        return NoAnswer::Unasked(format!(
            "no node answers at {node} ({error}): start one, or name another by --node"
        ));
    }
    if let Error::BadUri(_) | Error::Http(_) = error {
        return NoAnswer::Final(Failure::Usage(format!("--node {node}: {error}; write http://HOST:PORT")));
    }
    NoAnswer::Unable(format!(
        "the node at {node} has broken off: {error}; see by `jobs` what has become of it"
    ))
}

/// Reads an answer.
fn read(mut response: Response<Body>) -> Result<Value, NoAnswer> {
    let status = response.status();
    let body = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec();
    let body = body.map_err(|error| NoAnswer::Unable(format!("the answer broke off: {error}")))?;
    if status.is_success() {
        if body.is_empty() {
            return Ok(Value::Null);
        }
        return serde_json::from_slice(&body).map_err(|error| NoAnswer::Final(no_node(&error)));
    }
    let document = serde_json::from_slice::<ProblemDocument>(&body);
    let detail = document.map_or_else(|_| format!("it answers with {status}"), |document| document.detail);
    Err(match status {
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::BAD_GATEWAY => NoAnswer::Unable(detail),
        StatusCode::CONFLICT => NoAnswer::Final(Failure::Unable(detail)),
        StatusCode::UNAUTHORIZED => {
            let how = "give it by --http-token-file FILE, or WATERSHED_NODE_HTTP_TOKEN_FILE";
            NoAnswer::Final(Failure::Usage(format!("the node asks for a token: {how}")))
        }
        _ => NoAnswer::Final(Failure::Usage(detail)),
    })
}

/// An answer as what it has to be.
pub(super) fn understood<T: DeserializeOwned>(answered: Value) -> Result<T, Failure> {
    serde_json::from_value(answered).map_err(|error| no_node(&error))
}

fn no_node(error: &serde_json::Error) -> Failure {
    Failure::Unable(format!("the answer is not one of a node of this version: {error}"))
}
