//! `fuzz/run 60 batches`.

#![no_main]

use watershed_fuzz::wire;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wire::MEMORY.keep(bytes, wire::batches));
