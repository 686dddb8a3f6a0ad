//! The actix actors that perform what the protocol machines decide.
