//! `cargo +nightly fuzz run frames`, in the folder above.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| watershed_wire_fuzz::frames(bytes));
