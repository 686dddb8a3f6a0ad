//! Who may pass: those with the token, and no page of a stranger that a browser here happens to show.
//!
//! A browser sends requests to any address that a page names. Two things tell them from a person's: the page's own origin
//! stands in `Origin`, and where the page's host name was made to point here (DNS rebinding), that name stands in `Host`.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, HOST, HeaderName, ORIGIN};
use actix_web::middleware::Next;
use actix_web::{Error, web};

use crate::config::{Access, ServerConfig};
use crate::problem::Problem;
use crate::unread::Reader;

/// The paths that say no more than that there is a node.
const FREE: [&str; 2] = ["/healthz", "/readyz"];

/// Lets a request pass or not.
pub(crate) async fn pass(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let reader = Reader::keep(&mut request);
    let config = request.app_data::<web::Data<ServerConfig>>().expect("the routes have it");
    let answer = match judge(&request, &config.access) {
        Ok(()) => next.call(request).await?.map_into_boxed_body(),
        Err(problem) => request.error_response(problem),
    };
    Ok(reader.until_written(answer))
}

fn judge(request: &ServiceRequest, access: &Access) -> Result<(), Problem> {
    let header = |name: HeaderName| request.headers().get(name).map(|value| value.to_str().unwrap_or("?"));
    let host = header(HOST).unwrap_or_default();
    if let Some(origin) = header(ORIGIN)
        && origin.split_once("://").is_none_or(|(_, page)| page != host)
    {
        let detail =
            "the request comes from a page of another origin, which may not speak for whoever looks at it";
        return Err(Problem::new(StatusCode::FORBIDDEN, detail));
    }
    match access {
        Access::Open => Ok(()),
        Access::Loopback if is_named_by_address(host) => Ok(()),
        Access::Loopback => {
            let detail = "name the node by its address or as localhost: other names may be a stranger's";
            Err(Problem::new(StatusCode::FORBIDDEN, detail))
        }
        Access::Token(token) => {
            let bearer = header(AUTHORIZATION).and_then(|given| given.strip_prefix("Bearer "));
            // Hashes are compared in constant time.
            let is_right = bearer
                .is_some_and(|given| blake3::hash(given.trim().as_bytes()) == blake3::hash(token.as_bytes()));
            if is_right || FREE.contains(&request.path()) {
                return Ok(());
            }
            let detail = "send the node's token: Authorization: Bearer TOKEN";
            Err(Problem::new(StatusCode::UNAUTHORIZED, detail))
        }
    }
}

/// Whether a host is one that no stranger's name server can make point elsewhere.
fn is_named_by_address(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || address.parse::<std::net::IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_an_address_or_this_one() {
        for host in ["127.0.0.1:7180", "localhost", "LOCALHOST:80", "[::1]:7180", "192.168.0.7"] {
            assert!(is_named_by_address(host), "{host}");
        }
        for host in ["evil.example", "evil.example:7180", "", "127.0.0.1.evil.example:7180"] {
            assert!(!is_named_by_address(host), "{host}");
        }
    }
}
