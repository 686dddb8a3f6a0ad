//! `cargo run --release --example flight_delays -- run flight-delays --set output=out/delays`

#[path = "mod.rs"]
mod flight_delays;

fn main() -> std::process::ExitCode {
    watershed::main(flight_delays::register(watershed::App::new("flight-delays")))
}
