//! What is set for a command: defaults, then the file, then the environment, then flags.

mod checkpoints;
mod job;
mod node;
mod poison;
mod reference;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
#[cfg(feature = "disk")]
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use watershed_core::KeyGroups;
use watershed_runtime::Config;
use watershed_runtime::cluster::OpenBackend;
#[cfg(feature = "disk")]
use watershed_state::DiskBackend;

use super::failure::Failure;
use super::short_file;
use crate::app::App;
use crate::job::StateBackend;
use crate::memory::{Bound, Exceeded};
use crate::parameters::{ParameterError, Values, nearest, parameters_of};
use checkpoints::Checkpoints;
pub(super) use node::NodeOptions;
use poison::Poison;
pub(super) use reference::show as show_all;

/// The file that is read where nobody names another.
const DEFAULT_FILE: &str = "watershed.toml";

/// How much of a settings file is read, in bytes: one that is longer is none, or has no end.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// What every variable of ours begins with.
const PREFIX: &str = "WATERSHED_";

/// What follows in those that set the limits of checkpoints.
const CHECKPOINT: &str = "checkpoint_";

/// What follows in those that say what is done with records by which operators panic.
const POISON: &str = "poison_";

/// What follows in those that say how a node takes part in a cluster.
const NODE: &str = "node_";

/// What is set, before anybody asks what it means.
#[derive(Default)]
pub(super) struct Settings {
    /// The runtime's limits.
    pub(super) limits: Values,
    /// The limits of checkpoints.
    pub(super) checkpoints: Values,
    /// What is done with records by which operators panic.
    pub(super) poison: Values,
    /// How a node takes part in a cluster.
    pub(super) node: Values,
    /// The command's own options.
    pub(super) options: Values,
    /// The parameters of each pipeline, from the file.
    pipelines: BTreeMap<String, Values>,
    /// Parameters from the environment, by the variable's lower-case name.
    variables: Vec<(String, String, String)>,
}

/// The command's own options.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Options {
    pub(super) quiet: bool,
    pub(super) json: bool,
    pub(super) dead_letters: Option<PathBuf>,
    pub(super) state_dir: Option<PathBuf>,
    pub(super) state_backend: Backend,
    /// How many MiB the values in use of an operator's subtask may have, where the rest is on disk.
    state_memory_mib: Mebibytes,
    /// How many MiB of memory the process may take, if that is bounded.
    memory_limit_mib: Option<u64>,
}

/// Where operators keep their values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Backend {
    #[default]
    Memory,
    Disk,
}

/// So many times 1,048,576 bytes.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(transparent)]
struct Mebibytes(usize);

impl Default for Mebibytes {
    fn default() -> Self {
        Mebibytes(64)
    }
}

impl Mebibytes {
    #[cfg(feature = "disk")]
    fn bytes(self) -> usize {
        self.0.saturating_mul(1 << 20)
    }
}

impl Options {
    /// What opens the place for a node's share of a job's state, where that is to be on disk.
    pub(super) fn node_backend(&self) -> Result<Option<Box<OpenBackend>>, Failure> {
        match self.state_backend {
            Backend::Memory => Ok(None),
            #[cfg(feature = "disk")]
            Backend::Disk => {
                let memory = self.state_memory_mib.bytes();
                Ok(Some(Box::new(move |place| Ok(Arc::new(DiskBackend::open(place, memory)?)))))
            }
            #[cfg(not(feature = "disk"))]
            Backend::Disk => Err(without_disk()),
        }
    }

    /// Bounds what the process takes of memory, as long as what is returned is kept.
    pub(super) fn bound_memory(&self) -> Result<Option<Bound>, Failure> {
        let Some(limit) = self.memory_limit_mib else { return Ok(None) };
        let json = self.json;
        let tell = move |exceeded: &Exceeded| {
            Failure::Unable(exceeded.to_string()).report(json);
        };
        let bound = Bound::set(limit.saturating_mul(1 << 20), tell);
        bound.map(Some).map_err(|error| {
            Failure::Usage(format!(
                "memory_limit_mib cannot be kept: the system does not tell what is taken ({error})"
            ))
        })
    }

