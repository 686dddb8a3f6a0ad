//! `fuzz/run 60 message_pack`.

#![no_main]

use watershed_fuzz::sources;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sources::MEMORY.keep(bytes, sources::message_pack));
