//! What is wrong with a request, as a problem document (RFC 9457).

mod query;

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, HeaderValue, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use watershed_runtime::cluster::{self, ProblemKind};

/// The code of a problem document which says that no node leads: nothing was done, so that it can be asked again.
pub const NOT_LEADING: &str = "not-leading";

/// A problem document. Its `type` is `about:blank`, so that its title is the status's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// What kind of problem it is.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status in words.
    pub title: String,
    /// The status.
    pub status: u16,
    /// What is wrong, and what to do.
    pub detail: String,
    /// What kind of error it is, for programs, where a question about state is not answered (`rolled-back`), or
    /// where [nobody leads](NOT_LEADING).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What else is known of it.
    #[serde(flatten)]
    pub members: Map<String, Value>,
}

/// What is wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub(crate) struct Problem {
    status: StatusCode,
    detail: String,
    /// The methods there are, where another one was used.
    allow: Option<&'static str>,
    code: Option<String>,
    members: Map<String, Value>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Problem { status, detail: detail.into(), allow: None, code: None, members: Map::new() }
    }

    pub(crate) fn method(allow: &'static str) -> Self {
        let detail = format!("this method is none of those that there are here: {allow}");
        Problem { allow: Some(allow), ..Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail) }
    }

    pub(crate) fn unknown_path() -> Self {
        let detail = "there is nothing at this path; /api/v1/openapi.json says what there is";
        Problem::new(StatusCode::NOT_FOUND, detail)
    }

    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
    }

    pub(crate) fn document(&self) -> Document {
        Document {
            kind: "about:blank".to_owned(),
            title: self.status.canonical_reason().unwrap_or("Problem").to_owned(),
            status: self.status.as_u16(),
            detail: self.detail.clone(),
            code: self.code.clone(),
            members: self.members.clone(),
        }
    }

    /// More came than is taken.
    pub(crate) fn too_large(what: &str, max: usize) -> Self {
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, format!("{what} is larger than {max} bytes"))
    }

    /// What is known cannot be told.
    pub(crate) fn broken(detail: impl Into<String>) -> Self {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
    }

    /// The same, with its kind for programs.
    pub(crate) fn coded(self, code: &str) -> Self {
        Problem { code: Some(code.to_owned()), ..self }
    }

    /// An answer that fits to no question: the nodes run different programs.
    pub(crate) fn misunderstood() -> Self {
        Problem::new(StatusCode::BAD_GATEWAY, "the leader gave another answer than was asked for")
    }
}

impl From<cluster::Problem> for Problem {
    fn from(problem: cluster::Problem) -> Self {
        let status = match problem.kind {
            ProblemKind::NotFound => StatusCode::NOT_FOUND,
            ProblemKind::Conflict => StatusCode::CONFLICT,
            ProblemKind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
            ProblemKind::Unavailable | ProblemKind::NotLeading => StatusCode::SERVICE_UNAVAILABLE,
        };
        let said = Problem::new(status, problem.what);
        match problem.kind {
            ProblemKind::NotLeading => said.coded(NOT_LEADING),
            ProblemKind::NotFound
            | ProblemKind::Conflict
            | ProblemKind::Invalid
            | ProblemKind::Unavailable => said,
        }
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        response.content_type("application/problem+json");
        if let Some(allow) = self.allow {
            response.insert_header((ALLOW, HeaderValue::from_static(allow)));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response.insert_header((WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")));
        }
        response.body(serde_json::to_vec(&self.document()).expect("a document is plain data"))
    }
}
