//! `cargo run --example hello -- run hello --set name=you`

#[path = "mod.rs"]
mod hello;

fn main() -> std::process::ExitCode {
    watershed::main(hello::register(watershed::App::new("hello")))
}
