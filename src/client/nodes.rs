//! Asks the nodes of a cluster in turn, until one answers.

#[cfg(test)]
mod tests;

use std::io;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::Value;
use ureq::http::{Response, StatusCode};
use ureq::{Agent, Body, Error, Timeout};
use watershed_server::view::{NOT_LEADING, ProblemDocument, TOKEN_HEADER};

use super::ClientError;

/// How long a connection to a node may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);

/// How long an answer may take: a savepoint takes its time, for which a leader waits 90 s.
const ANSWER_WITHIN: Duration = Duration::from_secs(100);

/// How soon a cluster that does not answer yet is asked again.
const AGAIN_AFTER: Duration = Duration::from_millis(200);

/// How large an answer may be.
const ANSWER_BYTES_MAX: u64 = 64 << 20;

/// The nodes of a cluster, in the order in which they are asked.
#[derive(Clone, Debug)]
pub(crate) struct Nodes {
    agent: Agent,
    urls: Vec<String>,
    /// What the nodes let somebody in by.
    pass: Option<String>,
    patience: Patience,
}

/// How a cluster is waited for that is coming up, or elects a leader.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// For how long it is asked again.
    pub(crate) within: Duration,
    /// Is told once why it is waited.
    pub(crate) tell: fn(&str),
}

impl Patience {
    /// Asks each node once.
    const NONE: Patience = Patience { within: Duration::ZERO, tell: |_| {} };
}

/// What is asked of a node.
pub(crate) struct Question<'a> {
    /// The path, with its query.
    pub(crate) path: &'a str,
    /// What the client has seen.
    pub(crate) token: Option<&'a str>,
    /// What is to be done; nothing where something is only looked at, which can be asked twice.
    pub(crate) body: Option<&'a Value>,
}

/// Why a node gave no answer.
pub(crate) enum NoAnswer {
    /// It was not asked, so that another one can be.
    Unasked(String),
    /// It has done nothing, for nobody leads the cluster: it can be asked again.
    Undone(ClientError),
    /// Another one may know better; what was only looked at can be asked again.
    Unable(ClientError),
    /// It has answered, and others would answer the same; or it may have done what it was asked.
    Final(ClientError),
}

/// Why none of the nodes gave an answer.
struct Unanswered {
    error: ClientError,
    /// Whether the cluster may only be on its way up, and nothing was done.
    again: bool,
}

impl Nodes {
    /// Nodes by their addresses, `http://host:port`.
    pub(crate) fn new<U: AsRef<str>>(urls: &[U], pass: Option<String>) -> Result<Nodes, ClientError> {
        let urls: Vec<String> =
            urls.iter().map(|url| url.as_ref().trim().trim_end_matches('/').to_owned()).collect();
        if let Some(wrong) = urls.iter().find(|url| !url.starts_with("http://")) {
            return Err(ClientError::Address(format!("{wrong}: write http://HOST:PORT")));
        }
        if urls.is_empty() {
            return Err(ClientError::Address("names no node: write http://HOST:PORT".to_owned()));
        }
        let config = Agent::config_builder()
            .timeout_connect(Some(CONNECT_WITHIN))
            .timeout_global(Some(ANSWER_WITHIN))
            .http_status_as_error(false)
            .max_redirects(0)
            // Nodes are asked where they are.
            .proxy(None);
        Ok(Nodes { agent: config.build().into(), urls, pass, patience: Patience::NONE })
    }

    /// The same nodes, which let somebody in by this.
    pub(crate) fn with_pass(self, pass: String) -> Nodes {
        Nodes { pass: Some(pass), ..self }
    }

    /// The same nodes, which are waited for while they come up.
    pub(crate) fn with_patience(self, patience: Patience) -> Nodes {
        Nodes { patience, ..self }
    }

    /// Asks one node after the other, until one gives an answer that `judge` takes; and all of them again, as long as there
    /// is patience, where none is there yet or none leads.
    pub(crate) fn ask<T>(
        &self,
        question: &Question<'_>,
        judge: impl Fn(Value) -> Result<T, NoAnswer>,
    ) -> Result<T, ClientError> {
        let Patience { within, tell } = self.patience;
        let (begun, mut told) = (Instant::now(), false);
        loop {
            let error = match self.ask_each(question, &judge) {
                Ok(answer) => return Ok(answer),
                Err(Unanswered { error, again }) => {
                    if !again || begun.elapsed() + AGAIN_AFTER > within {
                        return Err(error);
                    }
                    error
                }
            };
            if !told {
                tell(&format!("{error}; it is asked again for up to {within:?}"));
                told = true;
            }
            std::thread::sleep(AGAIN_AFTER);
        }
    }

