//! Rules that a process can be told to break, for tests that must notice.
//!
//! Whoever judges what clients were told has to be shown to find something where there is something. Compiled in by the
//! feature `failpoints`; without it every rule is kept. What is broken is told by the variable `FAILPOINTS`, as in
//! [`harm`](crate::harm):
//!
//! ```text
//! FAILPOINTS='broken::causes=return'
//! ```
//!
//! Nothing is broken inside the machines of `watershed_protocol`: they are handed something else, or not asked.

/// A rule that can be broken.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Breakage {
    /// An update waits for what it depends on. Broken: it comes as if it depended on nothing.
    Causes,
    /// What an older run says is not heard. Broken: its updates go into the tables, which are not told that the run is over.
    Fence,
    /// Who shows a token is answered when all is here that it names. Broken: nobody looks at it.
    Tokens,
    /// A token that names what was undone is refused. Broken: it is taken for what is left of it, and nobody says so.
    Translation,
}

#[cfg(feature = "failpoints")]
impl Breakage {
    /// The name in `FAILPOINTS`.
    fn name(self) -> &'static str {
        match self {
            Breakage::Causes => "broken::causes",
            Breakage::Fence => "broken::fence",
            Breakage::Tokens => "broken::tokens",
            Breakage::Translation => "broken::translation",
        }
    }
}

/// Whether a rule is broken: never.
#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub(crate) const fn is_broken(_: Breakage) -> bool {
    false
}

/// Whether a rule is broken, by what `FAILPOINTS` says.
#[cfg(feature = "failpoints")]
pub(crate) fn is_broken(breakage: Breakage) -> bool {
    fail::fail_point!(breakage.name(), |_| true);
    false
}
