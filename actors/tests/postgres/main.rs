//! The sink for PostgreSQL, against a real server that each test brings along.
//!
//! Where no PostgreSQL is installed, each test prints its name and that it was skipped, and passes.

#![expect(clippy::unwrap_used, reason = "a test that is surprised has failed")]

mod in_doubt;
mod outages;
mod prepared;
mod proxy;
mod server;
mod shapes;
mod site;
mod staged;
