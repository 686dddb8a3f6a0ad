//! What can be wrong with a parameter.

use std::fmt;

/// A parameter that is unknown, or whose value does not suit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParameterError {
    /// No parameter has this name.
    #[error("{origin}: there is no {name:?}{}", Hint { nearest, known })]
    Unknown {
        /// Where it was set: `--set`, a file, a variable.
        origin: String,
        /// The name.
        name: String,
        /// The known name that is most like it.
        nearest: Option<String>,
        /// All known names.
        known: Vec<String>,
    },
    /// A value does not suit its parameter.
    #[error("{origin}: {name}={value:?}: {reason}")]
    Value {
        /// Where it was set.
        origin: String,
        /// The parameter.
        name: String,
        /// The value.
        value: String,
        /// Why it does not suit.
        reason: String,
    },
    /// Something else about the parameters as a whole.
    #[error("{0}")]
    Other(String),
}

/// What to write instead of an unknown name.
struct Hint<'a> {
    nearest: &'a Option<String>,
    known: &'a [String],
}

impl fmt::Display for Hint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.nearest, self.known) {
            (Some(nearest), _) => write!(f, ", did you mean {nearest:?}?"),
            (None, []) => write!(f, ": nothing can be set here"),
            (None, known) => write!(f, ", known are {}", known.join(", ")),
        }
    }
}

impl serde::de::Error for ParameterError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        ParameterError::Other(message.to_string())
    }
}
