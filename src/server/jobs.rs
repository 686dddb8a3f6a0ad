//! The jobs of the cluster: `/api/v1/jobs`.

use std::collections::BTreeMap;

use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, web};
use serde_json::Value;
use watershed_runtime::cluster::{Answer, JobSpec, NodeHandle, Request};

use crate::body::Json;
use crate::problem::Problem;
use crate::view::{Cancel, JobView, Jobs, Nothing, Rescale, Savepoint, Submit, Submitted};

type Node = web::Data<NodeHandle>;
type Answered = Result<HttpResponse, Problem>;

pub(crate) async fn list(node: Node) -> Answered {
    let jobs = all(&node).await?.into_iter().map(JobView::from).collect();
    Ok(HttpResponse::Ok().json(Jobs { jobs }))
}

/// How all jobs stand.
pub(crate) async fn all(node: &NodeHandle) -> Result<Vec<watershed_runtime::cluster::JobReport>, Problem> {
    match node.request(Request::Jobs).await? {
        Answer::Jobs(reports) => Ok(reports),
        _ => Err(Problem::misunderstood()),
    }
}

pub(crate) async fn submit(node: Node, Json(submit): Json<Submit>) -> Answered {
    let Submit { name, pipeline, parameters, settings, parallelism, placement, submitted_by } = submit;
    let parallelism = match parallelism {
        Some(0) => return Err(Problem::invalid("a parallelism of 0 does nothing: take 1 or more")),
        Some(parallelism) => parallelism,
        None => one_for_each_node(&node).await?,
    };
    let spec = JobSpec {
        parameters: texts("parameters", parameters)?,
        settings: texts("settings", settings)?,
        parallelism,
        placement: placement.into(),
        submitted_by: submitted_by.unwrap_or_default(),
        pipeline: pipeline.clone(),
    };
    match node.request(Request::Submit { name: name.unwrap_or(pipeline), spec }).await? {
        Answer::Submitted { job, number } => {
            let place = format!("/api/v1/jobs/{job}");
            Ok(HttpResponse::Created().insert_header((LOCATION, place)).json(Submitted { job, number }))
        }
        _ => Err(Problem::misunderstood()),
    }
}

/// As many subtasks as there are nodes that take any.
async fn one_for_each_node(node: &NodeHandle) -> Result<u32, Problem> {
    let nodes = crate::nodes::all(node).await?;
    let there = nodes.iter().filter(|node| node.alive && !node.leaving && node.slots > 0).count();
    Ok(u32::try_from(there).unwrap_or(u32::MAX).max(1))
}

/// Values as the texts that the command line would be given.
fn texts(what: &str, values: BTreeMap<String, Value>) -> Result<BTreeMap<String, String>, Problem> {
    let text = |(name, value): (String, Value)| match value {
        Value::String(text) => Ok((name, text)),
        Value::Bool(_) | Value::Number(_) => Ok((name, value.to_string())),
        Value::Null | Value::Array(_) | Value::Object(_) => {
            Err(Problem::invalid(format!("{what}: {name} has to be a text, a number or a boolean")))
        }
    };
    values.into_iter().map(text).collect()
}

pub(crate) async fn status(node: Node, job: web::Path<String>) -> Answered {
    Ok(HttpResponse::Ok().json(JobView::from(one(&node, job.into_inner()).await?)))
}

/// How a job stands.
pub(crate) async fn one(
    node: &NodeHandle,
    job: String,
) -> Result<watershed_runtime::cluster::JobReport, Problem> {
    match node.request(Request::Status { job }).await? {
        Answer::Job(report) => Ok(*report),
        _ => Err(Problem::misunderstood()),
    }
}

pub(crate) async fn forget(node: Node, job: web::Path<String>) -> Answered {
    done(node.request(Request::Remove { job: job.into_inner() }).await?)
}

pub(crate) async fn rescale(
    node: Node,
    job: web::Path<String>,
    Json(Rescale { parallelism }): Json<Rescale>,
) -> Answered {
    done(node.request(Request::Rescale { job: job.into_inner(), parallelism }).await?)
}

pub(crate) async fn cancel(
    node: Node,
    job: web::Path<String>,
    Json(Cancel { how }): Json<Cancel>,
) -> Answered {
    taken(node.request(Request::Cancel { job: job.into_inner(), how }).await?)
}

pub(crate) async fn resume(node: Node, job: web::Path<String>, Json(Nothing {}): Json<Nothing>) -> Answered {
    done(node.request(Request::Resume { job: job.into_inner() }).await?)
}

pub(crate) async fn savepoint(
    node: Node,
    job: web::Path<String>,
    Json(Nothing {}): Json<Nothing>,
) -> Answered {
    taken(node.request(Request::Savepoint { job: job.into_inner() }).await?)
}

fn done(answer: Answer) -> Answered {
    match answer {
        Answer::Done => Ok(HttpResponse::NoContent().finish()),
        _ => Err(Problem::misunderstood()),
    }
}

fn taken(answer: Answer) -> Answered {
    match answer {
        Answer::Savepoint { job, epoch } => Ok(HttpResponse::Ok().json(Savepoint { job, checkpoint: epoch })),
        _ => Err(Problem::misunderstood()),
    }
}
