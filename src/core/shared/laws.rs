//! What a resolver promises, tried out: sites that update one key and hear of each other in all kinds of orders.
//!
//! Short executions come before long ones, and what breaks a law is cut down step by step as long as it breaks one, so
//! that what is told is small. Everything is drawn from seeds: the same resolver and updates give the same verdict.

mod script;
mod states;
mod world;

use std::fmt;

use serde::Serialize;

use crate::Data;
use crate::shared::Resolver;
use crate::shared::msgpack::encode;
use script::Script;
use world::World;

/// How many executions are tried: so many of each length.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    /// The steps of the longest executions.
    pub(crate) steps_max: usize,
    /// How many executions there are of each length.
    pub(crate) seeds: u64,
}

/// How states and updates are told to a person.
pub(crate) struct Telling<'a, S, U> {
    pub(crate) state: &'a dyn Fn(&S) -> String,
    pub(crate) update: &'a dyn Fn(&U) -> String,
}

/// A law that does not hold, and where that was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Broken {
    law: &'static str,
    /// What is not as it should be, under what it is.
    seen: Vec<(&'static str, String)>,
    /// What had happened before.
    story: Vec<String>,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, but here", self.law)?;
        self.seen.iter().try_for_each(|(what, told)| write!(f, "\n  {what} is {told}"))?;
        f.write_str(if self.story.is_empty() { "" } else { "\nafter" })?;
        self.story.iter().try_for_each(|step| write!(f, "\n  {step}"))
    }
}

/// Looks for a law that a resolver breaks with these updates.
pub(crate) fn find_broken<V, R>(
    resolver: &R,
    updates: &[R::Update],
    effort: Effort,
    telling: &Telling<'_, R::State, R::Update>,
) -> Option<Broken>
where
    V: Data,
    R: Resolver<V, State: Sync, Value: Serialize>,
{
    if updates.is_empty() {
        return None;
    }
    let try_out = |script: &Script| World::<V, R>::new(resolver, updates, telling).run(script);
    let mut taken = 0;
    for steps in 1..=effort.steps_max {
        for seed in 0..effort.seeds {
            let mut script = Script::drawn(seed, steps);
            match try_out(&script) {
                Ok(updates) => taken += updates,
                Err(mut broken) => {
                    let fails = |script: Script| Some((try_out(&script).err()?, script));
                    while let Some(shorter) = { script.shorter().find_map(fails) } {
                        (broken, script) = shorter;
                    }
                    return Some(broken);
                }
            }
        }
    }
    let seen = vec![("every one", "refused".to_owned())];
    (taken == 0).then(|| Broken { law: "some of the updates are taken", seen, story: Vec::new() })
}

/// Tries a resolver out with its own [examples](Resolver::examples), for no longer than a moment; a law that it breaks, in
/// words.
pub(crate) fn glance<V, R>(resolver: &R) -> Option<String>
where
    V: Data,
    R: Resolver<V, State: Sync, Value: Serialize>,
{
    let telling = Telling { state: &as_bytes, update: &as_bytes };
    let broken = find_broken::<V, R>(resolver, &resolver.examples(), GLANCE, &telling);
    broken.map(|broken| broken.to_string())
}

/// What a pipeline tries of a resolver while it is described.
const GLANCE: Effort = Effort { steps_max: 6, seeds: 8 };

/// Tells what can do no more than be written.
fn as_bytes<T: Data>(value: &T) -> String {
    format!("{:02x?} as MessagePack", encode(value))
}

#[cfg(test)]
mod tests;
