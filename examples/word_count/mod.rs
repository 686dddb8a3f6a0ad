//! Counts the words of text files.
//!
//! ```text
//!  files ── words ── combine ═══ by word ═══▶ total ═══ to one subtask ═══▶ words.csv
//!  (a chain: one loop over the bytes)         (one for each core)
//! ```
//!
//! A word is a run of ASCII letters, digits and apostrophes, in lower case. The decoder [`source::Words`] makes
//! them straight from the bytes of the file, as strings that are kept in place where they have up to 24 bytes:
//! no line is copied and most words allocate nothing. [`combine`] counts what one subtask has read, and
//! only sums are sent to the subtask that has the word's total.
//!
//! Nothing here has a time of its own, so there is one window, all of it, and the totals come at the end.

mod combine;

use std::path::PathBuf;

use aggregate::{AggregateOf, Sum};
use compact_str::CompactString;
use watershed::prelude::*;

use combine::Combine;

/// What can be set.
#[derive(Serialize, Deserialize)]
#[serde(default)]
struct Parameters {
    /// A file, a directory of files, or a pattern; `.gz` too.
    input: PathBuf,
    /// The CSV file for the counts.
    output: PathBuf,
}

impl Default for Parameters {
    fn default() -> Self {
        Parameters { input: "examples/data/watersheds.txt".into(), output: "out/words.csv".into() }
    }
}

/// A row of the output.
#[derive(Clone, Serialize, Deserialize, Data)]
struct WordCount {
    word: CompactString,
    count: u64,
}

fn word_count(pipeline: &Pipeline, parameters: Parameters) -> Result<(), watershed::Error> {
    pipeline
        .source(source::Lines::at(parameters.input).decode(source::Words))
        .uid("words")
        .transform("combine", Combine)
        .uid("combine")
        .key_by(|(word, _)| word.clone())
        .window(Global::new())
        .aggregate(Sum.of(|(_, count): &(CompactString, u64)| *count))
        .uid("total")
        .map(|total| WordCount { word: total.key, count: total.value })
        .gather()
        .sink(sink::Files::csv(&parameters.output))
        .named(&parameters.output.display().to_string())
        .uid("counts");
    Ok(())
}

/// Registers the pipeline.
pub(crate) fn register(app: App) -> App {
    app.pipeline("word-count", "Counts the words of text files", word_count)
}
