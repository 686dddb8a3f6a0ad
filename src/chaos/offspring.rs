//! A process that ends when the one does that has started it, however that ends.

/// Has this process killed as soon as the thread of another ends that has started it. Called by the child, at its begin.
///
/// # Errors
///
/// Where the parent has ended already, or the system cannot do it.
pub fn die_with(parent: u32) -> Result<(), String> {
    #[cfg(target_os = "linux")]
    nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL).map_err(|error| error.to_string())?;
    // It may have ended before that was asked for.
    let now = nix::unistd::getppid().as_raw();
    if now == parent.cast_signed() { Ok(()) } else { Err(format!("process {parent} is not its parent")) }
}
