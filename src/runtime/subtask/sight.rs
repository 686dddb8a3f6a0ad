//! Shows somebody outside the job what a subtask has of a key.

use actix::prelude::*;
use watershed_core::EventTime;
use watershed_core::state::{Clock, Glance};

use super::SubtaskActor;
use crate::query::{Sight, Unseen};
use crate::station::Phase;

impl Handler<Sight> for SubtaskActor {
    type Result = Result<Option<Vec<u8>>, Unseen>;

    /// Between two messages, so never within a record; a batch may have been worked on in part.
    fn handle(&mut self, Sight { number, piece, key }: Sight, _: &mut Self::Context) -> Self::Result {
        let core = self.core.as_ref().ok_or(Unseen::NotNow)?;
        let mut core = core.borrow_mut();
        if !matches!(core.station.phase, Phase::Running | Phase::Ending | Phase::Finished) {
            return Err(Unseen::NotNow);
        }
        let mut looked = Err(Unseen::NotNow);
        core.guard(|core| {
            let now = core.station.cx.now();
            let clock = Clock { time: EventTime::MIN, reached: EventTime::MIN, now };
            let glance = Glance { piece: piece.as_deref(), key: &key, clock };
            looked = core.task.look(number, glance).map_err(Unseen::Look);
            Ok(())
        });
        looked
    }
}
