//! Parameters of a pipeline: a plain struct whose fields can be set from outside, by name, as text.
//!
//! ```
//! use watershed::prelude::*;
//!
//! #[derive(Serialize, Deserialize)]
//! #[serde(default)]
//! struct Rotations {
//!     gap: Duration,
//!     input: Option<String>,
//! }
//!
//! impl Default for Rotations {
//!     fn default() -> Self {
//!         Rotations { gap: Duration::from_secs(6 * 3600), input: None }
//!     }
//! }
//! ```
//!
//! Names, types and default values come from serde: there is nothing else to declare. Where the defaults are given
//! to [`App::pipeline_with`](crate::App::pipeline_with), not even `Default` is. `--set gap=90m` sets
//! the gap; `watershed pipelines` shows it as `gap=6h`.
//!
//! | type of the field | text |
//! | --- | --- |
//! | numbers | `5`, `1_000_000`, `0.25` |
//! | `bool` | `true`, `false` |
//! | text, paths, `char` | as it is |
//! | [`Duration`](std::time::Duration) | `250ms`, `6h`, `1h 30m`, `2d` |
//! | enums without data | the variant's name |
//! | [`Option`] | empty for none, else as its content |
//! | `Vec` | elements separated by commas |

mod duration;
mod error;
mod listing;
mod nearest;
mod text;
mod values;

pub use error::ParameterError;
pub use listing::{Parameter, parameters_like, parameters_of};
pub use values::Values;

pub(crate) use duration::parse as parse_duration;
pub(crate) use nearest::nearest;
