//! `cargo +nightly fuzz run snapshots`, in the folder above.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| watershed_state_fuzz::snapshots(bytes));
