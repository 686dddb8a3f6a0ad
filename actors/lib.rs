//! Built-in sources, operators, windows and sinks.
