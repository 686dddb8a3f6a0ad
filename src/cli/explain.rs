//! `checkpoint verify --explain`: what makes a checkpoint a consistent cut, rule by rule.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use watershed_core::Epoch;
use watershed_core::checkpoint::Manifest;
use watershed_protocol::checkpoint::{Finding, Violation, examine};
use watershed_state::inspect::{InspectError, Offline, Report};

/// What was found when a checkpoint was verified, and by which rules.
#[derive(Serialize)]
pub(super) struct Explained {
    #[serde(flatten)]
    report: Report,
    /// Each rule; nothing where no explanation was asked for, or the manifest cannot be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rules: Vec<Line>,
}

/// What came of one rule.
#[derive(Serialize)]
struct Line {
    /// Its name.
    rule: String,
    /// What it says.
    means: &'static str,
    /// How many of what were checked, where it holds.
    checked: Option<BTreeMap<&'static str, u64>>,
    /// The first thing that breaks it.
    violation: Option<String>,
    /// The operators of the vertex at which it is broken.
    operators: Vec<String>,
    /// What was checked, or where it is broken, for people.
    #[serde(skip)]
    told: String,
}

impl Explained {
    /// A report without an explanation.
    pub(super) fn plain(report: Report) -> Self {
        Explained { report, rules: Vec::new() }
    }
}

/// Explains what was found. A checkpoint that a running job has let go since is left unexplained.
pub(super) async fn explain(offline: &Offline, reports: Vec<Report>) -> Result<Vec<Explained>, InspectError> {
    let epochs: Vec<Epoch> = reports.iter().map(|report| report.epoch).collect();
    let explained = |(report, cut): (Report, Result<(Manifest, Option<Manifest>), _>)| {
        let rules = cut.map_or_else(|_: InspectError| Vec::new(), |(cut, base)| lines(&cut, base.as_ref()));
        Explained { report, rules }
    };
    Ok(reports.into_iter().zip(offline.cuts(&epochs).await?).map(explained).collect())
}

fn lines(manifest: &Manifest, base: Option<&Manifest>) -> Vec<Line> {
    examine(manifest, base).into_iter().map(|finding| line(manifest, finding)).collect()
}

fn line(manifest: &Manifest, Finding { rule, found }: Finding) -> Line {
    let (name, means) = (rule.to_string(), rule.meaning());
    match found {
        Ok(checked) => Line {
            told: format!("{name}: {checked}; {means}"),
            rule: name,
            means,
            checked: Some(checked.counts().iter().copied().collect()),
            violation: None,
            operators: Vec::new(),
        },
        Err(violation) => Line {
            told: format!(
                "{name} is broken: {violation}\n    it says: {means}{}",
                place(manifest, &violation)
            ),
            rule: name,
            means,
            checked: None,
            operators: operators(manifest, &violation),
            violation: Some(violation.to_string()),
        },
    }
}

/// The operators of the vertex that a violation is about: its number says little to whoever wrote the pipeline.
fn operators(manifest: &Manifest, violation: &Violation) -> Vec<String> {
    let of_vertex = manifest.plan.operators().filter(|operator| Some(operator.vertex) == violation.vertex());
    of_vertex.map(|operator| format!("{} {}", operator.kind, operator.uid)).collect()
}

fn place(manifest: &Manifest, violation: &Violation) -> String {
    let Some(vertex) = violation.vertex() else { return String::new() };
    let operators = operators(manifest, violation);
    if operators.is_empty() {
        return format!("\n    vertex {vertex} has no operator: it hands records on");
    }
    format!("\n    vertex {vertex}: {}", operators.join(", ").escape_debug())
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.report)?;
        self.rules.iter().try_for_each(|line| writeln!(f, "  {}", line.told))
    }
}
