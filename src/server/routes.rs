//! Which path leads where.

use actix_web::http::Method;
use actix_web::{Resource, Responder, guard, web};

use crate::problem::Problem;
use crate::{checkpoints, health, jobs, metrics, nodes, openapi, states};

/// All paths, with their methods.
#[cfg(test)]
pub(crate) const ROUTES: [(&str, &str); 14] = [
    ("/api/v1/jobs", "GET, HEAD, POST"),
    ("/api/v1/jobs/{job}", "GET, HEAD, DELETE"),
    ("/api/v1/jobs/{job}/cancel", "POST"),
    ("/api/v1/jobs/{job}/resume", "POST"),
    ("/api/v1/jobs/{job}/savepoint", "POST"),
    ("/api/v1/jobs/{job}/rescale", "POST"),
    ("/api/v1/jobs/{job}/checkpoints", "GET, HEAD"),
    ("/api/v1/jobs/{job}/state/{state}", "GET, HEAD, POST"),
    ("/api/v1/jobs/{job}/durable", "GET, HEAD"),
    ("/api/v1/nodes", "GET, HEAD"),
    ("/api/v1/openapi.json", "GET, HEAD"),
    ("/metrics", "GET, HEAD"),
    ("/healthz", "GET, HEAD"),
    ("/readyz", "GET, HEAD"),
];

/// Lays the paths.
pub(crate) fn lay(app: &mut web::ServiceConfig) {
    app.service(
        path("/api/v1/jobs", "GET, HEAD, POST")
            .route(get().to(jobs::list))
            .route(web::post().to(jobs::submit)),
    );
    app.service(
        path("/api/v1/jobs/{job}", "GET, HEAD, DELETE")
            .route(get().to(jobs::status))
            .route(web::delete().to(jobs::forget)),
    );
    app.service(path("/api/v1/jobs/{job}/cancel", "POST").route(web::post().to(jobs::cancel)));
    app.service(path("/api/v1/jobs/{job}/resume", "POST").route(web::post().to(jobs::resume)));
    app.service(path("/api/v1/jobs/{job}/savepoint", "POST").route(web::post().to(jobs::savepoint)));
    app.service(path("/api/v1/jobs/{job}/rescale", "POST").route(web::post().to(jobs::rescale)));
    app.service(path("/api/v1/jobs/{job}/checkpoints", "GET, HEAD").route(get().to(checkpoints::list)));
    app.service(
        path("/api/v1/jobs/{job}/state/{state}", "GET, HEAD, POST")
            .route(get().to(states::ask))
            .route(web::post().to(states::change)),
    );
    app.service(path("/api/v1/jobs/{job}/durable", "GET, HEAD").route(get().to(states::await_durable)));
    app.service(path("/api/v1/nodes", "GET, HEAD").route(get().to(nodes::list)));
    app.service(path("/api/v1/openapi.json", "GET, HEAD").route(get().to(openapi::show)));
    app.service(path("/metrics", "GET, HEAD").route(get().to(metrics::show)));
    app.service(path("/healthz", "GET, HEAD").route(get().to(health::alive)));
    app.service(path("/readyz", "GET, HEAD").route(get().to(health::ready)));
    app.default_service(web::to(|| async { nothing::<&str>() }));
}

/// Lays the paths of a job that runs in this process alone.
pub(crate) fn lay_for_job(app: &mut web::ServiceConfig) {
    app.service(path("/metrics", "GET, HEAD").route(get().to(metrics::show_job)));
    app.service(path("/healthz", "GET, HEAD").route(get().to(health::alive)));
    app.default_service(web::to(|| async { nothing::<&str>() }));
}

fn nothing<T: Responder>() -> Result<T, Problem> {
    Err(Problem::unknown_path())
}

/// A path that answers other methods than its own with those that it has.
fn path(path: &str, methods: &'static str) -> Resource {
    let other = move || async move { Err::<&str, _>(Problem::method(methods)) };
    web::resource(path).default_service(web::to(other))
}

/// What is only looked at.
fn get() -> actix_web::Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Method(Method::HEAD)))
}
