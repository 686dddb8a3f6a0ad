//! The pipelines of the stock binary: those of `examples/`.
//!
//! A pipeline is the module `examples/NAME/mod.rs`, beside a `main.rs` that makes it a program of its own
//! (`cargo run --example NAME`). The module is included here by its path, because it needs the facade and the
//! facade's package holds this binary: a crate of examples between the two would close a circle.
//!
//! To add one: a `mod` with its path, and a `.with(..)`.

use watershed::App;

#[path = "../examples/custom_operator/mod.rs"]
mod custom_operator;
#[path = "../examples/custom_sink/mod.rs"]
mod custom_sink;
#[path = "../examples/custom_source/mod.rs"]
mod custom_source;
#[path = "../examples/flight_delays/mod.rs"]
mod flight_delays;
#[path = "../examples/hello/mod.rs"]
mod hello;
#[path = "../examples/inventory/mod.rs"]
mod inventory;
#[path = "../examples/live_rules/mod.rs"]
mod live_rules;
#[path = "../examples/sensor_consensus/mod.rs"]
mod sensor_consensus;
#[path = "../examples/sensor_statistics/mod.rs"]
mod sensor_statistics;
#[path = "../examples/sessions/mod.rs"]
mod sessions;
#[path = "../examples/trips/mod.rs"]
mod trips;
#[path = "../examples/two_phase_commit/mod.rs"]
mod two_phase_commit;
#[path = "../examples/word_count/mod.rs"]
mod word_count;

/// Registers all of them.
pub(crate) fn register(app: App) -> App {
    app.with(hello::register)
        .with(flight_delays::register)
        .with(word_count::register)
        .with(sensor_statistics::register)
        .with(sensor_consensus::register)
        .with(custom_operator::register)
        .with(trips::register)
        .with(custom_source::register)
        .with(custom_sink::register)
        .with(two_phase_commit::register)
        .with(live_rules::register)
        .with(inventory::register)
        .with(sessions::register)
}
