//! What a node is called, and which of its lives is meant.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The longest name of a node, in bytes.
pub const NAME_BYTES_MAX: usize = 64;

/// The name of a node, the same over all of its lives: up to 64 of `a-z`, `0-9`, `_`, `.`, `-`, beginning and ending
/// with a letter or a digit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NodeName(Arc<str>);

/// Why a word is no name of a node.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[error(
    "{name:?} is no name of a node: take 1 to {NAME_BYTES_MAX} of a-z, 0-9, '_', '.' and '-', with a letter or digit at both ends and after each '.'"
)]
pub struct NameError {
    /// The word, cut off where it is long.
    pub name: String,
}

impl NodeName {
    /// Checks a name.
    ///
    /// # Errors
    ///
    /// Where it is empty, too long, or has other letters.
    pub fn new(name: &str) -> Result<Self, NameError> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let part = |part: &str| {
            let bytes = part.as_bytes();
            bytes.first().is_some_and(|byte| plain(*byte))
                && bytes.last().is_some_and(|byte| plain(*byte))
                && bytes.iter().all(|byte| plain(*byte) || matches!(byte, b'_' | b'-'))
        };
        if name.len() <= NAME_BYTES_MAX && name.split('.').all(part) {
            Ok(NodeName(name.into()))
        } else {
            Err(NameError { name: name.chars().take(NAME_BYTES_MAX).collect() })
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for NodeName {
    type Error = NameError;

    fn try_from(name: String) -> Result<Self, NameError> {
        NodeName::new(&name)
    }
}

impl From<NodeName> for String {
    fn from(name: NodeName) -> Self {
        name.as_str().to_owned()
    }
}

/// One life of a node. A later life has a greater number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Incarnation(pub u64);

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_short_and_plain() {
        for good in ["a", "node-1", "rack_2.node-3", &"n".repeat(64)] {
            assert_eq!(NodeName::new(good).map(String::from).as_deref(), Ok(good));
        }
        for bad in ["", "A", "a b", ".", "..", "a..b", "-a", "a-", "../a", "a\n", &"n".repeat(65), "\u{e9}"] {
            assert!(NodeName::new(bad).is_err(), "{bad:?}");
        }
    }
}
