//! `cargo +nightly fuzz run manifests`, in the folder above.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| watershed_state_fuzz::manifests(bytes));
