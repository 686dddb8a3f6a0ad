//! The rows of the open epoch.

use std::marker::PhantomData;

use serde::Serialize;
use watershed_core::checkpoint::Xid;

use crate::sink::row::cell::Cell;
use crate::sink::row::columns::Column;
use crate::sink::row::fence::Fence;
use crate::sink::row::packed::Packed;
use crate::sink::row::record::cells;
use crate::sink::row::staged::StagedRows;

/// Gathers records as rows until the barrier.
pub(crate) struct Gathered<T> {
    columns: Vec<Column>,
    rows: Packed,
    bytes_max: u64,
    of: PhantomData<fn(T)>,
}

impl<T: Serialize> Gathered<T> {
    pub(crate) fn new(columns: Vec<Column>, bytes_max: u64) -> Self {
        Gathered { columns, rows: Packed::default(), bytes_max, of: PhantomData }
    }

    /// Adds a record. An error, and nothing is added, where it is no row, where the database could not store it, or
    /// where there are too many.
    pub(crate) fn push(
        &mut self,
        record: &T,
        storable: impl FnOnce(&[Column], &[Cell<'_>]) -> Result<(), String>,
    ) -> Result<(), String> {
        if self.rows.size() >= self.bytes_max {
            return Err(format!(
                "{} rows of {} bytes wait for the next checkpoint: let there be more checkpoints, or say \
                 .epoch_bytes_max(..)",
                self.rows.count(),
                self.rows.size()
            ));
        }
        let row = cells(record, &self.columns).map_err(|why| why.to_string())?;
        storable(&self.columns, &row)?;
        self.rows.push(&row);
        Ok(())
    }

    /// How many rows there are.
    #[cfg(feature = "postgres")]
    pub(crate) fn count(&self) -> u64 {
        self.rows.count()
    }

    /// Takes the rows as they are; nothing where there are none.
    #[cfg(feature = "postgres")]
    pub(crate) fn take_rows(&mut self) -> Option<Packed> {
        (self.rows.count() > 0).then(|| std::mem::take(&mut self.rows))
    }

    /// Puts rows back that could not be staged, before those that have come since.
    #[cfg(feature = "postgres")]
    pub(crate) fn put_back(&mut self, rows: Packed) {
        let since = std::mem::replace(&mut self.rows, rows);
        self.rows.append(since);
    }

    /// Takes the rows for staging; nothing where there are none.
    pub(crate) fn take(&mut self, xid: Xid, fence: &Fence) -> Option<StagedRows> {
        if self.rows.count() == 0 {
            return None;
        }
        let rows = std::mem::take(&mut self.rows);
        let columns = self.columns.iter().map(|column| column.name.clone()).collect();
        Some(StagedRows { xid, owner: fence.owner.clone(), after: fence.epoch, columns, rows })
    }
}

#[cfg(test)]
mod tests {
    use watershed_core::{Epoch, Lineage, Run, SubtaskId, VertexId};

    use super::*;
    use crate::sink::row::columns::columns;

    fn gathered(bytes_max: u64) -> Gathered<(u8, String)> {
        let names = ["number".to_owned(), "text".to_owned()];
        Gathered::new(columns::<(u8, String)>(Some(&names), &[]).unwrap(), bytes_max)
    }

    #[test]
    fn rows_are_staged_once_with_the_last_epoch_that_was_committed() {
        let mut gathered = gathered(100);
        let subtask = SubtaskId { vertex: VertexId(0), index: 2 };
        let xid = Xid { lineage: Lineage(0), epoch: Epoch(7), run: Run(1), subtask };
        let fence = Fence { epoch: Epoch(5), run: Run(1), owner: "us".to_owned() };
        gathered.push(&(1, "a".to_owned()), |_, _| Ok(())).unwrap();
        let staged = gathered.take(xid, &fence).unwrap();
        assert_eq!((staged.rows.count(), staged.after), (1, Epoch(5)));
        assert_eq!(staged.about("table"), "table, epoch 7 of subtask 2 with 1 rows");
        assert_eq!(gathered.take(xid, &fence), None);
    }

    #[test]
    fn memory_is_bounded_and_the_error_says_what_to_do() {
        let mut gathered = gathered(4);
        gathered.push(&(1, "abc".to_owned()), |_, _| Ok(())).unwrap();
        let refused = gathered.push(&(2, String::new()), |_, _| Ok(())).unwrap_err();
        let expected = "1 rows of 6 bytes wait for the next checkpoint: let there be more checkpoints, or say \
                        .epoch_bytes_max(..)";
        assert_eq!(refused, expected);
    }
}
