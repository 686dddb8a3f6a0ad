//! The fuzz targets, on a corpus and on what becomes of it by chance.

#![expect(clippy::unwrap_used, reason = "a test that is surprised has failed")]

#[expect(unreachable_pub, reason = "it is a crate of its own to cargo-fuzz")]
#[path = "../../wire/fuzz/memory.rs"]
mod memory;
#[path = "../../wire/fuzz/play.rs"]
mod play;
#[expect(unreachable_pub, reason = "it is a crate of its own to cargo-fuzz")]
mod targets;

use play::{Game, corpus};
// The node is written for the tests within the crate, which have these at their root.
use watershed_server::{Access, Server, ServerConfig};

/// What JSON and HTTP are made of.
const SIGNS: &[u8] = b"\"\",{}[]:0-1e.\\u \xff\0\r\n/?%;";

fn play(target: fn(&[u8]), folder: &str, seed: u64) {
    let corpus = corpus(env!("CARGO_MANIFEST_DIR"), &[folder]);
    Game { telling: SIGNS, inputs: 500, ..Game::of(target, targets::MEMORY, corpus, seed) }.play();
}

#[test]
fn no_bytes_do_harm_as_bodies() {
    play(targets::bodies, "fuzz/corpus/bodies", 12);
}

#[test]
fn no_bytes_do_harm_as_requests() {
    play(targets::requests, "fuzz/corpus/requests", 13);
}
