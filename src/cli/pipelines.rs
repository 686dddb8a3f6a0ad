//! `pipelines`: what can be run, and what can be set.

use std::fmt::Write;

use serde_json::{Value, json};

use super::answer;
use super::failure::Failure;
use super::settings::Options;
use crate::app::App;

/// Lists the pipelines of an application.
pub(super) fn list(app: &App, options: &Options) -> Result<(), Failure> {
    if options.json {
        let pipelines: Vec<Value> = app
            .pipelines
            .iter()
            .map(|one| json!({ "name": one.name, "about": one.about, "parameters": one.parameters }))
            .collect();
        answer(&json!({ "pipelines": pipelines }).to_string())
    } else {
        answer(text_of(app).trim_end())
    }
}

fn text_of(app: &App) -> String {
    let mut text = String::new();
    for pipeline in &app.pipelines {
        writeln!(text, "{}: {}", pipeline.name, pipeline.about).expect("writing to a string succeeds");
        for parameter in &pipeline.parameters {
            writeln!(text, "    --set {}={}", parameter.name, parameter.default)
                .expect("writing to a string succeeds");
        }
    }
    text
}