    fn ask_each<T>(
        &self,
        question: &Question<'_>,
        judge: impl Fn(Value) -> Result<T, NoAnswer>,
    ) -> Result<T, Unanswered> {
        let (mut reasons, mut known, mut again) = (Vec::new(), None, true);
        for url in &self.urls {
            let called = self.call(url, question).map_err(|error| failed(url, &error));
            let error = match called.and_then(read).and_then(&judge) {
                Ok(answer) => return Ok(answer),
                Err(NoAnswer::Unasked(reason)) => {
                    reasons.push(reason);
                    continue;
                }
                Err(NoAnswer::Final(error)) => return Err(Unanswered { error, again: false }),
                Err(NoAnswer::Unable(error)) if question.body.is_some() => {
                    return Err(Unanswered { error, again: false });
                }
                Err(NoAnswer::Unable(error)) => {
                    // What a node says of the question itself is an answer, which the asker may want to heed.
                    again &= matches!(error, ClientError::Unreachable(_) | ClientError::Problem(_));
                    error
                }
                Err(NoAnswer::Undone(error)) => error,
            };
            reasons.push(error.to_string());
            // What a node says of the question tells more than that others are not there.
            known = Some(error).filter(|error| !matches!(error, ClientError::Unreachable(_))).or(known);
        }
        let error = known.unwrap_or_else(|| ClientError::Unreachable(reasons.join("; ")));
        Err(Unanswered { error, again })
    }

    fn call(&self, url: &str, question: &Question<'_>) -> Result<Response<Body>, Error> {
        let Question { path, token, body } = question;
        let address = format!("{url}{path}");
        let pass = self.pass.as_ref().map(|pass| ("Authorization", format!("Bearer {pass}")));
        let token = token.map(|token| (TOKEN_HEADER, token.to_owned()));
        let headers = pass.into_iter().chain(token);
        match body {
            Some(body) => {
                let request = self.agent.post(address);
                headers.fold(request, |request, (name, value)| request.header(name, value)).send_json(body)
            }
            None => {
                let request = self.agent.get(address);
                headers.fold(request, |request, (name, value)| request.header(name, value)).call()
            }
        }
    }

    /// Looks at something.
    pub(crate) fn get(&self, path: &str) -> Result<Value, ClientError> {
        self.ask(&Question { path, token: None, body: None }, Ok)
    }

    /// Has something done.
    pub(crate) fn post(&self, path: &str, body: &impl Serialize) -> Result<Value, ClientError> {
        let body = serde_json::to_value(body).expect("what is asked is plain data");
        self.ask(&Question { path, token: None, body: Some(&body) }, Ok)
    }
}

/// What it means that a request failed without an answer.
fn failed(url: &str, error: &Error) -> NoAnswer {
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
            "no node answers at {url} ({error}): start one, or name another by --node"
        ));
    }
    if let Error::BadUri(_) | Error::Http(_) = error {
        return NoAnswer::Final(ClientError::Address(format!("{url}: {error}; write http://HOST:PORT")));
    }
    NoAnswer::Unable(ClientError::Unreachable(format!(
        "the node at {url} has broken off: {error}; see by `jobs` what has become of it"
    )))
}

/// Reads an answer.
fn read(mut response: Response<Body>) -> Result<Value, NoAnswer> {
    let status = response.status();
    let body = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec();
    let broken = |error| ClientError::Unreachable(format!("the answer broke off: {error}"));
    let body = body.map_err(|error| NoAnswer::Unable(broken(error)))?;
    if status.is_success() {
        if body.is_empty() {
            return Ok(Value::Null);
        }
        return serde_json::from_slice(&body).map_err(|error| NoAnswer::Final(ClientError::strange(&error)));
    }
    let document = serde_json::from_slice::<ProblemDocument>(&body);
    let document = document.unwrap_or_else(|_| unsaid(status));
    let nobody_leads = document.code.as_deref() == Some(NOT_LEADING);
    Err(match status {
        StatusCode::SERVICE_UNAVAILABLE if nobody_leads => NoAnswer::Undone(ClientError::of(document)),
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::BAD_GATEWAY => {
            NoAnswer::Unable(ClientError::of(document))
        }
        _ => NoAnswer::Final(ClientError::of(document)),
    })
}

/// The problem of an answer that says none.
fn unsaid(status: StatusCode) -> ProblemDocument {
    ProblemDocument {
        kind: "about:blank".to_owned(),
        title: status.canonical_reason().unwrap_or_default().to_owned(),
        status: status.as_u16(),
        detail: format!("it answers with {status}"),
        code: None,
        members: serde_json::Map::new(),
    }
}
