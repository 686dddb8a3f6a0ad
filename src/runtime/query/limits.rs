//! How much may be asked, and for how long.

use std::time::Duration;

/// How long an answer may be waited for; what asks for more waits so long.
pub const WAIT_MAX: Duration = Duration::from_secs(60);

/// How long an answer is waited for where nothing is said.
pub const WAIT_DEFAULT: Duration = Duration::from_secs(5);

/// How many bytes a key and an update may have.
pub use watershed_core::shared::{DELTA_BYTES_MAX, KEY_BYTES_MAX};

/// How many bytes an answer may have.
pub const VALUE_BYTES_MAX: usize = 4 << 20;

/// Of how many splits of sources a token may say what was put into them.
pub const INPUTS_MAX: usize = 16;

/// How often it is looked for a checkpoint that has worked on what was put in.
pub const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How many questions may wait at one replica.
pub const WAITING_MAX: usize = 1024;

/// How long a token is good.
pub const TOKEN_LIFE: Duration = Duration::from_secs(24 * 60 * 60);
