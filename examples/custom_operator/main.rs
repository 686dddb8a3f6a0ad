//! `cargo run --example custom_operator -- run custom-operator`

#[path = "mod.rs"]
mod custom_operator;

fn main() -> std::process::ExitCode {
    watershed::main(custom_operator::register(watershed::App::new("custom-operator")))
}
