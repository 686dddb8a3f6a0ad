//! `fuzz/run 60 snapshots`.

#![no_main]

use watershed_fuzz::state;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| state::MEMORY.keep(bytes, state::snapshots));
