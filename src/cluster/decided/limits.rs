//! How much may be decided.
//!
//! Constants and no settings: where two coordinators had different ones, the same change would be applied by one and
//! refused by the other.

/// How many jobs there may be, living and ended.
pub const JOBS_MAX: usize = 256;

/// How many nodes may ever have taken part.
pub const NODES_MAX: usize = 1024;

/// How long the name of a job, a node or a pipeline may be.
pub const NAME_BYTES_MAX: usize = 64;

/// How many bytes of text the description of a job may have.
pub const SPEC_BYTES_MAX: usize = 64 << 10;

/// How many bytes are kept of the reason why a job failed.
pub const REASON_BYTES_MAX: usize = 4 << 10;
