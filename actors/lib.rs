//! Built-in sources, operators, windows, joins, resolvers and sinks: the model for custom ones.
//!
//! Everything here stands on the public face of `watershed_core` and nothing else: what is built in, a
//! stranger's crate could have brought.

pub mod aggregate;
pub mod join;
pub mod operator;
pub mod resolver;
pub mod sink;
pub mod source;
pub mod window;
