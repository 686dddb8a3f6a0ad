//! The keys with which a cluster seals tokens, as far as this process has learnt them.

use std::sync::{Arc, PoisonError, RwLock};

use watershed_protocol::causal::TokenKey;

/// The keys of all clerks of a process: a clerk that began before there was a key has it as soon as anybody here learns
/// it. A clone is the same ring.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keyring(Arc<RwLock<Arc<[TokenKey]>>>);

impl Keyring {
    /// Takes note of all keys that there are, the newest last. Whoever knows of none teaches nothing.
    pub(crate) fn learn(&self, keys: Vec<TokenKey>) {
        if !keys.is_empty() {
            *self.0.write().unwrap_or_else(PoisonError::into_inner) = keys.into();
        }
    }

    /// The keys; the newest, which seals, is the last.
    pub(super) fn keys(&self) -> Arc<[TokenKey]> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl From<Vec<TokenKey>> for Keyring {
    fn from(keys: Vec<TokenKey>) -> Self {
        let ring = Keyring::default();
        ring.learn(keys);
        ring
    }
}
