//! Secrets that nobody guesses.

use std::fs::File;
use std::io::{self, Read};

use watershed_cluster::TokenSecret;
use watershed_protocol::causal::{KeyId, TokenKey};

/// Where the operating system gives true randomness.
const SOURCE: &str = "/dev/urandom";

/// A new key, under a number that no other is likely to have: a token of another process is told from a forged one.
pub(crate) fn new_secret() -> io::Result<TokenSecret> {
    let (mut source, mut id, mut secret) = (File::open(SOURCE)?, [0; 4], [0; 32]);
    source.read_exact(&mut id)?;
    source.read_exact(&mut secret)?;
    Ok(TokenSecret { id: u32::from_le_bytes(id), secret })
}

/// The keys, as tokens are sealed with them.
pub(crate) fn keys_of(secrets: &[TokenSecret]) -> Vec<TokenKey> {
    secrets.iter().map(|TokenSecret { id, secret }| TokenKey::new(KeyId(*id), *secret)).collect()
}
