//! Where checkpoints are kept that are not kept in the state directory.

use std::fmt;

use crate::StoreError;
use crate::store::path::ObjectPath;

/// `s3://bucket/prefix`. Nothing secret has a place in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    bucket: String,
    prefix: String,
}

impl Address {
    /// Reads an address.
    pub(crate) fn parse(text: &str) -> Result<Address, StoreError> {
        // It is not repeated: somebody may have written a password into it.
        let refuse = |reason| Err(StoreError::Address { reason });
        let Some(rest) = text.strip_prefix("s3://") else {
            return refuse("it does not begin with s3://");
        };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = prefix.trim_end_matches('/');
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        if bucket.is_empty() || !bucket.bytes().all(plain) {
            return refuse("the bucket's name has other characters than letters, digits, '-', '_' and '.'");
        }
        if !prefix.is_empty() && ObjectPath::parse(prefix).is_err() {
            return refuse("what follows the bucket is no plain path of letters, digits, '-', '_' and '.'");
        }
        Ok(Address { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    }

    #[cfg(feature = "s3")]
    pub(crate) fn bucket(&self) -> &str {
        &self.bucket
    }

    #[cfg(feature = "s3")]
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Address { bucket, prefix } = self;
        write!(f, "s3://{bucket}")?;
        if prefix.is_empty() { Ok(()) } else { write!(f, "/{prefix}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_bucket_and_a_prefix_and_nothing_secret() {
        let shown = |text: &str| Address::parse(text).map(|address| address.to_string()).ok();
        assert_eq!(shown("s3://bucket"), Some("s3://bucket".to_owned()));
        assert_eq!(shown("s3://my-bucket/jobs/flights/"), Some("s3://my-bucket/jobs/flights".to_owned()));
        let wrong = [
            "bucket",
            "s3://",
            "s3:///prefix",
            "s3://a/../b",
            "s3://a//b",
            "s3://me:secret@host/b",
            "http://a/b",
        ];
        for text in wrong {
            let error = Address::parse(text).unwrap_err().to_string();
            assert!(
                error.ends_with("write s3://bucket/prefix") && !error.contains("secret"),
                "{text}: {error}"
            );
        }
    }
}
