//! A state directory, looked at from outside.

use std::path::Path;

use watershed::core::checkpoint::Manifest;
use watershed::core::{Epoch, Position};
use watershed_state::inspect::{Offline, Which};

use crate::cuts;
use crate::ledger::Ledger;

fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

/// Proves every checkpoint that is there, by the engine's own rules and by others, and returns all of them.
#[track_caller]
pub(crate) fn prove(directory: &Path, what: &str) -> Vec<Manifest> {
    within(cuts::prove(&Offline::open(directory).unwrap(), what))
}

/// The checkpoint that is decided last, if one is.
pub(crate) fn decided(directory: &Path) -> Option<Epoch> {
    let offline = Offline::open(directory).ok()?;
    offline.meta()?.completed.as_ref().map(|pointer| pointer.epoch)
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

#[test]
fn a_checkpoint_that_is_no_cut_is_found_by_who_shares_nothing_with_the_coordinator() {
    let taken = Ledger::harmed(|ledger| {
        (ledger.events, ledger.interval) = (3000, "100ms");
        ledger.book("", 2).expect_done("a job whose checkpoints are cuts");
        let cuts = prove(ledger.state(), "checkpoints of a job that nobody harms");
        let last = cuts.iter().max_by_key(|cut| cut.epoch).expect("a job ends with a checkpoint");
        // One that it came from is here, and has read something of each split.
        let base = cuts.iter().find(|cut| Some(cut.epoch) == last.base);
        let mut splits = base.iter().flat_map(|base| &base.votes).flat_map(|vote| &vote.splits).peekable();
        splits.peek().is_some() && splits.all(|split| split.position > Position(0))
    });
    let ledger = taken.expect("a checkpoint came from another");
    let cuts = prove(ledger.state(), "checkpoints of a job that nobody harms");
    let breaks: [(&str, fn(&mut Manifest)); 4] = [
        ("unbalanced 1", |cut| {
            cut.votes.iter_mut().find_map(|vote| vote.received.first_mut()).unwrap().records += 1;
        }),
        ("unbalanced 1", |cut| cut.votes.iter_mut().find_map(|vote| vote.sent.first_mut()).unwrap().sum ^= 1),
        ("uncovered 1", |cut| {
            let owned = cut.votes.iter_mut().find_map(|vote| vote.key_groups.as_mut()).unwrap();
            owned.0.end -= 1;
        }),
        ("backwards 1", |cut| {
            let read = cut.votes.iter_mut().find_map(|vote| vote.splits.first_mut()).unwrap();
            read.position = Position(0);
        }),
    ];
    for (found, harm) in breaks {
        let mut broken = cuts.clone();
        harm(broken.iter_mut().max_by_key(|cut| cut.epoch).unwrap());
        let said = cuts::verdict(&broken).expect_err(found);
        assert!(said.contains(found), "{found}: {said}");
    }
}
