//! The two external systems: what is visible in them, and what only they know.

use std::collections::{BTreeMap, BTreeSet};

use watershed_core::checkpoint::{Payload, Staged, Xid};
use watershed_core::{Epoch, Lineage};

use crate::fault::Fault;

/// How often each record is visible.
pub(crate) type Visible = BTreeMap<u8, u8>;

/// A database whose sink keeps the payload in the checkpoint until it is committed: one transaction raises the
/// fence row and applies the rows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct StagedSystem {
    pub(crate) visible: Visible,
    fence: BTreeMap<Lineage, Epoch>,
}

/// A database with prepared transactions, and a marker row for each one that was committed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct XaSystem {
    pub(crate) visible: Visible,
    pub(crate) prepared: BTreeMap<Xid, Vec<u8>>,
    pub(crate) markers: BTreeSet<Xid>,
    pub(crate) taken_back: BTreeSet<Xid>,
    /// Transactions that were to be committed and are neither there nor marked: IN_DOUBT_LOST.
    pub(crate) lost: BTreeSet<Xid>,
}

fn show(visible: &mut Visible, records: &[u8]) {
    for &record in records {
        *visible.entry(record).or_default() += 1;
    }
}

pub(crate) fn records(staged: &Staged) -> &[u8] {
    match &staged.payload {
        Payload::Inline(records) => records,
        Payload::Object(_) => unreachable!("payloads of the model are inline"),
    }
}

impl StagedSystem {
    /// Whether a commit would show what is staged, and is not one that the fence row takes for done.
    pub(crate) fn would_show(&self, staged: &Staged) -> bool {
        self.fence.get(&staged.xid.lineage).is_none_or(|fence| *fence < staged.xid.epoch)
    }

    pub(crate) fn commit(&mut self, staged: &Staged, fault: Option<Fault>) {
        let fence = self.fence.entry(staged.xid.lineage).or_default();
        if *fence < staged.xid.epoch || fault == Some(Fault::CommitsNotIdempotent) {
            *fence = staged.xid.epoch;
            show(&mut self.visible, records(staged));
        }
    }
}

impl XaSystem {
    /// Under a name that is taken, the transaction grows: that is what becomes of a name used twice.
    pub(crate) fn prepare(&mut self, xid: Xid, records: &[u8]) {
        self.prepared.entry(xid).or_default().extend(records);
    }

    pub(crate) fn commit(&mut self, staged: &Staged, fault: Option<Fault>) {
        let xid = staged.xid;
        match self.prepared.remove(&xid) {
            Some(rows) => {
                show(&mut self.visible, &rows);
                self.markers.insert(xid);
            }
            None if fault == Some(Fault::CommitsNotIdempotent) => show(&mut self.visible, records(staged)),
            None if self.markers.contains(&xid) => {}
            None => {
                self.lost.insert(xid);
            }
        }
    }

    pub(crate) fn take_back(&mut self, xid: Xid) {
        if self.prepared.remove(&xid).is_some() {
            self.taken_back.insert(xid);
        }
    }
}
