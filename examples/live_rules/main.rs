//! `cargo run --example live_rules -- run live-rules`

#[path = "mod.rs"]
mod live_rules;

fn main() -> std::process::ExitCode {
    watershed::main(live_rules::register(watershed::App::new("live-rules")))
}
