//! `cargo run --example sensor_consensus -- run sensor-consensus`

#[path = "mod.rs"]
mod sensor_consensus;

fn main() -> std::process::ExitCode {
    watershed::main(sensor_consensus::register(watershed::App::new("sensor-consensus")))
}
