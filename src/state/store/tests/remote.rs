//! Objects in a real S3-compatible server: damage, and what the server refuses. What it does like every other place is
//! among the tests of all.

#[path = "../../../../tests/conditions/ports.rs"]
mod ports;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use watershed_core::checkpoint::ObjectRef;

use super::key;
use super::server::{BUCKET, Server, client};
use crate::error::Damage;
use crate::store::address::Address;
use crate::store::s3;
use crate::{CheckpointStore, StoreError};

static PREFIXES: AtomicU32 = AtomicU32::new(0);

/// A store of its own in the shared server, whose life it shares; none where there is no server.
pub(super) fn store(test: &str) -> Option<(CheckpointStore, Bucket)> {
    let server = Server::shared(test)?;
    let prefix = format!("test-{}", PREFIXES.fetch_add(1, Ordering::Relaxed));
    let address = Address::parse(&format!("s3://{BUCKET}/{prefix}")).unwrap();
    let store = s3::open_with(client(server.port()), &address).unwrap();
    let bucket = client(server.port()).with_bucket_name(BUCKET).build().unwrap();
    Some((store, Bucket { store: Box::new(bucket), prefix, _server: server }))
}

/// The bucket, past the store.
pub(super) struct Bucket {
    store: Box<dyn ObjectStore>,
    prefix: String,
    _server: Arc<Server>,
}

impl Bucket {
    fn place(&self, object: &ObjectRef) -> Path {
        Path::from(format!("{}/{}", self.prefix, object.path))
    }

    async fn replace(&self, object: &ObjectRef, bytes: &'static str) {
        self.store.put(&self.place(object), bytes.into()).await.unwrap();
    }
}

#[tokio::test]
async fn what_was_cut_short_changed_or_taken_away_is_found() {
    let Some((store, bucket)) = store("remote::what_was_cut_short_changed_or_taken_away_is_found") else {
        return;
    };
    let object = store.put(key(7), "state").await.unwrap();
    bucket.replace(&object, "stat").await;
    let short = store.get(&object).await.unwrap_err();
    assert!(
        matches!(short, StoreError::Damaged { damage: Damage::Length { expected: 5, found: 4 }, .. }),
        "{short}"
    );
    bucket.replace(&object, "statE").await;
    let changed = store.get(&object).await.unwrap_err();
    assert!(matches!(changed, StoreError::Damaged { damage: Damage::Hash { .. }, .. }), "{changed}");
    let other = store.put(key(7), "state").await.unwrap_err();
    assert!(matches!(other, StoreError::Conflict { .. }), "never overwritten: {other}");
    bucket.store.delete(&bucket.place(&object)).await.unwrap();
    let missing = store.get(&object).await.unwrap_err().to_string();
    assert!(
        missing.starts_with(&format!("object {} is missing from s3://{BUCKET}/", object.path)),
        "{missing}"
    );
}

#[tokio::test]
async fn stores_with_other_prefixes_do_not_see_each_other() {
    let test = "remote::stores_with_other_prefixes_do_not_see_each_other";
    let (Some((one, _first)), Some((two, _second))) = (store(test), store(test)) else { return };
    let object = one.put(key(7), "state").await.unwrap();
    assert_eq!(two.list().await.unwrap(), []);
    assert!(matches!(two.get(&object).await, Err(StoreError::Missing { .. })));
}

#[tokio::test]
async fn more_objects_than_a_page_of_the_server_has_are_all_listed() {
    let Some((store, _bucket)) = store("remote::more_objects_than_a_page_of_the_server_has") else { return };
    let objects = (1..=1003).map(|epoch| store.put(key(epoch), "state"));
    let mut put = 0;
    for object in objects {
        object.await.unwrap();
        put += 1;
    }
    assert_eq!(store.list().await.unwrap().len(), put);
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_told_with_the_cure() {
    let Some(server) = Server::shared("remote::a_bucket_that_is_not_there_is_told_with_the_cure") else {
        return;
    };
    let store = s3::open_with(client(server.port()), &Address::parse("s3://absent/a").unwrap()).unwrap();
    for error in [store.list().await.unwrap_err(), store.put(key(7), "state").await.unwrap_err()] {
        let error = error.to_string();
        assert!(
            error.contains("in s3://absent/a")
                && error.ends_with("; create the bucket, or correct the address"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn refused_credentials_are_told_without_them() {
    let name = "remote::refused_credentials_are_told_without_them";
    let Some(server) = Server::start(name, &[("INITIAL_NO_AUTH_ACTION_COUNT", "0")]) else { return };
    let store = s3::open_with(client(server.port()), &Address::parse("s3://checkpoints/a").unwrap()).unwrap();
    let error = store.list().await.unwrap_err().to_string();
    assert!(error.contains("; check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"), "{error}");
    assert!(!error.contains("hush-hush"), "{error}");
}

#[tokio::test]
async fn a_server_that_is_gone_is_an_error_in_bounded_time() {
    let port = ports::free().port();
    let store = s3::open_with(client(port), &Address::parse("s3://checkpoints/a").unwrap()).unwrap();
    let start = Instant::now();
    let error = store.list().await.unwrap_err().to_string();
    // It tries for ten seconds.
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
    assert!(error.ends_with("; see that the server answers at AWS_ENDPOINT"), "{error}");
}
