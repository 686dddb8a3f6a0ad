//! `cargo +nightly fuzz run json`, in the folder above.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| watershed_actors_fuzz::json(bytes));
