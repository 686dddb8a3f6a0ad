//! `cargo +nightly fuzz run message_pack`, in the folder above.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| watershed_actors_fuzz::message_pack(bytes));
