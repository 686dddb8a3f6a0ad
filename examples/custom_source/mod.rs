//! Reads an archive page by page: a source of your own.
//!
//! Somewhere, a service keeps the readings of some gauges and hands them out a page at a time: "gauge 3, from
//! reading 1,200 on, at most 500". Most services that one wants to read from are like that, whether they speak
//! HTTP, SQL or the protocol of a log. Three questions turn it into a [`Source`]:
//!
//! * **What are its parts?** A *split* is read by one reader, from its beginning to its end; different splits
//!   are read in parallel, and the splits are dealt out to the subtasks. Here each gauge is a split. Event time
//!   runs in each split on its own, so a gauge that lags behind makes no other one late.
//! * **What is a position?** A number from which a split can be read again. Here it is the number of the next
//!   reading. Checkpoints save it, and after a failure the archive is asked from there on: nothing is lost and
//!   nothing comes twice. (A source that cannot go back, a socket say, loses what it had read.)
//! * **What can go wrong?** Where the service fails, the job must stop: that is a [`SourceError`]. Where a
//!   single reading makes no sense, the others must go on: that is a dead letter, which is counted and kept
//!   with the place where it was found.
//!
//! The [`Reader`] is polled, and shares its thread with others. This archive is in memory and answers at once;
//! a reader that has to wait for a network asks in a thread of its own, returns [`Polled::Pending`], and wakes
//! the job by [`SourceOutput::waker`] when the answer is there.

use aggregate::{AggregateOf, Count, Max};
use watershed::prelude::*;

/// The source: how to reach the archive. It is cloned to every subtask.
#[derive(Clone)]
struct Archived {
    archive: Archive,
}

impl Source for Archived {
    type Out = Level;
    /// The number of a gauge.
    type Split = u32;
    type Reader = GaugeReader;

    fn splits(&self, _parallelism: u32) -> Result<Vec<u32>, SourceError> {
        Ok((0..self.archive.gauges).collect())
    }

    fn open(&self, gauge: &u32, from: Option<Position>) -> Result<GaugeReader, SourceError> {
        let next = from.map_or(0, |position| position.0);
        Ok(GaugeReader { archive: self.archive.clone(), gauge: *gauge, next })
    }

    fn describe(&self, gauge: &u32) -> String {
        format!("gauge {gauge}")
    }
}

/// Reads one gauge.
struct GaugeReader {
    archive: Archive,
    gauge: u32,
    next: u64,
}

impl Reader for GaugeReader {
    type Out = Level;

    fn poll(&mut self, out: &mut impl SourceOutput<Level>) -> Result<Polled, SourceError> {
        let page = self.archive.page(self.gauge, self.next, out.budget());
        let page = page.map_err(|why| SourceError::new(format!("gauge {}", self.gauge), why))?;
        if page.is_empty() {
            return Ok(Polled::End);
        }
        for line in page {
            match parse(self.gauge, &line) {
                Ok((time, level)) => out.emit_at(level, time),
                Err(why) => out.dead_letter(&format!("reading {}", self.next), why, line.as_bytes()),
            }
            self.next += 1;
        }
        Ok(Polled::More)
    }

    fn position(&self) -> Position {
        Position(self.next)
    }
}

/// Stands in for a service: readings as lines `MINUTE LEVEL`, of which some are damaged.
#[derive(Clone)]
struct Archive {
    gauges: u32,
    readings: u64,
}

impl Archive {
    /// Readings of a gauge, from number `from` on, at most so many; none where there are no more.
    fn page(&self, gauge: u32, from: u64, limit: usize) -> Result<Vec<String>, String> {
        if gauge >= self.gauges {
            return Err("the archive does not know this gauge; list the gauges again".to_owned());
        }
        let to = self.readings.min(from.saturating_add(limit as u64));
        Ok((from..to).map(|n| self.line(gauge, n)).collect())
    }

