//! `cargo run --example sessions -- run sessions`

#[path = "mod.rs"]
mod sessions;

fn main() -> std::process::ExitCode {
    watershed::main(sessions::register(watershed::App::new("sessions")))
}
