//! Actors that are started anew when they fail, and keep their names.
//!
//! An actor fails where it panics. What it had in its mailbox is lost then, and what is sent while it is down is refused
//! as [`Fault::Gone`](crate::Fault::Gone). An actor that stops by itself has not failed: its supervision ends, as it
//! does where no more restarts are allowed, and only then are those told who watch its name.

use std::any::Any;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::dev::ToEnvelope;
use actix::{Actor, Addr, Context, Handler, Message, Recipient};
use actix_rt::ArbiterHandle;
use tokio::sync::oneshot;
use tokio::time::sleep;

use crate::core::Core;
use crate::door::{RemoteMessage, Typed};
use crate::links::Links;
use crate::messages;

/// What to do when a supervised actor fails.
#[derive(Clone, Debug)]
pub enum Strategy {
    /// Nothing: it stays down.
    Stop,
    /// Tell whoever decides, and leave the actor down.
    Escalate(Recipient<Escalation>),
    /// Start it anew.
    Restart(Restarts),
}

/// How often, and how soon, an actor is started anew.
#[derive(Clone, Debug)]
pub struct Restarts {
    /// How long the first wait is; each next one within the span is twice as long. Default: 100 ms.
    pub first: Duration,
    /// How long the longest is. Default: 10 s.
    pub max: Duration,
    /// How many there may be within the span. Default: 5.
    pub times_max: usize,
    /// The span. Default: 60 s.
    pub within: Duration,
    /// Who is told when that is not enough. Default: nobody.
    pub then: Option<Recipient<Escalation>>,
}

impl Default for Restarts {
    fn default() -> Self {
        let (first, max) = (Duration::from_millis(100), Duration::from_secs(10));
        Restarts { first, max, times_max: 5, within: Duration::from_secs(60), then: None }
    }
}

/// A supervised actor failed, and is not started anew.
#[derive(Clone, Debug, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub struct Escalation {
    /// The name of the actor.
    pub actor: String,
    /// With what it panicked.
    pub why: String,
    /// How often it had been started anew within the span.
    pub restarts: usize,
}

/// The types of messages that a supervised actor takes by its name.
pub struct Takes<A: Actor> {
    doors: Vec<Box<dyn Fn(&Core, &str, &Addr<A>) -> bool + Send>>,
}

impl<A: Actor> Takes<A> {
    /// None at first.
    #[expect(
        clippy::new_without_default,
        reason = "an actor that takes nothing is not what anybody wants by default"
    )]
    pub fn new() -> Self {
        Takes { doors: Vec::new() }
    }

    /// One more.
    #[must_use]
    pub fn message<M: RemoteMessage>(mut self) -> Self
    where
        A: Handler<M>,
        A::Context: ToEnvelope<A, M>,
    {
        self.doors.push(Box::new(|core, name, actor| {
            let door = Typed::<M>::new(actor.clone().recipient(), core.config.inbox_messages_max);
            core.registry.register(name, door, &core.config)
        }));
        self
    }
}

impl Links {
    /// Starts an actor on an arbiter under a name, and starts it anew as the strategy says when it fails.
    pub fn supervise<A: Actor<Context = Context<A>>>(
        &self,
        name: &str,
        takes: Takes<A>,
        strategy: Strategy,
        on: &ArbiterHandle,
        make: impl FnMut() -> A + Send + 'static,
    ) {
        let (core, name) = (self.core().clone(), name.to_owned());
        on.spawn_fn(move || {
            actix_rt::spawn(supervise(core, name, takes, strategy, make));
        });
    }
}

async fn supervise<A: Actor<Context = Context<A>>>(
    core: Arc<Core>,
    name: String,
    takes: Takes<A>,
    strategy: Strategy,
    mut make: impl FnMut() -> A + 'static,
) {
    core.registry.hold(&name, true);
    let mut recent = VecDeque::new();
    loop {
        let (returned, ended) = live(&core, &name, &takes, make).await;
        let Some(why) = ended else { break };
        let Some(again) = returned else { break };
        make = again;
        tracing::error!(actor = ?name, why, "a supervised actor failed");
        match &strategy {
            Strategy::Stop => break,
            Strategy::Escalate(to) => {
                to.do_send(Escalation { actor: name.clone(), why, restarts: 0 });
                break;
            }
            Strategy::Restart(restarts) => {
                let Some(wait) = next_wait(restarts, &mut recent, Instant::now()) else {
                    let (actor, restarts_made) = (name.clone(), recent.len());
                    if let Some(then) = &restarts.then {
                        then.do_send(Escalation { actor, why, restarts: restarts_made });
                    }
                    break;
                };
                sleep(wait).await;
            }
        }
    }
    core.registry.hold(&name, false);
    messages::gone(&core, core.registry.unregister(&name), false);
}

/// One life of the actor. What makes the next, and with what it panicked, if it did.
async fn live<A: Actor<Context = Context<A>>, F: FnMut() -> A + 'static>(
    core: &Core,
    name: &str,
    takes: &Takes<A>,
    mut make: F,
) -> (Option<F>, Option<String>) {
    let (tx, rx) = oneshot::channel();
    let (back, returned) = oneshot::channel();
    // A task of its own, so that a panic ends only that.
    let life = actix_rt::spawn(async move {
        let made = std::panic::catch_unwind(std::panic::AssertUnwindSafe(&mut make));
        let _ = back.send(make);
        let actor = made.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let life = Context::new().into_future(actor);
        let _ = tx.send(life.address());
        life.await;
    });
    if let Ok(actor) = rx.await
        && !takes.doors.iter().all(|register| register(core, name, &actor))
    {
        tracing::error!(actor = ?name, "no room for the name of a supervised actor");
    }
    let ended = life.await.err().map(|error| match error.try_into_panic() {
        Ok(panic) => said(&*panic),
        Err(_) => "its thread ended".to_owned(),
    });
    (returned.await.ok(), ended)
}

/// What was said with a panic.
fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without words".to_owned())
}

/// How long to wait before the next restart, where one is allowed.
fn next_wait(restarts: &Restarts, recent: &mut VecDeque<Instant>, now: Instant) -> Option<Duration> {
    while recent.front().is_some_and(|then| now.duration_since(*then) > restarts.within) {
        recent.pop_front();
    }
    if recent.len() >= restarts.times_max {
        return None;
    }
    let doublings = u32::try_from(recent.len()).unwrap_or(u32::MAX).min(30);
    recent.push_back(now);
    Some(restarts.first.saturating_mul(1 << doublings).min(restarts.max))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_and_end_within_a_span() {
        let ms = Duration::from_millis;
        let restarts = Restarts { first: ms(10), max: ms(30), times_max: 3, within: ms(1_000), then: None };
        let (mut recent, begin) = (VecDeque::new(), Instant::now());
        let waits: Vec<_> = (0..4).map(|_| next_wait(&restarts, &mut recent, begin)).collect();
        assert_eq!(waits, [Some(ms(10)), Some(ms(20)), Some(ms(30)), None]);
        assert_eq!(next_wait(&restarts, &mut recent, begin + ms(1_001)), Some(ms(10)));
    }
}
