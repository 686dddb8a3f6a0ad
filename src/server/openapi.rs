//! What can be asked, and what is answered: `/api/v1/openapi.json`.

use actix_web::HttpResponse;

/// The document, kept by hand; a test compares it with the routes and with real answers.
pub(crate) const DOCUMENT: &str = include_str!("openapi.json");

pub(crate) async fn show() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(DOCUMENT)
}
