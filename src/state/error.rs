//! How reading and writing checkpoints can fail.

use std::io;

use watershed_core::checkpoint::ContentHash;

/// What the checkpoint store could not do, and what a person can do about it.
///
/// The classes call for different treatment. [`Full`](StoreError::Full) and
/// [`ReadOnly`](StoreError::ReadOnly) pass when someone makes room: the checkpoint is declined and the job
/// runs on. [`Damaged`](StoreError::Damaged) and [`Missing`](StoreError::Missing) never pass by themselves:
/// whoever needs the object stops. An
/// [`Unsynced`](StoreError::Unsynced) file ends the process; see [`SyncFailure`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The object is not there.
    #[error(
        "object {path} is missing from {store}; bring it back from a copy, or restore another checkpoint \
         by hand: the job does not start without it"
    )]
    Missing {
        /// The store.
        store: String,
        /// The object.
        path: String,
    },
    /// The object is there, but is not what was written.
    #[error(
        "object {path} is damaged: {damage}; bring it back from a copy, or restore another checkpoint by hand"
    )]
    Damaged {
        /// The object.
        path: String,
        /// How it shows.
        damage: Damage,
    },
    /// Something else is there under the object's name.
    #[error(
        "object {path} exists with other content and is never overwritten; look at what wrote it, then move \
         it away"
    )]
    Conflict {
        /// The object.
        path: String,
    },
    /// A path that no object may have.
    #[error("{path:?} is no path of an object: {reason}")]
    Path {
        /// The path, shortened where it is long.
        path: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// More bytes, or more objects, than the limits allow.
    #[error("{what} is {found}, more than the limit of {max}; raise the limit where this is meant")]
    TooLarge {
        /// What was counted, and of which object.
        what: String,
        /// How much it is.
        found: u64,
        /// How much it may be.
        max: u64,
    },
    /// There is no room.
    #[error("no room for {path}: {source}; free space or raise the quota, then the next checkpoint succeeds")]
    Full {
        /// What was to be written.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// The place may only be read.
    #[error("{path} cannot be written: {source}; mount the file system for writing, or choose another place")]
    ReadOnly {
        /// What was to be written.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// A file could not be made durable. The process must end.
    #[error(transparent)]
    Unsynced(#[from] SyncFailure),
    /// Another failure of the file system.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// A failure of a remote object store.
    #[error("the object store failed on {path}: {source}{}", advice(source))]
    Remote {
        /// The object.
        path: String,
        /// What it said.
        source: object_store::Error,
    },
    /// No address of a checkpoint store; it is not repeated.
    #[error("the address of the checkpoint store is none, since {reason}: write s3://bucket/prefix")]
    Address {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The checkpoints are in S3, and the program cannot go there.
    #[error(
        "checkpoints are kept in {address}, and this program was built without S3: build it with the feature `s3`"
    )]
    NoS3 {
        /// Where they are.
        address: String,
    },
    /// The directory belongs to another job, or to nobody.
    #[error("{directory}: {reason}")]
    Foreign {
        /// The state directory.
        directory: String,
        /// What does not fit, naming both sides.
        reason: String,
    },
    /// Another process holds the directory.
    #[error(
        "{directory} is in use by another process{holder}; stop that one first, or choose another state \
         directory"
    )]
    InUse {
        /// The state directory.
        directory: String,
        /// Who, where known.
        holder: String,
    },
}

/// What to do about a failure of an object store, where something can be done. A listing that fails is told without its
/// kind, so the server's own words are looked at too.
fn advice(source: &object_store::Error) -> &'static str {
    use object_store::Error as Failure;
    let said = source.to_string();
    let says = |words: &[&str]| words.iter().any(|word| said.contains(word));
    match source {
        Failure::Unauthenticated { .. } | Failure::PermissionDenied { .. } => CREDENTIALS,
        _ if says(&["InvalidAccessKeyId", "SignatureDoesNotMatch", "AccessDenied", "403 Forbidden"]) => {
            CREDENTIALS
        }
        Failure::NotFound { .. } => BUCKET,
        _ if says(&["NoSuchBucket"]) => BUCKET,
        Failure::Generic { .. } => "; see that the server answers at AWS_ENDPOINT",
        _ => "",
    }
}

const BUCKET: &str = "; create the bucket, or correct the address";
const CREDENTIALS: &str =
    "; check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and what they are allowed to do";

/// `fsync` failed, so nobody knows what of the file is on the disk.
///
/// The kernel may have dropped the pages that it could not write and reports the failure once: a second
/// `fsync` of the same file can succeed without having written anything (Rebello and others, "Can
/// Applications Recover from fsync Failures?", USENIX ATC 2020). So this must never be tried again on the
/// same file. Whoever gets it ends the process; the next one reads what is really there.
#[derive(Debug, thiserror::Error)]
#[error(
    "{path} could not be made durable: {source}; the process must end and recover from what is on the disk, \
     which may be failing"
)]
pub struct SyncFailure {
    /// The file or directory.
    pub path: String,
    /// What the system said.
    pub source: io::Error,
}

/// How it shows that bytes are not the ones that were written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Damage {
    /// It has another length than the one it was recorded with.
    #[error("it is {found} bytes long instead of {expected}")]
    Length {
        /// As recorded.
        expected: u64,
        /// As found.
        found: u64,
    },
    /// It has another hash than the one it was recorded with.
    #[error("its hash is {found} instead of {expected}")]
    Hash {
        /// As recorded.
        expected: ContentHash,
        /// As found.
        found: ContentHash,
    },
    /// It ends too early or goes on too long.
    #[error("its parts do not fill its {bytes} bytes")]
    Extent {
        /// How long it is.
        bytes: u64,
    },
    /// A checksum inside it does not fit.
    #[error("the checksum of its {part} at byte {offset} does not fit")]
    Checksum {
        /// Which part.
        part: &'static str,
        /// Where the part begins.
        offset: u64,
    },
    /// It does not begin or end as such a file does.
    #[error("it is no {expected}")]
    Kind {
        /// What it should be.
        expected: &'static str,
    },
    /// It was written by another version.
    #[error("it has format version {found}, and this program reads version {expected}")]
    Version {
        /// The version read here.
        expected: u32,
        /// The version found.
        found: u32,
    },
    /// Its checksums fit, but it does not say what it should.
    #[error("{0}")]
    Content(String),
}

impl StoreError {
    /// Whether the process must end: what is on the disk is unknown, and asking again would be answered
    /// wrongly.
    pub fn is_fatal(&self) -> bool {
        matches!(self, StoreError::Unsynced(_))
    }

    /// Sorts a failure of the file system into its class.
    pub(crate) fn io(action: &'static str, path: impl Into<String>, source: io::Error) -> Self {
        let path = path.into();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full { path, source },
            io::ErrorKind::ReadOnlyFilesystem => StoreError::ReadOnly { path, source },
            _ => StoreError::Io { action, path, source },
        }
    }

    /// A damaged object.
    pub(crate) fn damaged(path: impl Into<String>, damage: Damage) -> Self {
        StoreError::Damaged { path: path.into(), damage }
    }
}
