//! Paths that lead out, and names that say too much.

use std::fs;
use std::os::unix::fs::symlink;

use watershed_core::checkpoint::{ContentHash, ObjectRef};
use watershed_core::{Epoch, Lineage, Run, Site};

use super::key;
use crate::fixture::subtask;
use crate::store::path::ObjectPath;
use crate::{CheckpointStore, Object, ObjectKey, StoreError};

#[test]
fn only_paths_that_stay_inside_are_paths() {
    let long = "a".repeat(201);
    let deep = "a/".repeat(300);
    let refused = [
        "",
        "/",
        "/etc/passwd",
        "../../etc/passwd",
        "ck/../x",
        "ck/./x",
        "ck//x",
        "ck/",
        "..%252f",
        "ck/%2e%2e/x",
        "ck\\..\\x",
        "c:x",
        "ck/.hidden",
        "ck/-rf",
        "ck/a b",
        "ck/a\nb",
        "ck/a\0b",
        "ck/\u{1b}[31m",
        "ck/\u{202e}x",
        "ck/ä",
        &long,
        &deep,
    ];
    for path in refused {
        let error = ObjectPath::parse(path).unwrap_err();
        assert!(matches!(error, StoreError::Path { .. }), "{path:?}");
        assert!(
            !error.to_string().contains(['\n', '\u{1b}', '\0', '\u{202e}']),
            "{path:?} is printed raw: {error}"
        );
        assert!(error.to_string().len() < 300, "{error}");
    }
    for path in ["ck/0/1/1/manifest.0011223344556677", "a", "a.b-c_d/9"] {
        assert_eq!(ObjectPath::parse(path).unwrap().as_str(), path);
    }
}

#[test]
fn keys_and_paths_are_the_same_thing_twice() {
    let hash = ContentHash([0xab; 32]);
    let of = |object| ObjectKey { lineage: Lineage(1), epoch: Epoch(20), run: Run(3), object };
    let named = [
        (of(Object::Snapshot(subtask(4, 5))), "ck/1/20/3/4-5.abababababababab"),
        (of(Object::Staged(subtask(4, 5))), "ck/1/20/3/4-5.staged.abababababababab"),
        (of(Object::InFlight(subtask(4, 5))), "ck/1/20/3/4-5.in-flight.abababababababab"),
        (of(Object::SharedBase(Site(6))), "ck/1/20/3/site-6.base.abababababababab"),
        (of(Object::SharedLog(Site(6))), "ck/1/20/3/site-6.log.abababababababab"),
        (of(Object::Manifest), "ck/1/20/3/manifest.abababababababab"),
    ];
    for (key, path) in named {
        assert_eq!(key.path(&hash).as_str(), path);
        assert_eq!(ObjectKey::of_path(path), Some(key));
    }
    let others = [
        "ck/1/20/3/manifest",
        "ck/1/20/3/manifest.ABABABABABABABAB",
        "ck/1/20/3/4-5.other.abababababababab",
        "ck/1/20/3/4-5.log.abababababababab",
        "ck/1/20/3/site-6.abababababababab",
        "ck/1/20/3/site-65536.log.abababababababab",
        "ck/01/20/3/manifest.abababababababab",
        "ck/+1/20/3/manifest.abababababababab",
        "x/1/20/3/manifest.abababababababab",
        "ck/1/20/manifest.abababababababab",
        "ck/1/20/4294967296/manifest.abababababababab",
        "notes.txt",
    ];
    for path in others {
        assert_eq!(ObjectKey::of_path(path), None, "{path}");
    }
}

#[tokio::test]
async fn a_link_inside_the_store_leads_nowhere() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "state").unwrap();
    let directory = tempfile::tempdir().unwrap();
    let store = CheckpointStore::local(directory.path()).unwrap();
    let object = store.put(key(7), "state").await.unwrap();
    let file = directory.path().join(&object.path);

    // A file that became a link, to the very content that is asked for.
    fs::remove_file(&file).unwrap();
    symlink(outside.path().join("secret"), &file).unwrap();
    assert!(matches!(store.get(&object).await, Err(StoreError::Io { .. })));
    assert_eq!(store.list().await.unwrap(), []);

    // A folder that became a link.
    let ck = directory.path().join("ck");
    fs::remove_dir_all(&ck).unwrap();
    symlink(outside.path(), &ck).unwrap();
    let planted = ObjectRef { path: "ck/secret".to_owned(), ..object };
    let refused = store.get(&planted).await.unwrap_err().to_string();
    assert!(refused.contains("links inside a store are not followed"), "{refused}");
    assert!(store.put(key(8), "more").await.is_err());
    assert!(store.list().await.is_err());
    assert!(store.delete("ck/secret").await.is_err());
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1, "nothing was written or removed outside");
}

#[tokio::test]
async fn a_pipe_under_an_objects_name_holds_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let store = CheckpointStore::local(directory.path()).unwrap();
    let object = store.put(key(7), "state").await.unwrap();
    let file = directory.path().join(&object.path);
    fs::remove_file(&file).unwrap();
    nix::unistd::mkfifo(&file, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let refused = store.get(&object).await.unwrap_err().to_string();
    assert!(refused.contains("it is no regular file"), "{refused}");
}
