//! What holds for any bytes that a client or a peer may show: nothing panics, and whatever is read can be written and
//! read again.
//!
//! These are plain functions: a test of the crate calls them with a corpus and what becomes of it by chance, and
//! `cargo fuzz` (which needs a nightly compiler) with what it finds worth trying.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use watershed_core::{ProcessingTime, Run};
use watershed_protocol::causal::{
    ClockReader, FrameClock, KeyId, TOKEN_BYTES_MAX, TOKEN_JOBS_MAX, Token, TokenError, TokenKey,
};

use crate::memory::Memory;

/// What serde sets aside for a list before it has seen what is in it, at a few levels.
pub const MEMORY: Memory = Memory { base: 4 << 20, per_byte: 1 << 9 };

const SECRET: [u8; 32] = [7; 32];
const KEY: TokenKey = TokenKey::new(KeyId(3), SECRET);
const CLUSTER: &str = "north";
const NOW: ProcessingTime = ProcessingTime::from_millis(1_000);
const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// How many lanes a clock may have on a channel.
const LANES_MAX: usize = 64;

/// Reads bytes as the text of a token, and as what a seal is around: chance would never find what is behind the seal.
pub fn tokens(bytes: &[u8]) {
    if let Ok(text) = str::from_utf8(bytes) {
        token(text);
    }
    token(&sealed(bytes));
}

fn token(text: &str) {
    match Token::open(text, &[KEY], CLUSTER, NOW) {
        Ok(token) => {
            assert!(text.len() <= TOKEN_BYTES_MAX, "limits are kept to");
            assert!(token.expires > NOW && token.cluster == CLUSTER && token.jobs().len() <= TOKEN_JOBS_MAX);
            match token.seal(&KEY) {
                Ok(again) => assert_eq!(Token::open(&again, &[KEY], CLUSTER, NOW), Ok(token)),
                // Numbers in their longest form are as long as they were.
                Err(error) => assert!(matches!(error, TokenError::Long { .. }), "{error}"),
            }
        }
        Err(error) => assert!(error.to_string().len() < 100 + 8 * text.len(), "{error}"),
    }
}

/// A body as the cluster itself would have signed it.
fn sealed(body: &[u8]) -> String {
    let head = [2, 0, 0, 0, 3];
    let mac = Hmac::<Sha256>::new_from_slice(&SECRET).expect("a key of any length is taken");
    let seal = mac.chain_update(b"watershed token").chain_update(head).chain_update(body).finalize();
    let bytes = [&head[..], &seal.into_bytes(), body].concat();
    let digits = bytes.chunks(3).flat_map(|chunk| {
        let mut word = [0; 4];
        word[1..=chunk.len()].copy_from_slice(chunk);
        let word = u32::from_be_bytes(word);
        (0..=chunk.len()).map(move |digit| char::from(DIGITS[(word >> (18 - 6 * digit)) as usize & 63]))
    });
    digits.collect()
}

/// Reads bytes as what frames say of their senders' clocks, one behind the other.
pub fn clocks(bytes: &[u8]) {
    let mut rest = bytes;
    let mut reader = ClockReader::new(Run(1), 4, LANES_MAX);
    let mut deserializer = rmp_serde::Deserializer::new(&mut rest);
    deserializer.set_max_depth(8);
    while let Ok(clock) = serde::Deserialize::deserialize(&mut deserializer) {
        let clock: FrameClock = clock;
        let written = rmp_serde::to_vec(&clock).expect("a clock is plain data");
        assert_eq!(rmp_serde::from_slice::<FrameClock>(&written).as_ref().ok(), Some(&clock));
        let before = reader.clone();
        if let Ok(read) = reader.read(&clock) {
            assert!(read.len() <= LANES_MAX, "limits are kept to");
        } else {
            assert_eq!(reader, before, "what is refused changes nothing");
        }
    }
}
