//! The state of a job, asked for and changed key by key: `/api/v1/jobs/{job}/state/{state}`.
//!
//! Whichever node is asked answers: from its own replica, or from that of a node that has one. What is asked is checked
//! here, before any of that.

use actix_web::http::header::HeaderName;
use actix_web::{HttpRequest, HttpResponse, web};
use watershed_runtime::cluster::NodeHandle;
use watershed_runtime::query::Found;

use crate::body::{Exact, depth, said};
use crate::config::ServerConfig;
use crate::name;
use crate::problem::Problem;
use crate::view::{AskState, AwaitDurable, ChangeState, DurableView, LevelView, StateView};

type Node = web::Data<NodeHandle>;
type Place = web::Path<(String, String)>;
type Answered = Result<HttpResponse, Problem>;

/// The header of [`TOKEN_HEADER`](crate::view::TOKEN_HEADER).
static TOKEN: HeaderName = HeaderName::from_static("watershed-token");

pub(crate) async fn ask(
    node: Node,
    config: web::Data<ServerConfig>,
    place: Place,
    request: HttpRequest,
) -> Answered {
    let (job, state) = named(place)?;
    let asked = web::Query::<AskState>::from_query(request.query_string())
        .map_err(|error| Problem::invalid(format!("the address does not fit: {}", said(&error))))?;
    if asked.key.len() > config.key_bytes_max {
        return Err(Problem::too_large("the key", config.key_bytes_max));
    }
    if depth(asked.key.as_bytes()) > config.json_depth_max {
        let max = config.json_depth_max;
        return Err(Problem::invalid(format!("the key is nested deeper than {max} levels")));
    }
    let question = asked.question(&state, token(&request)?).map_err(misput)?;
    let (key, level) = (question.key.clone(), LevelView::from(question.level));
    let found = node.query(&job, question).await?;
    answered(&state, &key, Some(level), found)
}

pub(crate) async fn change(
    node: Node,
    place: Place,
    request: HttpRequest,
    Exact(change): Exact<ChangeState>,
) -> Answered {
    let (job, state) = named(place)?;
    let update = change.update(&state, token(&request)?).map_err(misput)?;
    let key = update.key.clone();
    let found = node.update(&job, update).await?;
    answered(&state, &key, None, found)
}

/// Waits until no failure undoes any more what the token has seen.
pub(crate) async fn await_durable(node: Node, job: web::Path<String>, request: HttpRequest) -> Answered {
    let job = job.into_inner();
    name::job(&job)?;
    let asked = web::Query::<AwaitDurable>::from_query(request.query_string())
        .map_err(|error| Problem::invalid(format!("the address does not fit: {}", said(&error))))?;
    let wait = asked.wait().map_err(misput)?;
    let token = token(&request)?.ok_or_else(|| {
        Problem::invalid("no token says what has to be durable: send Watershed-Token").coded("token-invalid")
    })?;
    let found = node.await_durable(&job, token, wait).await?;
    Ok(HttpResponse::Ok().json(DurableView::new(&job, found)))
}

/// The names of the job and of its state.
fn named(place: Place) -> Result<(String, String), Problem> {
    let (job, state) = place.into_inner();
    name::job(&job)?;
    name::state(&state)?;
    Ok((job, state))
}

/// What the asker has seen.
fn token(request: &HttpRequest) -> Result<Option<String>, Problem> {
    let text = request.headers().get(&TOKEN).map(|token| token.to_str().map(|token| token.trim().to_owned()));
    let text = text.transpose().map_err(|_| {
        Problem::invalid("the token holds what no token holds: send the one that you were given")
            .coded("token-invalid")
    })?;
    Ok(text.filter(|token| !token.is_empty()))
}

/// What is put wrongly, in a line.
fn misput(why: String) -> Problem {
    Problem::invalid(said(&why))
}

fn answered(state: &str, key: &[u8], level: Option<LevelView>, found: Found) -> Answered {
    let view = StateView::new(state, key, level, found).map_err(Problem::broken)?;
    Ok(HttpResponse::Ok().insert_header((TOKEN.clone(), view.token.as_str())).json(&view))
}