    fn line(&self, gauge: u32, n: u64) -> String {
        if n % 1000 == 999 {
            return format!("{n} -.--");
        }
        let tide = (n as f64 / 745.0 * std::f64::consts::TAU).sin();
        format!("{n} {:.2}", 2.0 + f64::from(gauge) + tide)
    }
}

/// A water level in metres.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Data)]
struct Level {
    gauge: u32,
    metres: f64,
}

fn parse(gauge: u32, line: &str) -> Result<(EventTime, Level), &'static str> {
    let (minute, metres) = line.split_once(' ').ok_or("a reading is a minute and a level")?;
    let minute: i64 = minute.parse().map_err(|_| "the minute is no number")?;
    let metres: f64 = metres.parse().map_err(|_| "the level is no number")?;
    Ok((EventTime::from_millis(minute.saturating_mul(60_000)), Level { gauge, metres }))
}

/// What can be set from outside.
#[derive(Serialize, Deserialize)]
#[serde(default)]
struct Parameters {
    /// Gauges in the archive.
    gauges: u32,
    /// Readings of each.
    readings: u64,
}

/// Each gauge is a split, and all splits are listed before anything runs.
const GAUGES_MAX: u32 = 10_000;

impl Default for Parameters {
    fn default() -> Self {
        Parameters { gauges: 4, readings: 3000 }
    }
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn custom_source(pipeline: &Pipeline, parameters: Parameters) -> Result<(), watershed::Error> {
    let Parameters { gauges, readings } = parameters;
    if gauges > GAUGES_MAX {
        return Err(format!("gauges is {gauges}, and the archive has room for {GAUGES_MAX}").into());
    }
    pipeline
        .source(Archived { archive: Archive { gauges, readings } })
        .uid("archive")
        .key_by(|level| level.gauge)
        .window(Tumbling::of(DAY))
        .aggregate((Count, Max.of(|level: &Level| level.metres)))
        .uid("days")
        .map(|Windowed { key, window, value: (readings, highest), .. }| {
            let day = window.start.as_millis() / DAY.as_millis() as i64;
            let highest = highest.map_or("unknown".to_owned(), |metres| format!("{metres:.2} m"));
            format!("gauge {key}, day {day}: {readings} readings, highest {highest}")
        })
        .sink(Print::display())
        .uid("reports");
    Ok(())
}

/// Registers the pipeline.
pub(crate) fn register(app: App) -> App {
    app.pipeline("custom-source", "Reads an archive of water levels page by page", custom_source)
}

/// [`verify_source`] reads each split whole, and then leaves and opens it again at every position.
///
/// [`verify_source`]: watershed::core::testing::verify_source
#[cfg(test)]
mod tests {
    use watershed::core::testing::{SourceHarness, verify_source};

    use super::*;

    const ARCHIVED: Archived = Archived { archive: Archive { gauges: 2, readings: 1005 } };

    #[test]
    fn it_keeps_the_contract_of_sources() {
        verify_source(&Archived { archive: Archive { gauges: 3, readings: 20 } }, 2);
    }

    #[test]
    fn a_reading_that_makes_no_sense_is_set_aside_with_its_place() {
        let mut harness = SourceHarness::new(&ARCHIVED, 1).unwrap().budget(100);
        harness.run().unwrap();
        assert_eq!(harness.values().len(), 2 * 1004);
        let letters = harness.dead_letters();
        let places: Vec<_> = letters.iter().map(|letter| letter.origin.as_str()).collect();
        assert_eq!(places, ["gauge 0 reading 999", "gauge 1 reading 999"]);
        assert_eq!(
            (letters[0].reason.as_str(), &*letters[0].bytes),
            ("the level is no number", &b"999 -.--"[..])
        );
    }

    #[test]
    fn a_gauge_that_the_archive_does_not_know_is_an_error() {
        assert!(ARCHIVED.archive.page(2, 0, 10).unwrap_err().contains("does not know this gauge"));
    }
}
