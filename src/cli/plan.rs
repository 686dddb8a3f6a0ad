//! `plan`: how a pipeline would run.

use serde_json::{Value, json};
use watershed_core::Plan;
use watershed_core::plan::Fingerprint;

use super::answer;
use super::arguments;
use super::failure::Failure;
use super::run::{Prepared, prepare};
use super::settings::{Options, Settings};
use crate::app::App;

/// Shows a plan as text, as a graph, or as JSON.
pub(super) fn show(
    app: &App,
    arguments: &arguments::Plan,
    settings: Settings,
    options: &Options,
) -> Result<(), Failure> {
    let Prepared { plan, config, .. } = prepare(app, &arguments.choice, settings, options)?;
    plan.check_parallelism(config.parallelism)?;
    if arguments.dot {
        answer(plan.to_dot().trim_end())
    } else if options.json {
        answer(&to_json(&plan, config.parallelism).to_string())
    } else {
        answer(plan.to_text().trim_end())
    }
}

/// A plan with the parallelism that each vertex would have.
fn to_json(plan: &Plan, parallelism: u32) -> Value {
    let vertices: Vec<Value> = plan
        .vertices
        .iter()
        .map(|vertex| {
            json!({
                "id": vertex.id.0,
                "parallelism": plan.parallelism_of(vertex.id, parallelism),
                "is_source": vertex.is_source,
                "is_sink": vertex.is_sink,
                "operators": vertex.stages,
            })
        })
        .collect();
    let edges: Vec<Value> = plan
        .edges
        .iter()
        .map(|edge| {
            json!({
                "from": edge.from.0,
                "output": edge.output,
                "to": edge.to.0,
                "port": edge.port.0,
                "routing": edge.routing.to_string(),
                "records": edge.shape,
            })
        })
        .collect();
    json!({
        "pipeline": plan.name,
        "fingerprint": Fingerprint::of(plan).to_string(),
        "key_groups": plan.key_groups.count(),
        "vertices": vertices,
        "edges": edges,
    })
}
