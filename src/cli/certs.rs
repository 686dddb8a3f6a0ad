//! `certs`: the certificates by which the nodes of a cluster know each other.

use serde_json::json;
use watershed_link::NodeName;
use watershed_link::certs::create;

use super::answer;
use super::arguments::Certs;
use super::failure::Failure;
use super::settings::Options;

/// Makes an authority, and a certificate for each node.
pub(super) fn make(arguments: &Certs, options: &Options) -> Result<(), Failure> {
    let usage = |why: &dyn std::fmt::Display| Failure::Usage(why.to_string());
    let names: Result<Vec<NodeName>, _> = arguments.nodes.iter().map(|node| NodeName::new(node)).collect();
    let names = names.map_err(|error| usage(&error))?;
    let files = create(&arguments.out, &arguments.cluster, &names).map_err(|error| usage(&error))?;
    if options.json {
        let made = names.iter().zip(&files).map(|(node, files)| {
            json!({ "node": node.as_str(), "ca": files.ca, "certificate": files.certificate, "key": files.key })
        });
        return answer(&json!({ "nodes": made.collect::<Vec<_>>() }).to_string());
    }
    let lines = names.iter().zip(&files).map(|(node, files)| {
        let (ca, certificate, key) = (files.ca.display(), files.certificate.display(), files.key.display());
        format!("{node}: --tls-ca {ca} --tls-cert {certificate} --tls-key {key}")
    });
    answer(&lines.collect::<Vec<_>>().join("\n"))
}
