//! `fuzz/run 60 clocks`.

#![no_main]

use watershed_fuzz::protocol;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| protocol::MEMORY.keep(bytes, protocol::clocks));
