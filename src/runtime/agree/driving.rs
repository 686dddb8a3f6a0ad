//! Performs what a proposal on its way wants, within its time.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use watershed_core::checkpoint::{Agreement, Register};
use watershed_protocol::agree::{AgreeEffect, AgreeEvent, Agreeing, Proposal, Refused, Rule};
use watershed_protocol::checkpoint::{Swap, Swapped};
use watershed_protocol::{Machine, Tick};
use watershed_state::{MetaError, MetaStore};

use super::{Reading, TableRule};

/// Has a proposal decided by those who have a vote. Whoever asks tells the sites.
pub(crate) async fn decide(
    meta: Arc<dyn MetaStore>,
    rule: impl Rule,
    view: impl IntoIterator<Item = String>,
    proposal: Proposal,
    within: Duration,
) -> Result<Agreement, Refused> {
    let end = Tick(0).after(within);
    let until = Instant::now() + within;
    let began = Instant::now();
    let mut machine = Agreeing::new(rule, view.into_iter().collect(), proposal, end);
    let mut event = AgreeEvent::Begin;
    loop {
        let elapsed = Tick(u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX));
        // What has taken all of its time is over, by whichever clock.
        let now = if matches!(event, AgreeEvent::Deadline) { elapsed.max(end) } else { elapsed };
        let mut effects = Vec::new();
        let _ = machine.on(now, event, &mut effects);
        event = AgreeEvent::Deadline;
        for effect in effects {
            match effect {
                AgreeEffect::Read => {
                    if let Ok(read) = timeout_at(until, meta.read()).await {
                        event = match read {
                            Ok(meta) => AgreeEvent::Read(meta),
                            Err(error) => AgreeEvent::Unread(error.to_string()),
                        };
                    }
                }
                AgreeEffect::Swap(Swap { guard, change }) => {
                    if let Ok(swapped) = timeout_at(until, meta.cas(guard, change)).await {
                        event = AgreeEvent::Swapped(match swapped {
                            Ok(meta) => Swapped::Done(meta),
                            Err(MetaError::Refused { current, .. }) => Swapped::Refused(*current),
                            Err(MetaError::Failed { source }) => {
                                tracing::warn!(%source, "a proposal was not decided");
                                Swapped::Failed
                            }
                            Err(MetaError::Unknown { source }) => {
                                tracing::warn!(%source, "whether a proposal was decided is not known");
                                Swapped::Unknown
                            }
                        });
                    }
                }
                AgreeEffect::Answer(answer) => return answer,
            }
        }
    }
}

/// What is agreed on, as of an instant after the question.
pub(crate) async fn read(
    meta: Arc<dyn MetaStore>,
    rule: TableRule,
    register: &Register,
    within: Duration,
) -> Result<Option<Reading>, Refused> {
    match tokio::time::timeout(within, meta.read()).await {
        Ok(Ok(meta)) => meta.agreed.on(register).map(|agreement| rule.reading(agreement.clone())).transpose(),
        Ok(Err(error)) => Err(Refused::Unavailable(error.to_string())),
        Err(_) => Err(Refused::Unavailable("it took too long".to_owned())),
    }
}
