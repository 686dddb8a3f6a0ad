//! `settings`: every name that can be set, with its default value and what it means, as a settings file.

use std::fmt::Write;

use serde_json::{Value, json};

use super::checkpoints::Checkpoints;
use super::poison::Poison;
use super::{Limits, NodeOptions, Options};
use crate::cli::failure::Failure;
use crate::cli::streams::answer;
use crate::parameters::{Parameter, parameters_of};

/// A table of the file: how it is called, what its names are in the environment, and what can be set in it.
struct Table {
    name: Option<&'static str>,
    prefix: &'static str,
    parameters: Vec<Parameter>,
    meanings: &'static [(&'static str, &'static str)],
}

const OPTIONS: &[(&str, &str)] = &[
    ("quiet", "show neither progress nor summary"),
    ("json", "answer in JSON"),
    ("dead_letters", "path: where unusable input is kept; dead-letters/PIPELINE.jsonl where it is not set"),
    ("state_dir", "directory: where checkpoints are kept; none are taken where it is not set"),
    ("state_backend", "memory or disk: where operators keep the values of their keys"),
    ("state_memory_mib", "MiB of an operator's subtask that stay in memory, with disk"),
    (
        "memory_limit_mib",
        "MiB of memory that the process of `run` or `node` may take before it ends; any where it is not set",
    ),
];

const LIMITS: &[(&str, &str)] = &[
    ("arbiters", "threads on which subtasks live; one for each core"),
    ("parallelism", "subtasks of an operator that does not say; one for each core"),
    ("key_groups", "buckets that keys are dealt into, fixed for the life of a job's state"),
    ("batch_records", "records that are handed over at once"),
    ("credit_batches", "batches that may be on their way on a channel"),
    (
        "credit_control",
        "watermarks, barriers and ends that may be on their way on a channel, beside the batches",
    ),
    ("in_flight", "duration: how long what is on its way on a channel may take its receiver"),
    ("flush_after", "duration: how long a record may wait in a batch that does not fill"),
    ("poll_records", "records that a source reads from a split before it looks at anything else"),
    ("polls_per_turn", "polls that a source makes before others of its thread run"),
    ("turn_within", "duration: how long a source reads before others of its thread run"),
    ("open_splits", "splits that a source's subtask has open at a time"),
    ("idle_tick", "duration: how often a source with nothing to read tells the time"),
    ("convoy_tick", "duration: how long a source waits that is far ahead of another subtask's"),
    ("vigil", "duration: how long a thread without work looks out for a message before it sleeps"),
    ("stop_within", "duration: how long the end of a job waits for operators' code to return"),
];

const CHECKPOINTS: &[(&str, &str)] = &[
    (
        "interval",
        "duration from one checkpoint to the next; 0 takes only those that are asked for, and the last",
    ),
    ("pause_min", "duration from the end of one checkpoint to the start of the next, at least"),
    ("timeout", "duration after which a checkpoint is given up"),
    ("back_off", "duration by which the next one is put off when one has failed; doubled with each"),
    ("back_off_max", "duration: the longest that waits become by doubling"),
    ("failures_tolerated", "checkpoints that may fail in a row before the job is reported degraded"),
    ("pending_max", "decided checkpoints that may wait for their commits"),
    ("retain", "checkpoints that are kept, beside savepoints"),
    ("block", "numbers of checkpoints that are taken at a time, and burnt where a run ends"),
    ("restore_timeout", "duration that a run may take to load its state"),
    (
        "cancel_timeout",
        "duration that a cancelled job may take to commit what is decided; then it names what is left",
    ),
    ("commit_retry", "duration before an order to commit is repeated; doubled up to back_off_max"),
    ("store_retry", "duration before a write is tried again that the store did not take"),
    ("restarts_max", "runs in a row that may end without a checkpoint before the job is given up"),
    ("restart_pause", "duration before the second such run; doubled up to back_off_max"),
    ("halt_on_violation", "whether the job ends where a cut is not consistent, instead of trying another"),
    ("store", "s3://bucket/prefix: where checkpoints are kept, if not in the state directory"),
    ("guarantee", "exactly-once, at-least-once or at-most-once: what every source must hold to"),
    ("ingress_bytes_max", "bytes that the log of a source's split may take up"),
];

const POISON: &[(&str, &str)] = &[
    (
        "policy",
        "fail or quarantine: what becomes of a record at which an operator panics in each of several tries",
    ),
    ("max_attempts", "tries"),
    ("quarantine_max", "records that may be set aside before the job fails"),
];

