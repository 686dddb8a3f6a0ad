//! Catches panics of operators, and finds out where they came from.

use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use watershed_core::stage::{Place, take_place};
use watershed_core::state::BackendError;

/// A panic, with where it came from.
#[derive(Debug)]
pub struct Caught {
    /// What it said.
    pub message: String,
    /// File, line and column, where known.
    pub location: Option<Box<str>>,
    pub(crate) place: Place,
    /// The error that was raised, where the panic is one that had nobody to be returned to.
    pub(crate) raised: Option<Box<BackendError>>,
}

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
    static LOCATION: RefCell<Option<Box<str>>> = const { RefCell::new(None) };
}

/// Runs operators' code. A panic does not unwind further and prints nothing: it is reported as the job's failure.
///
/// # Errors
///
/// Where it panics.
pub fn guarded<R>(run: impl FnOnce() -> R) -> Result<R, Caught> {
    install_hook();
    let outer = GUARDED.replace(true);
    let result = panic::catch_unwind(AssertUnwindSafe(run));
    GUARDED.set(outer);
    result.map_err(|payload| {
        let (message, raised) = match payload.downcast::<BackendError>() {
            Ok(error) => (error.to_string(), Some(error)),
            Err(payload) => (message_of(payload.as_ref()), None),
        };
        Caught { message, location: LOCATION.take(), place: take_place(), raised }
    })
}

/// Keeps the location of a guarded panic instead of printing it; other panics go the usual way.
fn install_hook() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if GUARDED.get() {
                LOCATION.set(info.location().map(|location| location.to_string().into()));
            } else {
                usual(info);
            }
        }));
    });
}

/// What a panic says.
pub(crate) fn message_of(payload: &(dyn std::any::Any + Send)) -> String {
    if let Some(message) = payload.downcast_ref::<&str>() {
        (*message).to_owned()
    } else if let Some(message) = payload.downcast_ref::<String>() {
        message.clone()
    } else {
        "a value that is no message".to_owned()
    }
}
