//! A state directory, looked at from outside.

use std::path::Path;

use watershed::core::checkpoint::Manifest;
use watershed_protocol::checkpoint::certify_manifest;
use watershed_state::inspect::{Offline, Which};

fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

/// What the certificate says against a manifest.
fn certify(manifest: &Manifest, base: Option<&Manifest>) -> Vec<String> {
    certify_manifest(manifest, base).err().iter().map(ToString::to_string).collect()
}

/// Proves every checkpoint that is there, and returns how many there are.
#[track_caller]
pub(crate) fn prove(directory: &Path, what: &str) -> usize {
    let (reports, unread) = within(async {
        let offline = Offline::open(directory).unwrap();
        offline.verify_all(&certify).await.unwrap()
    });
    assert_eq!(unread, [] as [String; 0], "{what}");
    for report in &reports {
        assert!(report.is_sound(), "{what}: {report}");
    }
    reports.len()
}

/// The manifest that a job goes on from.
pub(crate) fn newest(directory: &Path) -> (String, Manifest) {
    within(async {
        let offline = Offline::open(directory).unwrap();
        let (pointer, manifest) = offline.manifest(Which::Newest).await.unwrap();
        (pointer.manifest.path, manifest)
    })
}

/// The newest manifest of a job that may be taking and letting go of checkpoints at the moment.
pub(crate) fn newest_if_any(directory: &Path) -> Option<Manifest> {
    within(async {
        let offline = Offline::open(directory).ok()?;
        offline.manifest(Which::Newest).await.ok().map(|(_, manifest)| manifest)
    })
}