const NODE: &[(&str, &str)] = &[
    ("name", "the node's name; the host's where it is not set"),
    ("cluster", "the cluster's name"),
    ("listen", "host:port for other nodes"),
    ("advertise", "host:port by which other nodes reach it; what it listens on where it is not set"),
    ("http", "host:port for people and programs, or none"),
    ("http_token_file", "file with the token that HTTP requests must carry; of clients too"),
    ("http_open", "let whoever reaches the HTTP port use it"),
    (
        "coordinators",
        "the nodes that may lead, as [\"n1=host:port\", ..]; this one alone where there are none",
    ),
    ("slots", "subtasks of each operator that it takes; one for each core where it is not set"),
    ("data", "the node's own directory; watershed-data/NAME where it is not set"),
    ("checkpoints", "directory that all nodes share, or s3://bucket/prefix"),
    ("tls_ca", "file: the certificate of the cluster's authority"),
    ("tls_cert", "file: the node's certificate"),
    ("tls_key", "file: the node's private key"),
    ("plain", "link nodes without TLS also beyond this machine"),
    ("compress", "compress the records that are sent to other nodes (LZ4)"),
    ("leave_within", "duration that a node which is told to end waits for its jobs to be moved"),
    ("url", "of clients: the nodes that they ask, as [\"http://host:port\", ..]"),
    ("within", "of clients: duration for which a cluster is asked again that does not answer yet"),
];

fn tables() -> [Table; 5] {
    let table = |name, prefix, parameters, meanings| Table { name, prefix, parameters, meanings };
    [
        table(None, "", parameters_of::<Options>(), OPTIONS),
        table(Some("runtime"), "", parameters_of::<Limits>(), LIMITS),
        table(Some("checkpoints"), "CHECKPOINT_", parameters_of::<Checkpoints>(), CHECKPOINTS),
        table(Some("poison"), "POISON_", parameters_of::<Poison>(), POISON),
        table(Some("node"), "NODE_", parameters_of::<NodeOptions>(), NODE),
    ]
}

impl Table {
    /// What a name means.
    fn meaning(&self, name: &str) -> &'static str {
        let found = self.meanings.iter().find(|(known, _)| *known == name);
        found.expect("a test sees that each name has a meaning").1
    }
}

/// Prints all settings.
pub(in crate::cli) fn show(options: &Options) -> Result<(), Failure> {
    if options.json { answer(&as_json().to_string()) } else { answer(as_file().trim_end()) }
}

fn as_file() -> String {
    let mut text = String::from(
        "# Every setting with its default value. What is copied into watershed.toml takes effect; # marks what has none.\n",
    );
    for table in tables() {
        let head = table.name.map_or_else(String::new, |name| format!("\n[{name}]"));
        let prefix = table.prefix;
        writeln!(text, "{head}\n# In the environment: WATERSHED_{prefix}..").expect("it is a string");
        for Parameter { name, default, .. } in &table.parameters {
            let is_set = !default.is_empty();
            let value = if is_set { literal(default) } else { "..".to_owned() };
            let mark = if is_set { "" } else { "# " };
            let setting = format!("{mark}{name} = {value}");
            let meaning = table.meaning(name);
            writeln!(text, "{setting:<34} # {meaning}").expect("it is a string");
        }
    }
    text + "\n# [pipelines.NAME]\n# the parameters of a pipeline, as `pipelines` lists them; WATERSHED_SET_..\n"
}

fn as_json() -> Value {
    let settings = tables().into_iter().flat_map(|table| {
        let of = |parameter: &Parameter| {
            let Parameter { name, default, .. } = parameter;
            let variable = format!("WATERSHED_{}{}", table.prefix, name.to_uppercase());
            json!({
                "table": table.name, "name": name, "variable": variable,
                "default": default, "meaning": table.meaning(name),
            })
        };
        table.parameters.iter().map(of).collect::<Vec<_>>()
    });
    json!({ "settings": settings.collect::<Vec<_>>() })
}

/// A value as it stands in the file.
fn literal(text: &str) -> String {
    if text.parse::<i64>().is_ok() || text.parse::<bool>().is_ok() {
        return text.to_owned();
    }
    toml::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::App;
    use crate::cli::settings::Settings;

    #[test]
    fn each_name_has_a_meaning_and_each_meaning_a_name() {
        for table in tables() {
            let names: Vec<&str> = table.parameters.iter().map(|one| one.name.as_str()).collect();
            let known: Vec<&str> = table.meanings.iter().map(|(name, _)| *name).collect();
            assert_eq!(names, known, "{:?}", table.name);
        }
    }

    #[test]
    fn what_is_printed_is_a_file_that_sets_what_is_so_anyway() {
        let place = tempfile::tempdir().expect("a temporary directory can be made");
        let path = place.path().join("watershed.toml");
        std::fs::write(&path, as_file()).expect("it is ours");
        let read = Settings::read(&App::new("test"), Some(&path), []).expect("it is read");
        let (config, groups) = read.config().expect("it makes sense");
        let (default, default_groups) = Settings::default().config().expect("defaults make sense");
        assert_eq!((format!("{config:?}"), groups), (format!("{default:?}"), default_groups));
        let node: NodeOptions = read.node.read().expect("it makes sense");
        assert_eq!(format!("{node:?}"), format!("{:?}", NodeOptions::default()));
    }

    #[test]
    fn programs_are_told_the_same_with_the_variables() {
        let told = as_json();
        let all = told["settings"].as_array().expect("it is a list");
        let interval = all.iter().find(|one| one["variable"] == "WATERSHED_CHECKPOINT_INTERVAL");
        let interval = interval.expect("it can be set");
        assert_eq!((&interval["table"], &interval["default"]), (&json!("checkpoints"), &json!("1s")));
        assert!(all.len() > 50, "{}", all.len());
    }
}
