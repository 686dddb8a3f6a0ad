//! `cargo +nightly fuzz run clocks`, in the folder above.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| watershed_protocol_fuzz::clocks(bytes));