    /// Where operators keep their values.
    pub(super) fn backend(&self) -> Result<StateBackend, Failure> {
        match self.state_backend {
            Backend::Memory => Ok(StateBackend::Memory),
            #[cfg(feature = "disk")]
            Backend::Disk if self.state_dir.is_some() => {
                Ok(StateBackend::Disk { memory: self.state_memory_mib.bytes() })
            }
            #[cfg(feature = "disk")]
            Backend::Disk => {
                Err(Failure::Usage("state on disk needs a state directory: add --state-dir DIR".to_owned()))
            }
            #[cfg(not(feature = "disk"))]
            Backend::Disk => Err(without_disk()),
        }
    }
}

#[cfg(not(feature = "disk"))]
fn without_disk() -> Failure {
    let why = "this binary was built without the feature disk, so state can only be in memory";
    Failure::Usage(why.to_owned())
}

/// The runtime's limits under the names by which they are set.
#[derive(Serialize, Deserialize)]
#[serde(default)]
struct Limits {
    arbiters: usize,
    parallelism: u32,
    key_groups: u16,
    batch_records: usize,
    credit_batches: u32,
    credit_control: u32,
    in_flight: Duration,
    flush_after: Duration,
    poll_records: usize,
    polls_per_turn: usize,
    turn_within: Duration,
    open_splits: usize,
    idle_tick: Duration,
    convoy_tick: Duration,
    vigil: Duration,
    stop_within: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let config = Config::default();
        Limits {
            arbiters: config.arbiters,
            parallelism: config.parallelism,
            key_groups: KeyGroups::default().count(),
            batch_records: config.batch_records,
            credit_batches: config.credit_batches,
            credit_control: config.credit_control,
            in_flight: config.in_flight,
            flush_after: config.flush_after,
            poll_records: config.poll_records,
            polls_per_turn: config.polls_per_turn,
            turn_within: config.turn_within,
            open_splits: config.open_splits,
            idle_tick: config.idle_tick,
            convoy_tick: config.convoy_tick,
            vigil: config.vigil,
            stop_within: config.stop_within,
        }
    }
}

