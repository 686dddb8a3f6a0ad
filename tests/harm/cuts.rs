//! Checkpoints, judged by a program that shares nothing with the engine which has taken them.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::NamedTempFile;
use watershed::core::checkpoint::Manifest;
use watershed_protocol::checkpoint::certify_manifest;
use watershed_state::inspect::{Offline, Which};

/// Proves every checkpoint that is there, by the engine's own rules and by others, and returns all of them.
pub(crate) async fn prove(offline: &Offline, what: &str) -> Vec<Manifest> {
    let certify = |manifest: &Manifest, base: Option<&Manifest>| {
        certify_manifest(manifest, base).err().iter().map(ToString::to_string).collect()
    };
    let (reports, unread) = offline.verify_all(&certify).await.unwrap();
    assert_eq!(unread, [] as [String; 0], "{what}");
    let mut manifests = Vec::new();
    for report in reports {
        assert!(report.is_sound(), "{what}: {report}");
        manifests.push(offline.manifest(Which::Epoch(report.epoch)).await.unwrap().1);
    }
    judge(&manifests, what);
    manifests
}

/// Demands that `tests/judge/cuts.py` finds each of these a consistent cut, and that those of which the one is there that they
/// came from go on from it.
#[track_caller]
pub(crate) fn judge(manifests: &[Manifest], what: &str) {
    let said = verdict(manifests).unwrap_or_else(|said| panic!("{what}: {said}"));
    assert!(said.starts_with(&format!("cuts {},", manifests.len())), "{what}: {said}");
}

/// What `tests/judge/cuts.py` finds, as an error where anything is wrong.
pub(crate) fn verdict(manifests: &[Manifest]) -> Result<String, String> {
    let lines: Vec<String> =
        manifests.iter().map(|manifest| serde_json::to_string(manifest).unwrap()).collect();
    let file = NamedTempFile::new().unwrap();
    fs::write(file.path(), lines.join("\n")).unwrap();
    let judge = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/judge/cuts.py");
    let output = Command::new("python3")
        .arg(judge)
        .arg(file.path())
        .output()
        .expect("python3 judges the results: install it (`.ci/run` does), and see that it is in PATH");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(said.into_owned()) } else { Err(said.into_owned()) }
}

/// The checkpoints of later runs that go on from one of an earlier run which is here too, each with that one.
pub(crate) fn restored(manifests: &[Manifest]) -> Vec<(&Manifest, &Manifest)> {
    let base = |manifest: &Manifest| {
        let is_it = |base: &&Manifest| (base.lineage, Some(base.epoch)) == (manifest.lineage, manifest.base);
        manifests.iter().find(is_it)
    };
    let with_base = manifests.iter().filter_map(|manifest| Some((manifest, base(manifest)?)));
    with_base.filter(|(manifest, base)| base.run < manifest.run).collect()
}
