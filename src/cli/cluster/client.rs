//! Asks the nodes of a cluster, and says how a command fails that they do not answer.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use watershed_server::view::ProblemDocument;

use crate::cli::failure::Failure;
use crate::client::{ClientError, Nodes, Patience};

/// A cluster that can be asked.
pub(in crate::cli) struct Client(Nodes);

impl Client {
    pub(super) fn new(
        nodes: &[String],
        token: Option<String>,
        patience: Patience,
    ) -> Result<Client, Failure> {
        let nodes = Nodes::new(nodes, token)?.with_patience(patience);
        Ok(Client(nodes))
    }

    /// Looks at something.
    pub(super) fn get(&self, path: &str) -> Result<Value, Failure> {
        Ok(self.0.get(path)?)
    }

    /// Has something done.
    pub(super) fn post(&self, path: &str, body: &impl Serialize) -> Result<Value, Failure> {
        Ok(self.0.post(path, body)?)
    }

    /// The nodes, for what is not just looked at or done.
    pub(super) fn nodes(&self) -> &Nodes {
        &self.0
    }
}

/// An answer as what it has to be.
pub(super) fn understood<T: DeserializeOwned>(answered: Value) -> Result<T, Failure> {
    serde_json::from_value(answered).map_err(|error| ClientError::strange(&error).into())
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Address(what) => Failure::Usage(format!("--node {what}")),
            ClientError::Unreachable(reason) => Failure::Unreachable(reason),
            ClientError::Refused(error) => Failure::Question(error),
            ClientError::Problem(document) => of(*document),
            error @ ClientError::OlderRun { .. } => Failure::Unreachable(error.to_string()),
            error @ (ClientError::Strange(_)
            | ClientError::Value { .. }
            | ClientError::NotDurable { .. }
            | ClientError::Unused) => Failure::Unable(error.to_string()),
        }
    }
}

fn of(document: ProblemDocument) -> Failure {
    match document.status {
        502 | 503 => Failure::Unreachable(document.detail),
        409 => Failure::Unable(document.detail),
        401 => {
            let how = "give it by --http-token-file FILE, or WATERSHED_NODE_HTTP_TOKEN_FILE";
            Failure::Usage(format!("the node asks for a token: {how}"))
        }
        _ => Failure::Usage(document.detail),
    }
}
