//! `cargo +nightly fuzz run batches`, in the folder above.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| watershed_wire_fuzz::batches(bytes));
