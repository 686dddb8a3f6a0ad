//! What a test needs beside the toolchain, and what becomes of it where that is not there.
//!
//! It passes, having done nothing, and says so where nobody looks. So whoever sees to it that something is there
//! names it, and the tests that do not find it fail:
//!
//! ```sh
//! REQUIRE=postgres,moto,pyarrow,msgpack,kubernetes-validate,mount,containers,flights cargo test --workspace
//! ```

/// Says that a test is passed over for want of something, and why. Fails where `REQUIRE` names it.
#[track_caller]
pub(crate) fn pass_over(test: &str, need: &str, why: &str) {
    let required = std::env::var("REQUIRE").unwrap_or_default();
    let is_required = required.split(',').any(|one| one.trim() == need);
    assert!(!is_required, "{test} needs {need}, which REQUIRE names, and {why}");
    eprintln!("{test}: passed over: {why}");
}
