//! `fuzz/run 60 requests`.

#![no_main]

use watershed_fuzz::server;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| server::MEMORY.keep(bytes, server::requests));
