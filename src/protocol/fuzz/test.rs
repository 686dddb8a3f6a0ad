//! The fuzz targets, on a corpus and on what becomes of it by chance.

#[expect(unreachable_pub, reason = "it is a crate of its own to cargo-fuzz")]
#[path = "../../wire/fuzz/memory.rs"]
mod memory;
#[path = "../../wire/fuzz/play.rs"]
mod play;
#[expect(unreachable_pub, reason = "it is a crate of its own to cargo-fuzz")]
mod targets;

use play::{Game, corpus};

fn play(target: fn(&[u8]), folder: &str, seed: u64) {
    Game::of(target, targets::MEMORY, corpus(env!("CARGO_MANIFEST_DIR"), &[folder]), seed).play();
}

#[test]
fn no_bytes_do_harm_as_tokens() {
    play(targets::tokens, "fuzz/corpus/tokens", 6);
}

#[test]
fn no_bytes_do_harm_as_clocks() {
    play(targets::clocks, "fuzz/corpus/clocks", 7);
}
