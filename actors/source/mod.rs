//! Entrances: generated records; files of text, CSV and JSON.
//!
//! Where the bytes come from and what they mean are chosen apart: a source of bytes takes a [`Decode`].

mod decode;
mod dice;
mod file;
mod generator;
mod pace;

pub use decode::{CsvRow, Decode, Json, MESSAGE_DEPTH_MAX, MessagePack, Parse, Refusal, Text, Words};
pub use dice::Dice;
pub use file::{Csv, FileRange, FileReader, Files, JsonLines, Lines, ROW_BYTES_MAX};
pub use generator::{Generator, GeneratorReader, Numbers, TimedBy, Timing, Untimed};
