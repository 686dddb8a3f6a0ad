//! Exits: files, tables, sockets, and collections for tests.
