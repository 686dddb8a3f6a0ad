//! `cargo +nightly fuzz run text`, in the folder above.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| watershed_actors_fuzz::text(bytes));
