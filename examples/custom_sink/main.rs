//! `cargo run --example custom_sink -- run custom-sink`

#[path = "mod.rs"]
mod custom_sink;

fn main() -> std::process::ExitCode {
    watershed::main(custom_sink::register(watershed::App::new("custom-sink")))
}
