//! Entrances: generators, files, sockets.
