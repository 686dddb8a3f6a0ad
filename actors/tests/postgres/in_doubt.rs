//! What a person may see and decide.

use std::time::Duration;

use watershed_actors::sink::{Mode, PreparedTransactions};
use watershed_core::{Epoch, Lineage, Run, SinkPlace};

use crate::site::{Site, run, stage};

#[test]
fn transactions_are_listed_with_their_rows_and_age_and_decided_by_hand() {
    let Some(site) = Site::new("in_doubt::transactions_are_listed_and_decided_by_hand") else { return };
    let place = SinkPlace { job: "Fraud alerts".to_owned(), lineage: Lineage(2), ..run(4) };
    let mut writer = site.open(Mode::Prepared, &place);
    stage(&mut writer, "a", 5);
    stage(&mut writer, "b", 6);
    drop(writer);

    let mut left = PreparedTransactions::of(&site.url()).unwrap();
    let listed = left.list().unwrap();
    let seen: Vec<_> = listed.iter().map(|one| (one.xid.epoch, one.rows)).collect();
    assert_eq!(seen, [(Epoch(5), 1), (Epoch(6), 1)]);
    let first = &listed[0];
    assert!(first.gid.ends_with("/.46raud.20alerts/sink/2/0/5/4/1"), "{}", first.gid);
    assert_eq!((first.job.as_str(), first.operator.as_str()), ("Fraud alerts", "sink"));
    assert_eq!((first.xid.lineage, first.xid.run, first.xid.subtask.index), (Lineage(2), Run(4), 0));
    assert!(first.age < Duration::from_secs(600), "{:?}", first.age);
    assert!(listed.iter().all(|one| one.is_of("Fraud alerts") && !one.is_of("another")));

    left.commit(&listed[0].gid).unwrap();
    left.abort(&listed[1].gid).unwrap();
    assert_eq!(site.seen(), ["a"]);
    assert_eq!(site.prepared(), [""; 0]);
    let gone = left.commit(&listed[0].gid).unwrap_err().to_string();
    assert!(gone.contains("is not there any more"), "{gone}");
}

#[test]
fn transactions_of_others_are_neither_listed_nor_touched() {
    let Some(site) = Site::new("in_doubt::transactions_of_others_are_neither_listed_nor_touched") else {
        return;
    };
    site.execute(
        "CREATE TABLE t (a int); BEGIN; INSERT INTO t VALUES (1); PREPARE TRANSACTION 'somebody''s'",
    );
    let mut left = PreparedTransactions::of(&site.url()).unwrap();
    assert_eq!(left.list().unwrap(), []);
    let error = left.abort("somebody's").unwrap_err().to_string();
    assert!(
        error.ends_with("\"somebody's\" is no transaction of a job: list them to see their names"),
        "{error}"
    );
    assert_eq!(site.prepared(), ["somebody's"]);
    site.execute("ROLLBACK PREPARED 'somebody''s'");
}
