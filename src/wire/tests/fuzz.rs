//! The fuzz targets, on a corpus and on what becomes of it by chance.

#[expect(unreachable_pub, reason = "it is a crate of its own to cargo-fuzz")]
#[path = "../fuzz/memory.rs"]
mod memory;
#[path = "../fuzz/play.rs"]
mod play;
#[expect(unreachable_pub, reason = "it is a crate of its own to cargo-fuzz")]
#[path = "../fuzz/targets.rs"]
mod targets;

use play::{Game, corpus};

fn play(target: fn(&[u8]), folder: &str, seed: u64) {
    let corpus = corpus(env!("CARGO_MANIFEST_DIR"), &["golden", folder]);
    Game { inputs: 100_000, ..Game::of(target, targets::MEMORY, corpus, seed) }.play();
}

#[test]
fn no_bytes_do_harm_as_frames() {
    play(targets::frames, "fuzz/corpus/frames", 1);
}

#[test]
fn no_bytes_do_harm_as_batches() {
    play(targets::batches, "fuzz/corpus/batches", 2);
}