impl Settings {
    /// Reads the file and the environment. `flag` is the file that the command line names.
    pub(super) fn read(
        app: &App,
        flag: Option<&Path>,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, Failure> {
        let mut variables = BTreeMap::new();
        for (name, value) in environment {
            let (Some(name), value) = (name.to_str().and_then(|name| name.strip_prefix(PREFIX)), value)
            else {
                continue;
            };
            let Some(value) = value.to_str() else {
                return Err(Failure::Usage(format!("the variable {PREFIX}{name} is not valid UTF-8")));
            };
            variables.insert(name.to_owned(), value.to_owned());
        }
        let mut settings = Settings::default();
        let named = variables.remove("CONFIG").map(PathBuf::from);
        match flag.map(Path::to_owned).or(named) {
            Some(path) => settings.read_file(app, &path)?,
            None if Path::new(DEFAULT_FILE).exists() => settings.read_file(app, Path::new(DEFAULT_FILE))?,
            None => {}
        }
        settings.read_variables(variables)?;
        Ok(settings)
    }

    fn read_file(&mut self, app: &App, path: &Path) -> Result<(), Failure> {
        let place = path.display().to_string();
        let text = short_file::text_in(path, FILE_BYTES_MAX)
            .map_err(|error| Failure::Usage(format!("{} cannot be read: {error}", path.display())))?;
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            let before = error.span().map_or(0, |span| span.start).min(text.len());
            let line = text.as_bytes()[..before].iter().filter(|&&byte| byte == b'\n').count() + 1;
            Failure::Usage(format!("{place} line {line}: {}", error.message()))
        })?;
        let options = names_of::<Options>();
        for (name, value) in table {
            match (name.as_str(), value) {
                ("runtime", toml::Value::Table(limits)) => {
                    set_all(&mut self.limits, limits, &format!("{place} [runtime]"))?;
                }
                ("checkpoints", toml::Value::Table(limits)) => {
                    set_all(&mut self.checkpoints, limits, &format!("{place} [checkpoints]"))?;
                }
                ("poison", toml::Value::Table(poison)) => {
                    set_all(&mut self.poison, poison, &format!("{place} [poison]"))?;
                }
                ("node", toml::Value::Table(node)) => {
                    set_all(&mut self.node, node, &format!("{place} [node]"))?;
                }
                ("pipelines", toml::Value::Table(pipelines)) => self.set_pipelines(app, pipelines, &place)?,
                ("runtime" | "checkpoints" | "poison" | "node" | "pipelines", _) => {
                    return Err(Failure::Usage(format!("{place}: {name} has to be a table, [{name}]")));
                }
                (option, value) if options.iter().any(|known| known == option) => {
                    self.options.set(option, text_of(&value, &place, option)?, place.clone());
                }
                (unknown, _) => {
                    let tables = ["runtime", "checkpoints", "poison", "node", "pipelines"].map(str::to_owned);
                    return Err(unknown_name(&place, unknown, options.iter().chain(&tables)));
                }
            }
        }
        // Names are checked even where the command does not use their values.
        self.limits.read::<Limits>()?;
        self.checkpoints.read::<Checkpoints>()?;
        self.poison.read::<Poison>()?;
        self.node.read::<NodeOptions>()?;
        Ok(())
    }

    fn set_pipelines(&mut self, app: &App, tables: toml::Table, place: &str) -> Result<(), Failure> {
        for (name, table) in tables {
            let origin = format!("{place} [pipelines.{name}]");
            if app.find(&name).is_none() {
                let known: Vec<String> = app.pipelines.iter().map(|one| one.name.to_owned()).collect();
                return Err(unknown_name(&format!("{place} [pipelines]"), &name, &known));
            }
            let toml::Value::Table(table) = table else {
                return Err(Failure::Usage(format!("{origin} has to be a table")));
            };
            set_all(self.pipelines.entry(name).or_default(), table, &origin)?;
        }
        Ok(())
    }

    fn read_variables(&mut self, variables: BTreeMap<String, String>) -> Result<(), Failure> {
        let (limits, options) = (names_of::<Limits>(), names_of::<Options>());
        let behind = |prefix: &str, names: Vec<String>| -> Vec<String> {
            names.iter().map(|name| format!("{prefix}{name}")).collect()
        };
        let checkpoints = behind(CHECKPOINT, names_of::<Checkpoints>());
        let poison = behind(POISON, names_of::<Poison>());
        let node = behind(NODE, names_of::<NodeOptions>());
        for (variable, value) in variables {
            let (name, origin) = (variable.to_lowercase(), format!("{PREFIX}{variable}"));
            if let Some(parameter) = name.strip_prefix("set_") {
                self.variables.push((parameter.to_owned(), value, origin));
            } else if limits.contains(&name) {
                self.limits.set(name, value, origin);
            } else if let Some(limit) = name.strip_prefix(CHECKPOINT)
                && checkpoints.contains(&name)
            {
                self.checkpoints.set(limit, value, origin);
            } else if let Some(rule) = name.strip_prefix(POISON)
                && poison.contains(&name)
            {
                self.poison.set(rule, value, origin);
            } else if let Some(option) = name.strip_prefix(NODE)
                && node.contains(&name)
            {
                self.node.set(option, value, origin);
            } else if options.contains(&name) {
                self.options.set(name, value, origin);
            } else {
                let config = "config".to_owned();
                let known: Vec<String> = limits
                    .iter()
                    .chain(&checkpoints)
                    .chain(&poison)
                    .chain(&node)
                    .chain(&options)
                    .chain([&config])
                    .map(|known| format!("{PREFIX}{}", known.to_uppercase()))
                    .collect();
                return Err(unknown_name("environment", &origin, &known));
            }
        }
        Ok(())
    }

    /// The values of a pipeline's parameters: from the file, the environment, and flags (`key=value`).
    pub(super) fn parameters(&self, app: &App, pipeline: &str, flags: &[String]) -> Result<Values, Failure> {
        let mut values = self.pipelines.get(pipeline).cloned().unwrap_or_default();
        let known = app.find(pipeline).map_or(&[] as &[_], |one| one.parameters.as_slice());
        for (variable, value, origin) in &self.variables {
            // Variables know neither case nor hyphens.
            let named = known.iter().find(|one| one.name.to_lowercase().replace('-', "_") == *variable);
            values.set(named.map_or(variable, |one| &one.name), value, origin);
        }
        for flag in flags {
            let Some((name, value)) = flag.split_once('=') else {
                return Err(Failure::Usage(format!("--set {flag}: write --set {flag}=VALUE")));
            };
            values.set(name.trim(), value, "--set");
        }
        Ok(values)
    }

    /// The runtime's limits, and into how many groups keys are divided.
    pub(super) fn config(&self) -> Result<(Config, KeyGroups), Failure> {
        let limits: Limits = self.limits.read()?;
        let counts = [
            ("arbiters", limits.arbiters),
            ("parallelism", limits.parallelism as usize),
            ("batch_records", limits.batch_records),
            ("credit_batches", limits.credit_batches as usize),
            ("credit_control", limits.credit_control as usize),
            ("poll_records", limits.poll_records),
            ("polls_per_turn", limits.polls_per_turn),
            ("open_splits", limits.open_splits),
        ];
        if let Some((name, _)) = counts.iter().find(|(_, count)| *count == 0) {
            return Err(Failure::Usage(format!("{name} is 0: it must be at least 1")));
        }
        if limits.idle_tick.is_zero() {
            return Err(Failure::Usage("idle_tick is 0: write a duration, as 100ms".to_owned()));
        }
        let Some(key_groups) = KeyGroups::new(limits.key_groups) else {
            let (groups, max) = (limits.key_groups, KeyGroups::MAX);
            return Err(Failure::Usage(format!("key_groups is {groups}: it must lie between 1 and {max}")));
        };
        if limits.parallelism > u32::from(limits.key_groups) {
            return Err(Failure::Usage(format!(
                "parallelism is {}: it must lie between 1 and the {} key groups",
                limits.parallelism, limits.key_groups
            )));
        }
        let (guarantee, ingress) = checkpoints::ingress(&self.checkpoints)?;
        let config = Config {
            placement: Config::default().placement,
            arbiters: limits.arbiters,
            parallelism: limits.parallelism,
            batch_records: limits.batch_records,
            credit_batches: limits.credit_batches,
            credit_control: limits.credit_control,
            in_flight: limits.in_flight,
            flush_after: limits.flush_after,
            poll_records: limits.poll_records,
            polls_per_turn: limits.polls_per_turn,
            turn_within: limits.turn_within,
            open_splits: limits.open_splits,
            idle_tick: limits.idle_tick,
            convoy_tick: limits.convoy_tick,
            vigil: limits.vigil,
            checkpoints: checkpoints::config(&self.checkpoints)?,
            poison: poison::config(&self.poison)?,
            guarantee,
            ingress,
            stop_within: limits.stop_within,
        };
        Ok((config, key_groups))
    }
}

