//! What can be asked of the state of a job that runs, and how it is changed: `query` and `update`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use watershed_core::{Position, SplitId};
use watershed_runtime::query::Submitted;
use watershed_server::view::LevelView;

use super::Where;

/// A key, and how much is promised of the answer.
#[derive(Args)]
pub(in crate::cli) struct Query {
    #[command(flatten)]
    pub(in crate::cli) of: OfKey,
    /// What is promised of the answer. [default: as-of with --as-of, causal with a token, else eventual]
    #[arg(long, value_name = "LEVEL")]
    pub(in crate::cli) level: Option<Level>,
    /// Read checkpoint N, or the newest one (`latest`): one cut of all state, which no failure undoes
    #[arg(long, value_name = "N|latest")]
    pub(in crate::cli) as_of: Option<String>,
    /// Where a failure has undone something that the token has seen: go on with what is left
    #[arg(long)]
    pub(in crate::cli) rebase: bool,
    /// What you have put into a source, by its uid, the number of the split and the position behind your last record; may be
    /// repeated. The token names it from then on
    #[arg(long = "input", value_name = "UID:SPLIT:POSITION", value_parser = input)]
    pub(in crate::cli) inputs: Vec<Submitted>,
    /// Wait for a complete checkpoint that has worked on all that you have put in, whatever fails meanwhile, and read that
    #[arg(long)]
    pub(in crate::cli) await_input: bool,
}

/// A place in a source. A uid may have any signs, so the numbers are looked for behind it.
fn input(typed: &str) -> Result<Submitted, String> {
    let named = typed.rsplit_once(':').and_then(|(split, position)| {
        let (source, split) = split.rsplit_once(':')?;
        let (split, position) = (SplitId(split.parse().ok()?), Position(position.parse().ok()?));
        Some(Submitted { source: source.to_owned(), split, position })
    });
    named.ok_or_else(|| "write UID:SPLIT:POSITION, as orders:0:4711".to_owned())
}

/// A key, and what becomes of it.
#[derive(Args)]
pub(in crate::cli) struct Update {
    #[command(flatten)]
    pub(in crate::cli) of: OfKey,
    /// The update, as JSON or as text: what the state's resolver takes, as {"Put":40}
    #[arg(value_name = "UPDATE", allow_hyphen_values = true)]
    pub(in crate::cli) update: String,
    /// Wait for a complete checkpoint that has the update, so that no failure undoes it
    #[arg(long)]
    pub(in crate::cli) durable: bool,
}

/// A key of a job's state, and what whoever asks has seen.
#[derive(Args)]
pub(in crate::cli) struct OfKey {
    /// The state directory that the job was started with, or the name of a job of the cluster: what is a path, or is
    /// there as a directory, is the former, unless --node is given
    #[arg(value_name = "DIR|JOB")]
    pub(in crate::cli) job: String,
    /// The name of a shared state; or the uid of an operator, for `query`
    pub(in crate::cli) state: String,
    /// The key, as JSON or as text
    #[arg(allow_hyphen_values = true)]
    pub(in crate::cli) key: String,
    /// What was seen: the token of an earlier answer. The answer has all of that
    #[arg(long, value_name = "TOKEN", conflicts_with = "token_file")]
    pub(in crate::cli) token: Option<String>,
    /// A file with the token of the last answer, where there is one; the newest is written into it
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) token_file: Option<PathBuf>,
    /// How long the answer may be waited for, up to a minute. [default: 5s]
    #[arg(long, value_name = "DURATION")]
    pub(in crate::cli) wait: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) place: Where,
}

/// What is promised of an answer.
#[derive(Clone, Copy, ValueEnum)]
pub(in crate::cli) enum Level {
    /// What whoever is asked has now
    Eventual,
    /// Nothing older than what the token has seen
    Causal,
    /// What a complete checkpoint has
    AsOf,
    /// The newest there is
    Linearizable,
}

impl From<Level> for LevelView {
    fn from(level: Level) -> Self {
        match level {
            Level::Eventual => LevelView::Eventual,
            Level::Causal => LevelView::Causal,
            Level::AsOf => LevelView::AsOf,
            Level::Linearizable => LevelView::Linearizable,
        }
    }
}

pub(super) const QUERY_HELP: &str = "\
Examples:
  {binary} query state/ limits EWR
  {binary} query {pipeline} limits EWR --level causal --token-file seen --node http://127.0.0.1:7180
  {binary} query {pipeline} limits '[\"EWR\",7]' --as-of latest --json
  {binary} query {pipeline} limits EWR --input readings:0:4711 --await-input --wait 30s

The value is JSON; so is the key, where it is not plain text. Bytes, maps with other keys than texts, and floats that JSON
has no word for are written {\"$bytes\":\"00ff\"}, {\"$map\":[[1,2]]}, {\"$float\":\"inf\"}.
Exit codes: 0 answered, 1 what was seen is undone, or the answer is refused, 2 usage, or no such job, state or key,
3 nobody answers, or not in time.";

pub(super) const UPDATE_HELP: &str = "\
Examples:
  {binary} update state/ limits EWR '{\"Put\":40}'
  {binary} update {pipeline} limits EWR Remove --durable --token-file seen --node http://127.0.0.1:7180

Exit codes: 0 made, 1 refused, or (--durable) made and not in a checkpoint in time, 2 usage, or no such job, state or key,
3 nobody answers: it is not known whether the update was made.";
