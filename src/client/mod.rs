//! A client of jobs that run on a cluster: asks for their state and changes what they share, from any program.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use watershed::client::{Client, Level};
//! use watershed::actors::resolver::Write;
//!
//! # fn main() -> Result<(), watershed::client::ClientError> {
//! let client = Client::new(["http://127.0.0.1:7181", "http://127.0.0.1:7182"])?;
//! let mut session = client.session("alerts");
//! session.update("limits", &"EWR", &Write::Put(40_u64))?;
//! // Whichever node answers, it has the update: the session shows what it has seen.
//! let limit: Option<u64> = session.get("limits", &"EWR", Level::Causal)?;
//! assert_eq!(limit, Some(40));
//! // From here on no failure of the job undoes it.
//! session.await_durable(Duration::from_secs(30))?;
//! # Ok(())
//! # }
//! ```
//!
//! A [`Session`] is one reader's and writer's thread of time. It keeps the newest token that it was given and shows it with
//! each question, so its reads never go back and see its own updates, on whichever node. After a failure the job goes on
//! from its last checkpoint, and updates that are younger than that never happened: a session that has seen one of them is
//! told so ([`QueryError::RolledBack`]) instead of being given something older in silence. It goes on
//! [with what is left](Session::rebasing), or reads and writes anew.
//!
//! A session is not bound to one job: it [turns](Session::turn_to) to another one of the cluster with all that it has seen,
//! and whoever is given its token has seen what it has, of each of them.

mod error;
mod nodes;
#[cfg(test)]
#[path = "../../tests/conditions/ports.rs"]
mod ports;
mod session;

pub use error::ClientError;
pub(crate) use nodes::{Nodes, Patience, Question};
use serde_json::Value;
pub use session::{Answer, Session};
pub use watershed_core::{Position, SplitId};
pub use watershed_runtime::query::{AsOf, Level, QueryError, Undone};
use watershed_server::view::AskState;

/// The nodes of a cluster, as a client knows them. Made once; its connections are kept and shared.
#[derive(Clone, Debug)]
pub struct Client {
    nodes: Nodes,
}

impl Client {
    /// A client of the cluster that has these nodes, `http://host:port`. They are asked in this order: where one does not
    /// answer, the next one is.
    ///
    /// # Errors
    ///
    /// Where an address is none, or there is none.
    pub fn new<U: AsRef<str>>(urls: impl IntoIterator<Item = U>) -> Result<Client, ClientError> {
        let urls: Vec<U> = urls.into_iter().collect();
        Ok(Client { nodes: Nodes::new(&urls, None)? })
    }

    /// Shows the nodes the token that lets somebody in: that of `--http-token-file`.
    #[must_use]
    pub fn http_token(self, token: impl Into<String>) -> Client {
        Client { nodes: self.nodes.with_pass(token.into()) }
    }

    /// Begins to ask a job, with nothing seen yet.
    pub fn session(&self, job: impl Into<String>) -> Session {
        Session::new(self.nodes.clone(), job.into())
    }
}

/// The path of a job, and of what it has.
pub(crate) fn path_of(job: &str, what: &str) -> String {
    format!("/api/v1/jobs/{}{what}", escaped(job))
}

/// The path of a state of a job.
pub(crate) fn state_path(job: &str, state: &str) -> String {
    path_of(job, &format!("/state/{}", escaped(state)))
}

/// What is asked of a state, as it stands behind its path.
pub(crate) fn in_address(asked: &AskState) -> String {
    let Ok(Value::Object(asked)) = serde_json::to_value(asked) else { unreachable!("it is a struct") };
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let fields = asked.iter().map(|(name, value)| format!("{name}={}", escaped(&text(value))));
    format!("?{}", fields.collect::<Vec<_>>().join("&"))
}

/// A text as it stands in an address.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') {
            escaped.push(byte.into());
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}
