//! `cargo +nightly fuzz run requests`, in the folder above.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| watershed_server_fuzz::requests(bytes));
