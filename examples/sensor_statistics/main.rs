//! `cargo run --example sensor_statistics -- run sensor-statistics`, and then `.. run sensor-analysis`

#[path = "mod.rs"]
mod sensor_statistics;

fn main() -> std::process::ExitCode {
    watershed::main(sensor_statistics::register(watershed::App::new("sensor-statistics")))
}
