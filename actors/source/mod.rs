//! Entrances: generated records.

mod dice;
mod generator;
mod pace;

pub use dice::Dice;
pub use generator::{Generator, GeneratorReader, Numbers, TimedBy, Timing, Untimed};
