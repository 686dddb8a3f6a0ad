//! Entrances: generated records; files of text, CSV and JSON; standard input and sockets.
//!
//! Where the bytes come from and what they mean are chosen apart: a source of bytes takes a [`Decode`].

mod decode;
mod dice;
mod feed;
mod file;
mod generator;
mod pace;

pub use decode::{CsvRow, Decode, Json, MESSAGE_DEPTH_MAX, MessagePack, Parse, Refusal, Text, Words};
pub use dice::Dice;
pub use feed::{Address, FeedReader, Stdin, TcpConnect, TcpListen, Udp};
pub use file::{Csv, FileRange, FileReader, Files, JsonLines, Lines, ROW_BYTES_MAX};
pub use generator::{Generator, GeneratorReader, Numbers, TimedBy, Timing, Untimed};
