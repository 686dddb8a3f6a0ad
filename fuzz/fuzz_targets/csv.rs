//! `fuzz/run 60 csv`.

#![no_main]

use watershed_fuzz::sources;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sources::MEMORY.keep(bytes, sources::csv));
