//! `cargo run --example trips -- run trips`

#[path = "mod.rs"]
mod trips;

fn main() -> std::process::ExitCode {
    watershed::main(trips::register(watershed::App::new("trips")))
}
