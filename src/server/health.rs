//! Whether the node lives, and whether it takes part: `/healthz`, `/readyz`.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use serde_json::json;
use watershed_runtime::cluster::NodeHandle;

use crate::problem::Problem;

/// The process answers.
pub(crate) async fn alive() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "alive": true }))
}

/// A leader is known, and this node is it or has a link to it.
pub(crate) async fn ready(node: web::Data<NodeHandle>) -> Result<HttpResponse, Problem> {
    let unready = |detail: String| Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail);
    let leader = node.leader().ok_or_else(|| {
        unready("no node leads the cluster: see that a majority of its coordinators runs".to_owned())
    })?;
    let is_linked =
        || node.links().peers().iter().any(|peer| peer.node.as_str() == leader && peer.up.is_some());
    if leader == node.node() || is_linked() {
        Ok(HttpResponse::Ok().json(json!({ "ready": true, "node": node.node(), "leader": leader })))
    } else {
        Err(unready(format!("node {leader} leads the cluster, and this node has no link to it")))
    }
}
