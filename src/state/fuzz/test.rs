//! The fuzz targets, on a corpus and on what becomes of it by chance.

#[expect(unreachable_pub, reason = "it is a crate of its own to cargo-fuzz")]
#[path = "../../wire/fuzz/memory.rs"]
mod memory;
#[path = "../../wire/fuzz/play.rs"]
mod play;
#[expect(unreachable_pub, reason = "it is a crate of its own to cargo-fuzz")]
mod targets;

use play::{Game, corpus};

fn play(target: fn(&[u8]), folders: &[&str], seed: u64) {
    Game::of(target, targets::MEMORY, corpus(env!("CARGO_MANIFEST_DIR"), folders), seed).play();
}

#[test]
fn no_bytes_do_harm_as_snapshots() {
    play(targets::snapshots, &["golden", "fuzz/corpus/snapshots"], 3);
}

#[test]
fn no_bytes_do_harm_as_manifests() {
    play(targets::manifests, &["golden", "fuzz/corpus/manifests"], 4);
}

#[test]
fn no_bytes_do_harm_as_documents() {
    play(targets::documents, &["fuzz/corpus/documents"], 5);
}
