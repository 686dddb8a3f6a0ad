//! `query`, `update`: asks a running job for its state, and changes what it shares, on this machine or on a cluster.

mod seen;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use watershed_runtime::query::limits::WAIT_DEFAULT;
use watershed_server::view::{AskState, ChangeState, StateView};
use watershed_state::{Packed, from_json};

use super::arguments::{OfKey, Query, Update};
use super::failure::{Failure, one_line};
use super::requests::{Asking, Changing, Want};
use super::settings::{Options, Settings};
use super::streams::tell;
use super::{answer, ask, cluster};
use crate::parameters::Values;
use seen::Seen;

/// How long an answer may be waited for.
#[derive(Serialize, Deserialize)]
#[serde(default)]
struct Patience {
    wait: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Patience { wait: WAIT_DEFAULT }
    }
}

/// Shows the value of a key.
pub(super) fn query(settings: &mut Settings, arguments: &Query, options: &Options) -> Result<(), Failure> {
    let of = &arguments.of;
    let (wait, seen) = (wait(of)?, Seen::by(of)?);
    let asked = AskState {
        key: serde_json::to_string(&json_of("the key", &of.key)?).expect("it was JSON"),
        level: arguments.level.map(Into::into),
        epoch: arguments.as_of.clone(),
        wait: Some(millis(wait)),
        rebase: arguments.rebase,
        inputs: (!arguments.inputs.is_empty())
            .then(|| serde_json::to_string(&arguments.inputs).expect("places are plain data")),
        await_input: arguments.await_input,
    };
    // What is put wrongly is found here, whoever is to answer.
    asked.question(&of.state, seen.token()).map_err(Failure::Usage)?;
    let view = if cluster::is_local(&of.job, &of.place) {
        let asking = Asking { state: of.state.clone(), token: seen.token(), ask: asked };
        ask::state(&of.job, Want::Query(Box::new(asking)), wait)?
    } else {
        cluster::query(settings, of, seen.token(), &asked)?
    };
    seen.keep(&view)?;
    if options.json {
        return answer(&serde_json::to_string(&view).expect("an answer is plain data"));
    }
    if view.rebased && !options.quiet {
        tell("what the token had seen is undone; this is what is left");
    }
    if view.value.is_null() {
        return answer(&one_line(&format!("nothing is there for {} in {}", view.key, view.state)));
    }
    answer(&view.value.to_string())
}

/// Changes a key.
pub(super) fn update(settings: &mut Settings, arguments: &Update, options: &Options) -> Result<(), Failure> {
    let of = &arguments.of;
    let (wait, seen) = (wait(of)?, Seen::by(of)?);
    let change = ChangeState {
        key: json_of("the key", &of.key)?,
        update: json_of("the update", &arguments.update)?,
        durable: arguments.durable,
        wait: Some(millis(wait)),
    };
    change.update(&of.state, seen.token()).map_err(Failure::Usage)?;
    let view = if cluster::is_local(&of.job, &of.place) {
        let changing = Changing { state: of.state.clone(), token: seen.token(), change };
        ask::state(&of.job, Want::Update(Box::new(changing)), wait)?
    } else {
        cluster::update(settings, of, seen.token(), &change)?
    };
    seen.keep(&view)?;
    if arguments.durable && !view.durable {
        let why = format!(
            "the update is made, and no checkpoint was complete that has it within {wait:?}: ask for more by --wait"
        );
        return Err(Failure::Unable(why));
    }
    if options.json {
        return answer(&serde_json::to_string(&view).expect("an answer is plain data"));
    }
    answer(&made(&view))
}

/// An update that was made, as people read it.
fn made(view: &StateView) -> String {
    let StateView { key, run, node, .. } = view;
    let by = if node.is_empty() { String::new() } else { format!(" by node {node}") };
    let until = if view.durable { "no failure undoes it" } else { "the next checkpoint will have it" };
    one_line(&format!("{key} of {} is updated{by} in run {run}; {until}", view.state))
}

fn wait(of: &OfKey) -> Result<Duration, Failure> {
    let mut patience = Values::default();
    if let Some(wait) = &of.wait {
        patience.set("wait", wait, "--wait");
    }
    let Patience { wait } = patience.read()?;
    Ok(wait)
}

fn millis(duration: Duration) -> String {
    format!("{}ms", duration.as_millis())
}

/// What was typed: JSON, or a text that looks like none.
fn json_of(what: &str, typed: &str) -> Result<Packed, Failure> {
    let found = from_json(typed).or_else(|error| {
        let is_meant = typed.is_empty() || typed.starts_with(['{', '[', '"']) || typed.parse::<f64>().is_ok();
        if is_meant { Err(error) } else { from_json(&serde_json::Value::from(typed).to_string()) }
    });
    found.map_err(|error| Failure::Usage(format!("{what} {typed:?} is no JSON that can be taken: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_json_or_plain_text() {
        let shown = |typed: &str| {
            json_of("the key", typed).map(|packed| serde_json::to_string(&packed).expect("it was JSON"))
        };
        let cases = [
            ("7", "7"),
            ("EWR", "\"EWR\""),
            ("\"7\"", "\"7\""),
            ("[\"a\",1]", "[\"a\",1]"),
            ("2013-01-05", "\"2013-01-05\""),
            ("Remove", "\"Remove\""),
            ("a \"b\"", "\"a \\\"b\\\"\""),
            ("18446744073709551615", "18446744073709551615"),
        ];
        for (typed, expected) in cases {
            assert_eq!(shown(typed).expect(typed), expected);
        }
        for typed in ["", "{\"a\":1", "[1,]", "\"a", "18446744073709551616", "1e999"] {
            let Err(Failure::Usage(why)) = shown(typed) else { panic!("{typed} was taken") };
            assert!(why.starts_with("the key "), "{why}");
        }
    }
}
