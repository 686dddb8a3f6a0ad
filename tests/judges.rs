//! The judges, judged: their Python and their SQL find the same, and what was computed by hand.

use std::process::Command;

#[test]
fn the_judges_agree_with_each_other_and_with_results_computed_by_hand() {
    let tests = Command::new("python3")
        .args(["-B", "-m", "unittest", "discover", "-s", "tests/judge"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("python3 can be run; install it to run the judges");
    let said = String::from_utf8_lossy(&tests.stderr);
    assert!(tests.status.success(), "{said}");
    assert!(said.contains("\nOK"), "no test of the judges has run: {said}");
}
