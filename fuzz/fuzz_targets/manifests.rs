//! `fuzz/run 60 manifests`.

#![no_main]

use watershed_fuzz::state;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| state::MEMORY.keep(bytes, state::manifests));
