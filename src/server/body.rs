//! The body of a request: JSON, within limits that hold before it is read.

use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use actix_web::{FromRequest, HttpRequest, web};
use futures_util::StreamExt;
use serde::de::DeserializeOwned;
use watershed_state::inexact_number;

use crate::config::ServerConfig;
use crate::problem::Problem;

/// How many characters are said of what is wrong with a body.
const SAID_MAX: usize = 512;

/// What the body of a request says. An empty one says nothing: all is left to the type's default values.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest for Json<T> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let config = config(request);
        let max = config.body_bytes_max;
        let come = come(request, payload.take(), max);
        Box::pin(async move { understand(&come.await?, config.json_depth_max).map(Json) })
    }
}

/// What a body says that holds an update of state: it may be larger, and a number that has no place in 64 bits is refused
/// instead of rounded.
pub(crate) struct Exact<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest for Exact<T> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let config = config(request);
        let max = config.update_bytes_max;
        let come = come(request, payload.take(), max);
        Box::pin(async move {
            let body = come.await?;
            if let Some(number) = str::from_utf8(&body).ok().and_then(inexact_number) {
                return Err(Problem::invalid(said(&format_args!("{number} has more than 64 bits"))));
            }
            understand(&body, config.json_depth_max).map(Exact)
        })
    }
}

fn config(request: &HttpRequest) -> web::Data<ServerConfig> {
    request.app_data::<web::Data<ServerConfig>>().expect("the routes have it").clone()
}

/// The body of a request, once it is there.
fn come(
    request: &HttpRequest,
    payload: Payload,
    max: usize,
) -> impl Future<Output = Result<Vec<u8>, Problem>> + use<> {
    let (announced, within) = (announced(request, max), config(request).body_within);
    async move {
        announced?;
        let read = tokio::time::timeout(within, read(payload, max)).await;
        let late = |_| {
            let detail = format!("the body did not come within {within:?}");
            Problem::new(StatusCode::REQUEST_TIMEOUT, detail)
        };
        read.map_err(late)?
    }
}

/// Judges a body by what the head of the request says of it.
fn announced(request: &HttpRequest, max: usize) -> Result<(), Problem> {
    let headers = request.headers();
    let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    let length = length.and_then(|length| length.parse::<u64>().ok());
    if length.is_some_and(|length| length > max as u64) {
        return Err(Problem::too_large("the body", max));
    }
    let kind = headers.get(CONTENT_TYPE).map(|kind| kind.to_str().unwrap_or_default());
    let essence = kind.map(|kind| kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
    // Without a type it is a page of a browser that posts a form to somebody else's cluster, or an empty body.
    if essence.as_deref() != Some("application/json") {
        let detail = "the body has to be JSON: send Content-Type: application/json";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
    }
    Ok(())
}

async fn read(mut payload: Payload, max: usize) -> Result<Vec<u8>, Problem> {
    let mut body = Vec::new();
    while let Some(part) = payload.next().await {
        let broken = |error| Problem::new(StatusCode::BAD_REQUEST, format!("the body broke off: {error}"));
        let part = part.map_err(broken)?;
        if body.len() + part.len() > max {
            return Err(Problem::too_large("the body", max));
        }
        body.extend_from_slice(&part);
    }
    Ok(body)
}

/// Reads JSON that is not nested too deep.
fn understand<T: DeserializeOwned>(body: &[u8], depth_max: usize) -> Result<T, Problem> {
    let body = if body.iter().all(u8::is_ascii_whitespace) { b"{}".as_slice() } else { body };
    if depth(body) > depth_max {
        let detail = format!("the JSON is nested deeper than {depth_max} levels");
        return Err(Problem::new(StatusCode::BAD_REQUEST, detail));
    }
    serde_json::from_slice(body).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => {
            Problem::invalid(format!("the body does not fit: {}", said(&error)))
        }
        serde_json::error::Category::Io
        | serde_json::error::Category::Syntax
        | serde_json::error::Category::Eof => {
            Problem::new(StatusCode::BAD_REQUEST, format!("the body is not JSON: {}", said(&error)))
        }
    })
}

/// What is wrong, in a line: it quotes names of the body, which may be long and steer a terminal.
pub(crate) fn said(error: &impl std::fmt::Display) -> String {
    let text = error.to_string();
    let plain = text.chars().take(SAID_MAX).flat_map(|c| {
        let is_quote = matches!(c, '"' | '\'' | '\\');
        is_quote.then_some(c).into_iter().chain(c.escape_debug().filter(move |_| !is_quote))
    });
    plain.collect()
}

/// How deep JSON is nested at most, found without recursion.
pub(crate) fn depth(json: &[u8]) -> usize {
    let (mut now, mut most) = (0_usize, 0);
    let (mut quoted, mut escaped) = (false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'[' | b'{' if !quoted => {
                now += 1;
                most = most.max(now);
            }
            b']' | b'}' if !quoted => now = now.saturating_sub(1),
            _ => {}
        }
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_is_counted_outside_of_strings_alone() {
        assert_eq!(depth(br#"{"a":[1,{"b":2}],"c":"[[[[\"[["}"#), 3);
        assert_eq!(depth(b"7"), 0);
        assert_eq!(depth("[".repeat(100_000).as_bytes()), 100_000);
    }

    #[test]
    fn what_is_said_of_a_bad_body_is_one_short_line() {
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Rescale {
            #[expect(dead_code, reason = "it is only read")]
            parallelism: u32,
        }
        let body = format!("{{\"it's\\n\\u001b[31m\\u202e{}\":1}}", "x".repeat(10_000));
        let said = understand::<Rescale>(body.as_bytes(), 2).unwrap_err().to_string();
        assert!(
            said.starts_with(r"the body does not fit: unknown field `it's\n\u{1b}[31m\u{202e}xxx"),
            "{said}"
        );
        assert!(said.len() < 2 * SAID_MAX, "{said}");
    }

    #[test]
    fn a_body_that_is_not_json_is_told_from_one_that_does_not_fit() {
        let status =
            |body: &str| understand::<Vec<u32>>(body.as_bytes(), 2).map_err(|problem| problem.to_string());
        assert_eq!(status("[1,2]"), Ok(vec![1, 2]));
        assert!(status("[1,").unwrap_err().starts_with("the body is not JSON: "));
        assert!(status("[-1]").unwrap_err().starts_with("the body does not fit: "));
        assert_eq!(status("[[[1]]]").unwrap_err(), "the JSON is nested deeper than 2 levels");
    }
}
