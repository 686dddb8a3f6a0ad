//! The nodes of the cluster: `/api/v1/nodes`.

use actix_web::{HttpResponse, web};
use watershed_runtime::cluster::{Answer, NodeHandle, NodeReport, Request};

use crate::problem::Problem;
use crate::view::Nodes;

pub(crate) async fn list(node: web::Data<NodeHandle>) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::Ok().json(Nodes { nodes: all(&node).await? }))
}

/// All nodes, as the leader knows them.
pub(crate) async fn all(node: &NodeHandle) -> Result<Vec<NodeReport>, Problem> {
    match node.request(Request::Nodes).await? {
        Answer::Nodes(nodes) => Ok(nodes),
        _ => Err(Problem::misunderstood()),
    }
}
