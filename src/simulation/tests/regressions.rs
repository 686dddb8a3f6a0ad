//! Seeds that have found something in what runs, each by the name of what it was.

use watershed_simulation::{Fault, Harm, simulate, simulate_with};

/// Barriers of a checkpoint that was given up let a task hear frames of an epoch that it had not begun. It stayed in its
/// own, and did not find in shared state what the frames' writer knew. See `Session::epoch`.
#[test]
fn a_task_that_hears_a_later_epoch_than_its_own_finds_what_was_known_there() {
    let report = simulate(73, None);
    assert!(report.broken.is_none(), "{report}");
    // The one fault that it took.
    let full_disk = Fault { at: 166, lasts: 455, harm: Harm::DiskFull(2) };
    let report = simulate_with(73, None, vec![full_disk]);
    assert!(report.broken.is_none(), "{report}");
}
