//! The audit: every event of the log once in the table, once in the files, and in order.

use std::collections::BTreeMap;
use std::fmt;

use watershed::prelude::*;

use super::Parameters;
use super::entry::Entry;
use super::log::Log;
use super::table::Table;

/// Where something was found.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, Data)]
enum Place {
    Log,
    Table,
    Files,
}

/// Reads everything back, compares it, and says in one line what is wrong, or that nothing is.
pub(super) fn audit(pipeline: &Pipeline, p: Parameters) -> Result<(), watershed::Error> {
    p.check()?;
    if p.server().is_some() {
        return Err(
            "the audit reads a database of SQLite; a server is asked by its own means, with SQL".into()
        );
    }
    let log = pipeline.source(Log::new(&p).at_once()).uid("log");
    // How many of its key an entry is depends on the order in which partitions were read: the log does not know.
    let log = log.map(|event| (Place::Log, event.entry(0)));
    let table = pipeline.source(Table { database: p.database() }).uid("table");
    let table = table.map(|entry| (Place::Table, entry)).shared();
    let parts = p.parts().join("*.jsonl");
    let files = pipeline.source(source::JsonLines::<Entry>::at(parts)).uid("files");
    let files = files.map(|entry| (Place::Files, entry));
    let places = log
        .union(table.branch())
        .union(files)
        .key_by(|(_, entry)| (entry.partition, entry.offset))
        .window(Global::new())
        .aggregate(aggregate::Collect)
        .uid("places")
        .map(|found| Tally::of_place(&found.value));
    let keys = table
        .branch()
        .key_by(|(_, entry)| entry.key)
        .window(Global::new())
        .aggregate(aggregate::Collect)
        .uid("keys")
        .map(|found| Tally::of_key(found.value.into_iter().map(|(_, entry)| entry)));
    places
        .union(keys)
        .key_by(|_| 0_u8)
        .window(Global::new())
        .reduce(Tally::plus)
        .uid("total")
        .map(|total| total.value)
        .sink(Print::display())
        .uid("verdict");
    Ok(())
}

/// What was found, counted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Data)]
struct Tally {
    /// Events of the log.
    events: u64,
    /// Events that are missing in the table or in the files.
    lost: u64,
    /// Entries that are there again.
    doubled: u64,
    /// Entries without an event.
    extra: u64,
    /// Events of which table and files do not say the same, or not what the log says.
    different: u64,
    /// Keys whose entries are out of order or wrongly counted.
    disordered: u64,
}

impl Tally {
    /// Of all that was found for one place in the log.
    fn of_place(found: &[(Place, Entry)]) -> Tally {
        let of = |place| found.iter().filter(move |(at, _)| *at == place).map(|(_, entry)| entry);
        let count = |place| of(place).count() as u64;
        let (events, rows, lines) = (count(Place::Log), count(Place::Table), count(Place::Files));
        if events == 0 {
            return Tally { extra: rows + lines, ..Tally::default() };
        }
        let event = of(Place::Log).next();
        let same = |entry: &Entry| entry.is_whole() && event.is_some_and(|event| event.hash == entry.hash);
        let agree = of(Place::Table).chain(of(Place::Files)).all(same)
            && of(Place::Table).zip(of(Place::Files)).all(|(row, line)| row == line);
        Tally {
            events,
            lost: u64::from(rows == 0) + u64::from(lines == 0),
            doubled: rows.saturating_sub(1) + lines.saturating_sub(1),
            different: u64::from(!agree),
            ..Tally::default()
        }
    }

    /// Of the rows of one key, in the order of the table.
    fn of_key(rows: impl Iterator<Item = Entry>) -> Tally {
        let mut newest: BTreeMap<u32, u64> = BTreeMap::new();
        let in_order = rows.zip(1..).all(|(entry, count)| {
            let before = newest.insert(entry.partition, entry.offset);
            entry.count == count && before.is_none_or(|before| before < entry.offset)
        });
        Tally { disordered: u64::from(!in_order), ..Tally::default() }
    }

    fn plus(self, other: Tally) -> Tally {
        Tally {
            events: self.events + other.events,
            lost: self.lost + other.lost,
            doubled: self.doubled + other.doubled,
            extra: self.extra + other.extra,
            different: self.different + other.different,
            disordered: self.disordered + other.disordered,
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally { events, lost, doubled, extra, different, disordered } = self;
        write!(
            f,
            "{events} events: lost {lost}, doubled {doubled}, extra {extra}, different {different}, keys out of order {disordered}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::entry::Event;
    use super::*;

    fn entry(offset: u64, count: u64) -> Entry {
        Event { partition: 1, offset, key: 7, payload: format!("event {offset}") }.entry(count)
    }

    fn found(places: &[Place]) -> Tally {
        let found: Vec<_> = places.iter().map(|place| (*place, entry(3, 1))).collect();
        Tally::of_place(&found)
    }

    #[test]
    fn an_event_that_is_once_in_each_is_in_order() {
        assert_eq!(found(&[Place::Log, Place::Files, Place::Table]), Tally { events: 1, ..Tally::default() });
    }

    #[test]
    fn what_is_missing_doubled_or_from_nowhere_is_counted() {
        let one = Tally { events: 1, ..Tally::default() };
        assert_eq!(found(&[Place::Log, Place::Table]), Tally { lost: 1, ..one.clone() });
        assert_eq!(found(&[Place::Log]), Tally { lost: 2, ..one.clone() });
        let thrice = [Place::Log, Place::Table, Place::Table, Place::Table, Place::Files];
        assert_eq!(found(&thrice), Tally { doubled: 2, ..one });
        assert_eq!(found(&[Place::Files]), Tally { extra: 1, ..Tally::default() });
    }

    #[test]
    fn an_entry_that_was_changed_is_different() {
        let changed = Entry { payload: "event 4".to_owned(), ..entry(3, 1) };
        let found = [(Place::Log, entry(3, 0)), (Place::Table, changed), (Place::Files, entry(3, 1))];
        assert_eq!(Tally::of_place(&found), Tally { events: 1, different: 1, ..Tally::default() });
    }

    #[test]
    fn a_key_whose_count_or_log_goes_back_is_out_of_order() {
        let disordered = |rows: [(u64, u64); 3]| {
            Tally::of_key(rows.map(|(offset, count)| entry(offset, count)).into_iter())
        };
        assert_eq!(disordered([(3, 1), (5, 2), (9, 3)]).disordered, 0);
        assert_eq!(disordered([(3, 1), (9, 2), (5, 3)]).disordered, 1);
        assert_eq!(disordered([(3, 1), (5, 2), (9, 2)]).disordered, 1);
    }
}
