//! `cargo run --example word_count -- run word-count`

#[path = "mod.rs"]
mod word_count;

fn main() -> std::process::ExitCode {
    watershed::main(word_count::register(watershed::App::new("word-count")))
}
