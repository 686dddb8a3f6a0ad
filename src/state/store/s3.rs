//! Objects in a bucket of an S3-compatible server.
//!
//! The address names the bucket and what all names in it begin with; endpoint, region and credentials come from the
//! environment, so that they lie in no file of ours and appear in no message.

use std::sync::Arc;
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::prefix::PrefixStore;
use object_store::{BackoffConfig, RetryConfig};

use crate::store::address::Address;
use crate::{CheckpointStore, StoreError};

/// How long a request is tried again: a checkpoint that cannot be written is declined, and the next one tries anew.
const RETRY_WITHIN: Duration = Duration::from_secs(10);
/// The first and the longest pause before it is tried again.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));
/// How often at most.
const RETRIES_MAX: usize = 8;

/// Opens the store at an address, as the environment says.
pub(super) fn open(address: &Address) -> Result<CheckpointStore, StoreError> {
    open_with(AmazonS3Builder::from_env(), address)
}

/// Opens the store at an address of a server that is described otherwise.
pub(super) fn open_with(server: AmazonS3Builder, address: &Address) -> Result<CheckpointStore, StoreError> {
    let (init_backoff, max_backoff) = PAUSES;
    let retry = RetryConfig {
        backoff: BackoffConfig { init_backoff, max_backoff, ..BackoffConfig::default() },
        max_retries: RETRIES_MAX,
        retry_timeout: RETRY_WITHIN,
    };
    let failed = |source| StoreError::Remote { path: address.to_string(), source };
    let bucket = server.with_bucket_name(address.bucket()).with_retry(retry).build().map_err(failed)?;
    let below = PrefixStore::new(bucket, address.prefix());
    Ok(CheckpointStore::over(Arc::new(below), address.to_string()))
}
