//! `cargo +nightly fuzz run bodies`, in the folder above.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| watershed_server_fuzz::bodies(bytes));
