//! What is done in the database, on the [desk](super::desk)'s thread.

use std::time::Duration;

use watershed_core::checkpoint::Xid;
use watershed_core::{SinkError, SinkPlace};

use crate::sink::postgres::Mode;
use crate::sink::postgres::desk::Clerk;
use crate::sink::postgres::fence::Fences;
use crate::sink::postgres::prepared::Prepared;
use crate::sink::postgres::session::Session;
use crate::sink::postgres::table::{Table, Target};
use crate::sink::row::fence::{FENCE, Fence, Verdict, admit, agree, judge, succeed};
use crate::sink::row::packed::Packed;
use crate::sink::row::staged::StagedRows;

/// How often what nobody will decide is looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(30);

/// One subtask's work in the database.
pub(super) struct Work {
    session: Session,
    target: Target,
    place: SinkPlace,
    mode: Mode,
    /// The table, once the database has been reached.
    opened: Option<Opened>,
    /// Whether it is known which transactions of earlier runs will never be decided.
    settled: bool,
}

#[derive(Clone)]
pub(super) struct Opened {
    pub(super) table: Table,
    pub(super) fences: Fences,
    pub(super) prepared: Prepared,
}

impl Work {
    pub(super) fn new(session: Session, target: Target, place: &SinkPlace, mode: Mode) -> Work {
        Work { session, target, place: place.clone(), mode, opened: None, settled: false }
    }

    /// Reaches the database, makes or compares its tables, and lets other runs know of this one. Gives the beginning of
    /// the names of prepared transactions.
    pub(super) fn open(&mut self) -> Result<String, SinkError> {
        let table = self.session.run(|client| self.target.establish(client))?;
        let fences = Fences::new(&table, &self.place);
        let prepared = Prepared::new(&table, &self.place);
        let alone = self.session.is_alone()?;
        self.session.run(|client| {
            let mut transaction = client.transaction()?;
            transaction.execute("SELECT pg_advisory_xact_lock(hashtext($1))", &[&table.fence])?;
            let newest = fences.newest(&mut transaction)?.map_err(|why| self.target.refused(why))?;
            admit(newest, self.place.run, alone).map_err(|why| self.target.refused(why))?;
            fences.announce(&mut transaction)?;
            Ok(transaction.commit()?)
        })?;
        if self.mode == Mode::Prepared {
            prepared.probe(&mut self.session, &self.target)?;
        }
        let prefix = prepared.prefix().to_owned();
        self.opened = Some(Opened { table, fences, prepared });
        Ok(prefix)
    }

    /// Begins a job: nothing that is here already is of it.
    pub(super) fn begin(&mut self) -> Result<Fence, SinkError> {
        let Opened { fences, prepared, .. } = self.opened();
        let (place, target) = (&self.place, &self.target);
        if self.mode == Mode::Prepared {
            let mine = |subtask: u32| subtask % place.parallelism == place.subtask.index;
            prepared.sweep(&mut self.session, |found| mine(found.subtask.index))?;
        }
        let fence = self.session.run(|client| {
            let mut transaction = client.transaction()?;
            fences.newest(&mut transaction)?.map_err(|why| target.refused(why))?;
            let fence = fences.begin(&mut transaction)?;
            transaction.commit()?;
            Ok(fence)
        })?;
        self.settled = true;
        Ok(fence)
    }

    /// Goes on behind the commits of a checkpoint. What earlier runs have prepared beyond it goes.
    pub(super) fn resume(&mut self) -> Result<Fence, SinkError> {
        let Opened { fences, prepared, .. } = self.opened();
        let (place, target) = (&self.place, &self.target);
        let fence = self.session.run(|client| {
            let mut transaction = client.transaction()?;
            if !fences.has_begun(&mut transaction)? {
                let why =
                    format!("has no row of this job in {FENCE}: it was emptied, or restored from a backup");
                return Err(target.refused(why).into());
            }
            let newest = fences.newest(&mut transaction)?.map_err(|why| target.refused(why))?;
            let furthest = fences.furthest(&mut transaction)?;
            succeed(newest, place.run).map_err(|why| target.refused(why))?;
            agree(furthest, place.base).map_err(|why| SinkError::lost(&target.about, why))?;
            let fence = fences.go_on(&mut transaction)?;
            transaction.commit()?;
            Ok(fence)
        })?;
        if self.mode == Mode::Prepared {
            prepared.sweep(&mut self.session, |found| is_stray(place, found))?;
        }
        self.settled = true;
        Ok(fence)
    }

    /// Applies a staged epoch, unless that has been done.
    pub(super) fn apply(&mut self, staged: &StagedRows) -> Result<(), SinkError> {
        let Opened { table, fences, .. } = self.opened();
        let about = staged.about(&self.target.about);
        self.session.run(|client| {
            let mut transaction = client.transaction()?;
            let fence = fences.of(&mut transaction, &staged.xid, true)?;
            match judge(fence.as_ref(), staged.xid.epoch, staged.after, &staged.owner) {
                Verdict::Done => return Ok(()),
                Verdict::Fenced(why) => return Err(SinkError::new(about.clone(), why).into()),
                Verdict::Lost(why) => return Err(SinkError::lost(about.clone(), why).into()),
                Verdict::Apply => {}
            }
            let raised = fences.raise(&mut transaction, &staged.xid)?;
            assert!(raised, "the fence was below the epoch, and its row is locked");
            table.insert(&mut transaction, &staged.rows)?;
            Ok(transaction.commit()?)
        })
    }

    /// Adds rows at once. Doing it again changes nothing, since they have keys.
    pub(super) fn upsert(&mut self, rows: &Packed) -> Result<(), SinkError> {
        let Opened { table, .. } = self.opened();
        self.session.run(|client| {
            let mut transaction = client.transaction()?;
            table.insert(&mut transaction, rows)?;
            Ok(transaction.commit()?)
        })
    }

    /// Does something with the prepared transactions.
    pub(super) fn with_prepared<R>(
        &mut self,
        act: impl FnOnce(&Opened, &mut Session, &Target) -> Result<R, SinkError>,
    ) -> Result<R, SinkError> {
        let opened = self.opened();
        act(&opened, &mut self.session, &self.target)
    }

    fn opened(&self) -> Opened {
        self.opened.clone().expect("a writer is made of an open sink")
    }
}

impl Clerk for Work {
    fn every(&self) -> Duration {
        SWEEP_EVERY
    }

    /// Rolls back what earlier runs prepare even now, because somebody had paused them.
    fn look_after(&mut self) {
        if self.mode != Mode::Prepared || !self.settled {
            return;
        }
        let Opened { prepared, .. } = self.opened();
        let place = &self.place;
        // What fails now is looked for again.
        let _ = prepared.sweep(&mut self.session, |found| is_stray(place, found));
    }
}

/// Whether nobody will decide a transaction that is found behind the commits of a checkpoint, and whether it is for this
/// subtask to take it back. A subtask that is no more has left its staged output to the one whose number is the rest of a
/// division by the parallelism, and what it has prepared beyond that too.
fn is_stray(place: &SinkPlace, found: &Xid) -> bool {
    found.run < place.run && found.subtask.index % place.parallelism == place.subtask.index
}
