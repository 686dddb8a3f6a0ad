//! `cargo run --example custom_source -- run custom-source`

#[path = "mod.rs"]
mod custom_source;

fn main() -> std::process::ExitCode {
    watershed::main(custom_source::register(watershed::App::new("custom-source")))
}
