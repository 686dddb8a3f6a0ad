//! The log, on standard error.

use std::io::IsTerminal;

use indicatif::MultiProgress;
use tracing_subscriber::EnvFilter;

/// Sends the log to standard error, above the progress bar. `RUST_LOG` says how much of it, and `default` where that is
/// not set.
pub(super) fn to(screen: &MultiProgress, default: &str) {
    let asked = std::env::var(EnvFilter::DEFAULT_ENV).ok().filter(|asked| !asked.is_empty());
    let filter = EnvFilter::new(asked.as_deref().unwrap_or(default));
    let screen = screen.clone();
    let lines = move || LogLine(screen.clone());
    // Colours are for eyes; a file or a collector of logs would have their codes between the words.
    let colours =
        std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty());
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(lines);
    // A program that embeds the command line may have a log of its own.
    let _ = log.try_init();
}

/// Writes above the progress bar.
struct LogLine(MultiProgress);

impl std::io::Write for LogLine {
    /// What cannot be written is dropped: the log would complain of it in the same place, and panic.
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let _ = self.0.suspend(|| std::io::stderr().write_all(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
