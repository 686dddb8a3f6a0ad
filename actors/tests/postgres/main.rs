//! The sink for PostgreSQL, against a real server that each test brings along.
//!
//! Where no PostgreSQL is installed, each test passes over itself, unless `REQUIRE=postgres` is set.

#![expect(clippy::unwrap_used, reason = "a test that is surprised has failed")]

mod in_doubt;
mod outages;
mod prepared;
mod proxy;
mod server;
mod shapes;
mod site;
mod staged;
