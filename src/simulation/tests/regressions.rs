//! Seeds that have found something in what runs, each by the name of what it was.

use watershed_simulation::{Fault, Harm, simulate, simulate_with};

/// Barriers of a checkpoint that was given up let a task hear frames of an epoch that it had not begun. It stayed in its
/// own, and did not find in shared state what the frames' writer knew. See `Session::epoch`. There is more in this seed by
/// now than there was then; the rule itself is broken once by `Mutant::OwnEpochKept`.
#[test]
fn a_task_that_hears_a_later_epoch_than_its_own_finds_what_was_known_there() {
    let report = simulate(73, None);
    assert!(report.broken.is_none(), "{report}");
    // The one fault that it took.
    let full_disk = Fault { at: 166, lasts: 455, harm: Harm::DiskFull(2) };
    let report = simulate_with(73, None, vec![full_disk]);
    assert!(report.broken.is_none(), "{report}");
}

/// The job was given fewer subtasks while those before were restored. What one of them said that is no more came late, of
/// an older run, and the coordinator took it for what no correct peer says.
#[test]
fn a_late_word_of_a_subtask_that_is_no_more_is_no_mistake() {
    for seed in [169, 239] {
        let report = simulate(seed, None);
        assert!(report.broken.is_none(), "{report}");
    }
    // The one fault that it took.
    let rescaled = Fault { at: 444, lasts: 346, harm: Harm::Rescale };
    let report = simulate_with(239, None, vec![rescaled]);
    assert!(report.broken.is_none(), "{report}");
}
