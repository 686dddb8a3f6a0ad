//! Ctrl-C and SIGTERM: the first ends the job in order, the second at once.

use indicatif::MultiProgress;
use watershed_runtime::JobHandle;

use super::streams::tell;

/// The exit code of a program that was interrupted.
const INTERRUPTED: i32 = 130;

/// Cancels a job at the first signal and exits at the second. Called on the thread that drives the job.
/// `lasts` says whether the job stops at a checkpoint.
pub(super) fn watch(job: JobHandle, screen: MultiProgress, quiet: bool, lasts: bool) {
    let first = move || {
        job.cancel();
        if !quiet {
            let how =
                if lasts { "stopping at a checkpoint" } else { "stopping: finishing what has been read" };
            let line = format!("{how} (again to exit at once)");
            screen.suspend(|| tell(&line));
        }
    };
    on_first_and_second(first, || std::process::exit(INTERRUPTED));
}

/// Does one thing at the first signal and another at the second. Called on a thread where actix tasks can be spawned.
pub(super) fn on_first_and_second(first: impl FnOnce() + 'static, second: impl FnOnce() + 'static) {
    // Heard from now on, and not from when the task has its turn: what was begun before may have shown something by then,
    // and whoever has seen that may send a signal.
    let Ok(mut signals) = Signals::new() else {
        // Where signals cannot be heard, they end the process, as they do without us.
        return;
    };
    actix_rt::spawn(async move {
        signals.next().await;
        first();
        signals.next().await;
        second();
    });
}

/// The wishes of a person, or of the system, that the program end.
#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        std::future::poll_fn(|cx| {
            let interrupted = self.interrupt.poll_recv(cx).is_ready();
            let terminated = self.terminate.poll_recv(cx).is_ready();
            if interrupted || terminated { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        })
        .await;
    }
}

/// The wishes of a person that the program end.
#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Signals)
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
