//! `[node]`: how a node takes part in a cluster, and where commands find one.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Settings;
use crate::cli::arguments::Node;
use crate::cli::failure::Failure;

/// What is set of a node, under the names by which it is set.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::cli) struct NodeOptions {
    /// The host's name where there is none.
    pub(in crate::cli) name: Option<String>,
    pub(in crate::cli) cluster: String,
    pub(in crate::cli) listen: String,
    pub(in crate::cli) advertise: Option<String>,
    pub(in crate::cli) http: String,
    pub(in crate::cli) http_token_file: Option<String>,
    pub(in crate::cli) http_open: bool,
    pub(in crate::cli) coordinators: Vec<String>,
    /// One for each core where there is none.
    pub(in crate::cli) slots: Option<u32>,
    pub(in crate::cli) data: Option<String>,
    pub(in crate::cli) checkpoints: Option<String>,
    pub(in crate::cli) tls_ca: Option<String>,
    pub(in crate::cli) tls_cert: Option<String>,
    pub(in crate::cli) tls_key: Option<String>,
    pub(in crate::cli) plain: bool,
    pub(in crate::cli) compress: bool,
    pub(in crate::cli) leave_within: Duration,
    /// Where commands find the cluster.
    pub(in crate::cli) url: Vec<String>,
    /// For how long commands ask a cluster again that does not answer yet.
    pub(in crate::cli) within: Duration,
}

impl Default for NodeOptions {
    fn default() -> Self {
        NodeOptions {
            name: None,
            cluster: "watershed".to_owned(),
            listen: "127.0.0.1:7100".to_owned(),
            advertise: None,
            http: "127.0.0.1:7180".to_owned(),
            http_token_file: None,
            http_open: false,
            coordinators: Vec::new(),
            slots: None,
            data: None,
            checkpoints: None,
            tls_ca: None,
            tls_cert: None,
            tls_key: None,
            plain: false,
            compress: false,
            leave_within: Duration::from_secs(30),
            url: vec!["http://127.0.0.1:7180".to_owned()],
            within: Duration::from_secs(10),
        }
    }
}

impl Node {
    /// What is set of a node, and what these flags say of it.
    pub(in crate::cli) fn set(&self, settings: &mut Settings) -> Result<NodeOptions, Failure> {
        let slots = self.slots.map(|slots| slots.to_string());
        let flags = [
            ("name", &self.name),
            ("cluster", &self.cluster),
            ("listen", &self.listen),
            ("advertise", &self.advertise),
            ("http", &self.http),
            ("http_token_file", &self.http_token_file),
            ("coordinators", &self.coordinators),
            ("slots", &slots),
            ("data", &self.data),
            ("checkpoints", &self.checkpoints),
            ("tls_ca", &self.tls_ca),
            ("tls_cert", &self.tls_cert),
            ("tls_key", &self.tls_key),
            ("leave_within", &self.leave_within),
        ];
        for (name, value) in flags {
            if let Some(value) = value {
                settings.node.set(name, value, format!("--{}", name.replace('_', "-")));
            }
        }
        for (name, is_set) in
            [("plain", self.plain), ("compress", self.compress), ("http_open", self.http_open)]
        {
            if is_set {
                settings.node.set(name, "true", format!("--{}", name.replace('_', "-")));
            }
        }
        Ok(settings.node.read()?)
    }
}
