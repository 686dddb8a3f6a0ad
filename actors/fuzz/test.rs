//! The fuzz targets, on a corpus and on what becomes of it by chance.

#[expect(unreachable_pub, reason = "it is a crate of its own to cargo-fuzz")]
#[path = "../../src/wire/fuzz/memory.rs"]
mod memory;
#[path = "../../src/wire/fuzz/play.rs"]
mod play;
#[expect(unreachable_pub, reason = "it is a crate of its own to cargo-fuzz")]
mod targets;

use play::{Game, corpus};

/// What rows and JSON are made of.
const SIGNS: &[u8] = b"\"\"\",,\n\r\t{}[]:0-1e.\\u \xff\0";

fn game(target: fn(&[u8]), folder: &str, seed: u64) -> Game {
    Game::of(target, targets::MEMORY, corpus(env!("CARGO_MANIFEST_DIR"), &[folder]), seed)
}

#[test]
fn no_bytes_do_harm_as_csv() {
    Game { telling: SIGNS, ..game(targets::csv, "fuzz/corpus/csv", 8) }.play();
}

#[test]
fn no_bytes_do_harm_as_json() {
    Game { telling: SIGNS, ..game(targets::json, "fuzz/corpus/json", 9) }.play();
}

#[test]
fn no_bytes_do_harm_as_messages() {
    game(targets::message_pack, "fuzz/corpus/message_pack", 10).play();
}

#[test]
fn no_bytes_do_harm_as_text() {
    Game { telling: SIGNS, ..game(targets::text, "fuzz/corpus/csv", 11) }.play();
}
