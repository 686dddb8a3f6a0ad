//! What a running job shows of itself: a bar on a terminal, else a line now and then.

use std::io::IsTerminal;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::{HumanCount, MultiProgress, ProgressBar, ProgressStyle};
use jiff::Timestamp;
use watershed_core::{Plan, Watermark};
use watershed_runtime::{CheckpointReport, JobHandle, VertexReport};

use super::dead_letters;
use super::streams::tell;

/// How often the bar is drawn.
const DRAW_EVERY: Duration = Duration::from_millis(100);
/// How often a line is written where there is no bar. A shorter run writes none.
const LINE_EVERY: Duration = Duration::from_secs(5);
/// How much of the newest measurement goes into the rate that is shown.
const RATE_WEIGHT: f64 = 0.2;

/// A thread that watches a job.
pub(super) struct Progress {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Progress {
    /// Begins to watch.
    ///
    /// Where the pipeline prints to the terminal that a bar would be drawn on, whole lines are written instead.
    pub(super) fn start(job: JobHandle, plan: &Plan, screen: &MultiProgress) -> Self {
        let prints = plan.vertices.iter().any(|vertex| vertex.prints) && std::io::stdout().is_terminal();
        let bar = (std::io::stderr().is_terminal() && !prints).then(|| screen.add(bar()));
        let (name, beside) = (plan.name.clone(), dead_letters::vertex(plan));
        let (stop, stopped) = channel();
        let every = if bar.is_some() { DRAW_EVERY } else { LINE_EVERY };
        let thread = std::thread::spawn(move || {
            let mut rate = Rate::default();
            while stopped.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                let checkpoints = checkpoints(&job.checkpoints());
                let line = line(&name, &job.report(), beside, &mut rate) + &checkpoints;
                match &bar {
                    Some(bar) => {
                        bar.set_message(line);
                        bar.tick();
                    }
                    None => tell(&line),
                }
            }
            if let Some(bar) = bar {
                bar.finish_and_clear();
            }
        });
        Progress { stop, thread }
    }

    /// Takes the bar away.
    pub(super) fn finish(self) {
        drop(self.stop);
        self.thread.join().expect("the thread that shows progress does not panic");
    }
}

fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {msg}").expect("the template is well-formed");
    ProgressBar::new_spinner().with_style(style)
}

/// How many records are read a second.
struct Rate {
    read: u64,
    at: Instant,
    per_second: Option<f64>,
}

impl Default for Rate {
    fn default() -> Self {
        Rate { read: 0, at: Instant::now(), per_second: None }
    }
}

impl Rate {
    fn after(&mut self, read: u64) -> f64 {
        let seconds = self.at.elapsed().as_secs_f64().max(f64::MIN_POSITIVE);
        let newest = read.saturating_sub(self.read) as f64 / seconds;
        (self.read, self.at) = (read, Instant::now());
        let smooth = self.per_second.map_or(newest, |old| old + RATE_WEIGHT * (newest - old));
        *self.per_second.insert(smooth)
    }
}

/// What a job has done so far. The vertex `beside` keeps dead letters and says nothing of the stream.
fn line(name: &str, report: &[VertexReport], beside: Option<usize>, rate: &mut Rate) -> String {
    let read = report.iter().filter(|vertex| vertex.is_source).map(|vertex| vertex.counters.records_in).sum();
    let watermarks = report.iter().enumerate().filter(|(index, _)| Some(*index) != beside);
    let watermark = watermarks.map(|(_, vertex)| vertex.watermark).min().unwrap_or_default();
    let per_second = HumanCount(rate.after(read) as u64);
    format!("{name}: {} records read, {per_second}/s, watermark {}", HumanCount(read), time_of(watermark))
}

/// How the checkpoints stand, behind the rest of the line; nothing where the job has none.
fn checkpoints(report: &CheckpointReport) -> String {
    let newest = match (report.completed, report.age) {
        (None, _) => String::new(),
        (Some(epoch), None) => format!(", checkpoint {epoch}"),
        (Some(epoch), Some(age)) => format!(", checkpoint {epoch} ({:.1} s ago)", age.as_secs_f64()),
    };
    match report.restarts {
        0 => newest,
        restarts => format!("{newest}, restarts: {restarts}"),
    }
}

/// A watermark as RFC 3339 where it is a time that a calendar has.
pub(super) fn time_of(watermark: Watermark) -> String {
    match watermark {
        Watermark::MIN => "not yet".to_owned(),
        Watermark::MAX => "at the end".to_owned(),
        Watermark(time) => match Timestamp::from_millisecond(time.as_millis()) {
            Ok(timestamp) if time.as_millis() > YEAR_1 => timestamp.to_string(),
            Ok(_) | Err(_) => watermark.to_string(),
        },
    }
}

/// The beginning of the year 1, in milliseconds.
const YEAR_1: i64 = -62_135_596_800_000;

#[cfg(test)]
mod tests {
    use watershed_core::stage::Counters;
    use watershed_core::{Epoch, EventTime};

    use super::*;

    fn vertex(is_source: bool, records_in: u64, millis: i64) -> VertexReport {
        VertexReport {
            name: String::new(),
            is_source,
            is_sink: !is_source,
            counters: Counters { records_in, ..Counters::default() },
            watermark: Watermark(EventTime::from_millis(millis)),
        }
    }

    #[test]
    fn a_line_counts_what_sources_read_and_shows_the_hindmost_watermark() {
        let report = [vertex(true, 1500, 5000), vertex(false, 900, 2000), vertex(false, 0, i64::MIN)];
        let line = line("hello", &report, Some(2), &mut Rate::default());
        assert!(line.starts_with("hello: 1,500 records read, "), "{line}");
        assert!(line.ends_with("/s, watermark 1970-01-01T00:00:02Z"), "{line}");
    }

    #[test]
    fn a_line_ends_with_the_newest_checkpoint_its_age_and_what_went_wrong() {
        let none = CheckpointReport::default();
        let restored = CheckpointReport { completed: Some(Epoch(71)), ..none };
        let taken = CheckpointReport { age: Some(Duration::from_millis(430)), restarts: 2, ..restored };
        let shown = [none, restored, taken].map(|report| checkpoints(&report));
        assert_eq!(shown, ["", ", checkpoint 71", ", checkpoint 71 (0.4 s ago), restarts: 2"]);
    }

    #[test]
    fn a_watermark_is_a_time_where_a_calendar_has_it() {
        let shown = |millis| time_of(Watermark(EventTime::from_millis(millis)));
        assert_eq!(shown(1_357_034_400_000), "2013-01-01T10:00:00Z");
        assert_eq!(shown(-1), "1969-12-31T23:59:59.999Z");
        assert_eq!(shown(i64::MAX - 1), "9223372036854775806ms");
        assert_eq!(shown(i64::MIN + 1), "-9223372036854775807ms");
        assert_eq!(shown(i64::MIN), "not yet");
        assert_eq!(shown(i64::MAX), "at the end");
    }
}
