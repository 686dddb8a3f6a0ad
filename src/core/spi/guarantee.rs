//! What becomes of input that was read and is in no completed checkpoint when a job dies.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How often a record counts that was under way when a job was killed. A source declares what it can hold to, and a
/// job says what it asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Guarantee {
    /// Once or not at all: what was read cannot be read again.
    AtMostOnce,
    /// Once or more: what was read comes again, and nobody can tell what has counted already.
    AtLeastOnce,
    /// Once: the source can be read again from any position that it has told.
    #[default]
    ExactlyOnce,
}

impl Guarantee {
    /// Whether a source that holds to this one serves a job that asks for the other. Exactly once serves everybody;
    /// to lose and to double are different faults, and neither serves where the other is put up with.
    #[must_use]
    pub fn serves(self, asked: Guarantee) -> bool {
        self == Guarantee::ExactlyOnce || self == asked
    }
}

impl fmt::Display for Guarantee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Guarantee::AtMostOnce => "at-most-once",
            Guarantee::AtLeastOnce => "at-least-once",
            Guarantee::ExactlyOnce => "exactly-once",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Guarantee::{AtLeastOnce, AtMostOnce, ExactlyOnce};

    #[test]
    fn exactly_once_serves_everybody_and_the_others_their_own() {
        let all = [AtMostOnce, AtLeastOnce, ExactlyOnce];
        let serves = all.map(|source| all.map(|asked| source.serves(asked)));
        assert_eq!(serves, [[true, false, false], [false, true, false], [true, true, true]]);
    }
}
