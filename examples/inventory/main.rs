//! `cargo run --example inventory -- run inventory`

#[path = "mod.rs"]
mod inventory;

fn main() -> std::process::ExitCode {
    watershed::main(inventory::register(watershed::App::new("inventory")))
}
