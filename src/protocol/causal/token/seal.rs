//! The seal of a token: who has made it, and that nobody has changed it since.
//!
//! ```text
//!   text   base64url of:   version: u8 = 2   key: u32   seal: 32 bytes   body
//!   seal   HMAC-SHA256(secret of the key, "watershed token" version key body)
//! ```
//!
//! The number is big-endian. Keys have numbers so that they can be changed: a new one signs, and the older ones are
//! still taken until the last token that they have signed has expired (RFC 2104; RFC 6234).

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::{TokenError, text};

/// The version that is made, and the only one that is taken.
const VERSION: u8 = 2;
/// What is signed beside the token, so that nothing else that is signed with the same secret is taken for one.
const LABEL: &[u8] = b"watershed token";
const SEAL_BYTES: usize = 32;
const HEAD_BYTES: usize = 5;

/// The longest token, as text: what a header of an HTTP request may have in common servers.
pub const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// The number of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub u32);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A secret that all nodes of a cluster share, by which they know the tokens that one of them has made.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenKey {
    id: KeyId,
    secret: [u8; 32],
}

impl TokenKey {
    /// A key. Its secret comes from a source of true randomness, and its number was never another's.
    pub const fn new(id: KeyId, secret: [u8; 32]) -> Self {
        TokenKey { id, secret }
    }

    /// Its number.
    pub const fn id(&self) -> KeyId {
        self.id
    }

    fn mac(&self, head: [u8; HEAD_BYTES], body: &[u8]) -> Hmac<Sha256> {
        let mac = Hmac::<Sha256>::new_from_slice(&self.secret).expect("a key of any length is taken");
        mac.chain_update(LABEL).chain_update(head).chain_update(body)
    }
}

/// Shows the number alone: a secret must not get into a log.
impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Signs a body.
pub(super) fn seal(key: &TokenKey, body: &[u8]) -> Result<String, TokenError> {
    let mut head = [VERSION, 0, 0, 0, 0];
    head[1..].copy_from_slice(&key.id.0.to_be_bytes());
    let seal = key.mac(head, body).finalize().into_bytes();
    let text = text::encode(&[head.as_slice(), seal.as_slice(), body].concat());
    if text.len() > TOKEN_BYTES_MAX {
        return Err(TokenError::Long { found: text.len(), max: TOKEN_BYTES_MAX });
    }
    Ok(text)
}

/// The body of a token that was signed with one of the keys.
pub(super) fn open(text: &str, keys: &[TokenKey]) -> Result<Vec<u8>, TokenError> {
    if text.len() > TOKEN_BYTES_MAX {
        return Err(TokenError::Long { found: text.len(), max: TOKEN_BYTES_MAX });
    }
    let bytes = text::decode(text).ok_or(TokenError::Form("it is not base64url"))?;
    let version = *bytes.first().ok_or(TokenError::Form("it is empty"))?;
    if version != VERSION {
        return Err(TokenError::Version { found: version, expected: VERSION });
    }
    let short = TokenError::Form("it is too short");
    let (head, rest) = bytes.split_first_chunk::<HEAD_BYTES>().ok_or_else(|| short.clone())?;
    let (seal, body) = rest.split_first_chunk::<SEAL_BYTES>().ok_or(short)?;
    let [_, id @ ..] = *head;
    let id = KeyId(u32::from_be_bytes(id));
    let key = keys.iter().find(|key| key.id == id).ok_or(TokenError::UnknownKey(id))?;
    // Takes as long wherever they differ, so that nobody can find a seal byte by byte.
    key.mac(*head, body).verify_slice(seal).map_err(|_| TokenError::Forged)?;
    Ok(body.to_vec())
}
