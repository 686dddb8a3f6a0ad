//! `query`, `update`: asks a job of the cluster for its state, and changes what it shares.

use serde_json::Value;
use watershed_server::view::{AskState, ChangeState, StateView};

use super::{client, connect};
use crate::cli::arguments::OfKey;
use crate::cli::failure::Failure;
use crate::cli::settings::Settings;
use crate::client::{Question, in_address, state_path};

/// Asks for a key.
pub(in crate::cli) fn query(
    settings: &mut Settings,
    of: &OfKey,
    token: Option<String>,
    asked: &AskState,
) -> Result<StateView, Failure> {
    let path = state_path(&of.job, &of.state) + &in_address(asked);
    ask(settings, of, &Question { path: &path, token: token.as_deref(), body: None })
}

/// Changes a key.
pub(in crate::cli) fn update(
    settings: &mut Settings,
    of: &OfKey,
    token: Option<String>,
    change: &ChangeState,
) -> Result<StateView, Failure> {
    let path = state_path(&of.job, &of.state);
    let body = serde_json::to_value(change).expect("what is asked is plain data");
    ask(settings, of, &Question { path: &path, token: token.as_deref(), body: Some(&body) })
}

fn ask(settings: &mut Settings, of: &OfKey, question: &Question<'_>) -> Result<StateView, Failure> {
    let client = connect(settings, &of.place)?;
    let answered: Value = client.nodes().ask(question, Ok).map_err(|error| match Failure::from(error) {
        Failure::Unreachable(why) if of.place.url.is_none() => {
            let job = &of.job;
            Failure::Unreachable(format!("{why} (and there is no such directory as {job}, with a job on it)"))
        }
        failure => failure,
    })?;
    client::understood(answered)
}
