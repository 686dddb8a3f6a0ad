//! A node in this process and what it answers over HTTP, byte by byte.

mod api;
mod bad_input;
mod node;
mod schema;
mod states;