impl Settings {
    /// Where checkpoints are kept, if not in the state directory.
    pub(super) fn checkpoint_store(&self) -> Result<Option<String>, Failure> {
        checkpoints::store(&self.checkpoints)
    }
}

/// The names under which a struct's fields are set.
fn names_of<T: Serialize + serde::de::DeserializeOwned + Default>() -> Vec<String> {
    parameters_of::<T>().into_iter().map(|parameter| parameter.name).collect()
}

fn unknown_name<'a>(origin: &str, name: &str, known: impl IntoIterator<Item = &'a String>) -> Failure {
    let known: Vec<String> = known.into_iter().cloned().collect();
    let nearest = nearest(name, known.iter().map(String::as_str)).map(str::to_owned);
    ParameterError::Unknown { origin: origin.to_owned(), name: name.to_owned(), nearest, known }.into()
}

fn set_all(values: &mut Values, table: toml::Table, origin: &str) -> Result<(), Failure> {
    for (name, value) in table {
        let text = text_of(&value, origin, &name)?;
        values.set(name, text, origin);
    }
    Ok(())
}

/// A value of the file as the text that `--set` would be given.
fn text_of(value: &toml::Value, origin: &str, name: &str) -> Result<String, Failure> {
    match value {
        toml::Value::String(text) => Ok(text.clone()),
        toml::Value::Integer(_)
        | toml::Value::Float(_)
        | toml::Value::Boolean(_)
        | toml::Value::Datetime(_) => Ok(value.to_string()),
        toml::Value::Array(elements) => {
            let elements: Result<Vec<String>, Failure> =
                elements.iter().map(|element| text_of(element, origin, name)).collect();
            Ok(elements?.join(","))
        }
        toml::Value::Table(_) => {
            Err(Failure::Usage(format!("{origin}: {name} is a table, and has to be a value")))
        }
    }
}
