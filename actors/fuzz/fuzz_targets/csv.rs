//! `cargo +nightly fuzz run csv`, in the folder above.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| watershed_actors_fuzz::csv(bytes));
