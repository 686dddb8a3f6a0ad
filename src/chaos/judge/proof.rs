//! Proves all checkpoints of a job that are kept, as `checkpoint verify` does.

use std::path::Path;

use watershed_core::checkpoint::Manifest;
use watershed_protocol::checkpoint::certify_manifest;
use watershed_state::CheckpointStore;
use watershed_state::inspect::Offline;

use super::Verdict;

/// Proves all checkpoints below a directory, and adds to the verdict what was found.
pub(crate) fn prove(directory: &Path, verdict: &mut Verdict) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a thread can wait for its own files");
    let certify = |manifest: &Manifest, base: Option<&Manifest>| {
        let violated = certify_manifest(manifest, base).err();
        violated.map(|violation| format!("no consistent cut: {violation}")).into_iter().collect()
    };
    let proved = CheckpointStore::at(directory, None).map_err(|error| error.to_string()).and_then(|store| {
        let offline = Offline::of(store, None);
        runtime.block_on(offline.verify_all(&certify)).map_err(|error| error.to_string())
    });
    let (reports, unread) = match proved {
        Ok(proved) => proved,
        Err(error) => return verdict.wrong.push(format!("the checkpoints cannot be read: {error}")),
    };
    verdict.wrong.extend(unread.into_iter().map(|what| format!("a checkpoint cannot be read: {what}")));
    let unsound = reports.iter().filter(|report| !report.is_sound());
    verdict.wrong.extend(unsound.map(ToString::to_string));
    if reports.is_empty() {
        verdict.wrong.push("no checkpoint is left that could be proved".to_owned());
    }
    verdict.checkpoints_proved = reports.iter().filter(|report| report.is_sound()).count();
    verdict.checkpoint_bytes = reports.iter().map(|report| (report.epoch.0, report.bytes)).collect();
}
