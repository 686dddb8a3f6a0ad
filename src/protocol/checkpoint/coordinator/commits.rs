//! The orders to commit that have not been carried out.
//!
//! A decision is not taken back: its orders are repeated, ever less often, until every sink has carried them
//! out (rule R12': none is dropped in silence), or the run ends and the next one's restore does it. A sink that
//! has committed up to an epoch has committed every smaller one with it.

use std::collections::BTreeMap;

use watershed_core::checkpoint::Xid;
use watershed_core::{Epoch, SubtaskId};

use super::effect::{CoordinatorEffect, Report};
use crate::checkpoint::config::doubled;
use crate::checkpoint::{Authority, CheckpointConfig, Permit};
use crate::{Outcome, Tick};

/// What each sink had staged when it voted.
pub(super) type Orders = BTreeMap<SubtaskId, Vec<Xid>>;

/// The decided checkpoints whose commits are outstanding.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Commits {
    waiting: BTreeMap<Epoch, (Permit, Orders)>,
    retry: Option<Tick>,
    /// How many times in a row the orders were repeated.
    tries: u32,
}

impl Commits {
    /// How many decided checkpoints wait for a commit.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// The oldest checkpoint that waits for one.
    pub(super) fn oldest(&self) -> Option<Epoch> {
        self.waiting.first_key_value().map(|(&epoch, _)| epoch)
    }

    /// The transactions that wait for one.
    pub(super) fn xids(&self) -> impl Iterator<Item = Xid> {
        self.waiting.values().flat_map(|(_, orders)| orders.values().flatten().copied())
    }

    pub(super) fn tries(&self) -> u32 {
        self.tries
    }

    pub(super) fn deadline(&self) -> Option<Tick> {
        self.retry
    }

    /// Gives the orders of a decided checkpoint.
    pub(super) fn order(
        &mut self,
        now: Tick,
        authority: Authority,
        permit: Permit,
        orders: Orders,
        config: &CheckpointConfig,
        effects: &mut Vec<CoordinatorEffect>,
    ) {
        let epoch = permit.epoch();
        for (&subtask, xids) in &orders {
            let (permit, xids) = (permit.clone(), xids.clone());
            effects.push(CoordinatorEffect::Commit { authority, permit, subtask, xids });
        }
        if orders.is_empty() {
            effects.push(CoordinatorEffect::Report(Report::Committed(epoch)));
        } else {
            self.waiting.insert(epoch, (permit, orders));
            self.tries = 0;
            self.retry = Some(now.after(doubled(config.commit_retry, 0, config.back_off_max)));
        }
    }

    /// A sink has carried out its orders up to an epoch.
    pub(super) fn carried_out(
        &mut self,
        epoch: Epoch,
        subtask: SubtaskId,
        effects: &mut Vec<CoordinatorEffect>,
    ) -> Outcome {
        let mut outcome = Outcome::Duplicate;
        for (_, (_, orders)) in self.waiting.range_mut(..=epoch) {
            if orders.remove(&subtask).is_some() {
                outcome = Outcome::Applied;
            }
        }
        self.waiting.retain(|&epoch, (_, orders)| {
            if orders.is_empty() {
                effects.push(CoordinatorEffect::Report(Report::Committed(epoch)));
            }
            !orders.is_empty()
        });
        if self.waiting.is_empty() {
            (self.retry, self.tries) = (None, 0);
        }
        outcome
    }

    /// Repeats the newest order of each sink that has not carried it out, if it is time. Whether it did.
    pub(super) fn time_passed(
        &mut self,
        now: Tick,
        authority: Authority,
        config: &CheckpointConfig,
        effects: &mut Vec<CoordinatorEffect>,
    ) -> bool {
        if self.retry.is_none_or(|retry| now < retry) {
            return false;
        }
        self.tries = self.tries.saturating_add(1);
        self.retry = Some(now.after(doubled(config.commit_retry, self.tries, config.back_off_max)));
        let mut newest: BTreeMap<SubtaskId, (&Permit, &Vec<Xid>)> = BTreeMap::new();
        for (permit, orders) in self.waiting.values() {
            newest.extend(orders.iter().map(|(&subtask, xids)| (subtask, (permit, xids))));
        }
        for (subtask, (permit, xids)) in newest {
            let (permit, xids) = (permit.clone(), xids.clone());
            effects.push(CoordinatorEffect::Commit { authority, permit, subtask, xids });
        }
        true
    }
}
