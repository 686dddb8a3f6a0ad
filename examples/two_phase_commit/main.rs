//! `cargo run --example two_phase_commit -- run two-phase-commit`

#[path = "mod.rs"]
mod two_phase_commit;

fn main() -> std::process::ExitCode {
    watershed::main(two_phase_commit::register(watershed::App::new("two-phase-commit")))
}
