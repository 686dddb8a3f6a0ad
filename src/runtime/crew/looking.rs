//! Looks at the state of operators for somebody outside the job.

use actix::prelude::*;
use watershed_core::SubtaskId;

use super::Crew;
use crate::query::{Aim, Level, LookUp, QueryError, Sight, Sighted, Unseen, aim, not_seen};

/// Where a key's owner lives.
enum Owner {
    Here(Recipient<Sight>, Sight),
    Elsewhere(String),
}

impl Crew {
    /// Finds the owner of a key.
    fn owner(&self, LookUp { state, key }: LookUp) -> Result<Owner, QueryError> {
        let unknown = || QueryError::NoState { name: state.clone(), known: self.operators.to_vec() };
        let not_now = |what: String| QueryError::Unavailable { missing: what };
        let Aim { vertex, number, piece } = aim(&self.plan, &state).ok_or_else(unknown)?;
        let groups = self.plan.key_groups;
        let group = vertex.factory.group_of(number, &key, groups).ok_or_else(unknown)?;
        let group = group.map_err(|error| not_seen(Level::Eventual, error))?;
        let run = self.run.as_ref().ok_or_else(|| not_now("a run of the job".to_owned()))?;
        let index = groups.owner(group, self.plan.parallelism_of(vertex.id, run.parallelism));
        let subtask = SubtaskId { vertex: vertex.id, index };
        if let Some(handle) = self.handles.get(&subtask) {
            let look = handle.look.clone().ok_or_else(unknown)?;
            return Ok(Owner::Here(look, Sight { number, piece: piece.map(str::to_owned), key }));
        }
        let own = self.abroad.as_ref().map(|abroad| abroad.links.local().node.as_str());
        // One that is to be here has just stopped.
        let home = run.homes.get(&subtask).filter(|home| own.is_some_and(|own| own != home.as_str()));
        let home = home.ok_or_else(|| not_now(format!("subtask {subtask}, which owns the key")))?;
        Ok(Owner::Elsewhere(home.clone()))
    }
}

impl Handler<LookUp> for Crew {
    type Result = ResponseFuture<Result<Sighted, QueryError>>;

    fn handle(&mut self, look: LookUp, _: &mut Self::Context) -> Self::Result {
        let owner = self.owner(look);
        Box::pin(async move {
            let (to, sight) = match owner? {
                Owner::Here(to, sight) => (to, sight),
                Owner::Elsewhere(node) => return Ok(Sighted::Elsewhere(node)),
            };
            match to.send(sight).await.unwrap_or(Err(Unseen::NotNow)) {
                Ok(value) => Ok(Sighted::Here(value)),
                Err(Unseen::Look(error)) => Err(not_seen(Level::Eventual, error)),
                Err(Unseen::NotNow) => Err(QueryError::Unavailable {
                    missing: "the owner of the key, which is being restored".to_owned(),
                }),
            }
        })
    }
}
