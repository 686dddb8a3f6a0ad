//! Rows that the database keeps as prepared transactions.

use watershed_actors::sink::Mode;
use watershed_core::testing::verify_sink;
use watershed_core::{Epoch, EventTime, Record, SinkPlace, Writer};

use crate::site::{Site, refused, run, stage};

fn open(site: &Site, number: u32) -> watershed_actors::sink::PostgresWriter<crate::site::Row> {
    site.open(Mode::Prepared, &run(number))
}

#[test]
fn it_keeps_the_contract_of_sinks() {
    let Some(_server) = Site::new("prepared::it_keeps_the_contract_of_sinks") else { return };
    let fresh = || {
        let site = Site::new("a trial").unwrap();
        (site.words(Mode::Prepared), move || site.seen())
    };
    let records: Vec<_> = (0..6).map(|n| Record::new((format!("w{n}"),), EventTime::MIN)).collect();
    verify_sink(fresh, &records);
}

#[test]
fn a_server_that_keeps_no_prepared_transactions_is_refused_with_the_cure() {
    let name = "prepared::a_server_that_keeps_no_prepared_transactions_is_refused_with_the_cure";
    let Some(site) = Site::apart(name, &["max_prepared_transactions=0"]) else { return };
    let error = refused(site.try_open(Mode::Prepared, &run(1)));
    let expected = "the server keeps 0 prepared transactions: set max_prepared_transactions in postgresql.conf to 4 or \
                    more (four for each subtask) and restart it, or choose Mode::Staged";
    assert!(error.ends_with(expected), "{error}");
}

#[test]
fn the_probe_leaves_nothing() {
    let Some(site) = Site::new("prepared::the_probe_leaves_nothing") else { return };
    let _writer = open(&site, 1);
    assert_eq!(site.prepared(), [""; 0]);
    assert_eq!(site.query("SELECT count(*)::text FROM stream_commit"), ["0"]);
}

#[test]
fn what_was_prepared_and_never_voted_for_is_rolled_back() {
    let Some(site) = Site::new("prepared::what_was_prepared_and_never_voted_for_is_rolled_back") else {
        return;
    };
    let mut dead = open(&site, 1);
    let decided = stage(&mut dead, "a", 1);
    stage(&mut dead, "undecided", 2);
    drop(dead);
    let mut next = open(&site, 2);
    next.commit(decided).unwrap();
    assert_eq!(site.prepared(), [site.gid("0/0/2/1/1")], "another may still have to commit it");
    next.resume().unwrap();
    assert_eq!(site.prepared(), [""; 0]);
    assert_eq!(site.seen(), ["a"]);
}

#[test]
fn what_subtasks_that_are_no_more_have_prepared_is_rolled_back_by_their_heirs() {
    let Some(site) = Site::new("prepared::what_subtasks_that_are_no_more_have_prepared") else { return };
    let mut old: Vec<_> = (0..4).map(|index| site.open(Mode::Prepared, &run(1).of(index, 4))).collect();
    old.iter_mut().for_each(|writer| drop(stage(writer, "undecided", 1)));
    drop(old);
    let mut next: Vec<_> = (0..2).map(|index| site.open(Mode::Prepared, &run(2).of(index, 2))).collect();
    next[0].resume().unwrap();
    assert_eq!(site.prepared(), [site.gid("0/1/1/1/1"), site.gid("0/3/1/1/1")]);
    next[1].resume().unwrap();
    assert_eq!(site.prepared(), [""; 0]);
}

#[test]
fn what_other_subtasks_have_still_to_commit_is_left_alone() {
    let Some(site) = Site::new("prepared::what_other_subtasks_have_still_to_commit_is_left_alone") else {
        return;
    };
    let mut old: Vec<_> = (0..2).map(|index| site.open(Mode::Prepared, &run(1).of(index, 2))).collect();
    let staged: Vec<_> = old.iter_mut().map(|writer| stage(writer, "a", 1)).collect();
    drop(old);
    let mut next: Vec<_> = (0..2).map(|index| site.open(Mode::Prepared, &run(2).of(index, 2))).collect();
    for (writer, staged) in next.iter_mut().zip(staged) {
        writer.commit(staged).unwrap();
        writer.resume().unwrap();
    }
    assert_eq!(site.seen(), ["a", "a"]);
}

#[test]
fn a_transaction_that_was_decided_is_committed_by_whoever_recovers_it() {
    let Some(site) = Site::new("prepared::a_transaction_that_was_decided_is_committed") else { return };
    let mut dead = site.open(Mode::Prepared, &run(1).of(2, 3));
    let staged = stage(&mut dead, "a", 1);
    drop(dead);
    let mut only = open(&site, 2);
    for _ in 0..2 {
        only.commit(staged.clone()).unwrap();
    }
    assert_eq!(site.seen(), ["a"]);
}

#[test]
fn a_transaction_that_somebody_rolled_back_is_a_loss_with_all_that_is_known() {
    let Some(site) = Site::new("prepared::a_transaction_that_somebody_rolled_back_is_a_loss") else { return };
    let mut writer = open(&site, 1);
    writer.write(("b".to_owned(),), EventTime::MIN).unwrap();
    let staged = stage(&mut writer, "a", 7);
    let gid = site.gid("0/0/7/1/2");
    site.execute(&format!("ROLLBACK PREPARED '{gid}'"));
    let error = writer.commit(staged).unwrap_err();
    assert!(error.is_lost(), "{error}");
    let text = error.to_string();
    assert!(text.contains("epoch 7 of subtask 0 with 2 rows"), "{text}");
    assert!(text.contains(&format!("{gid} is gone and was not committed")), "{text}");
}

#[test]
fn a_transaction_that_somebody_committed_is_done() {
    let Some(site) = Site::new("prepared::a_transaction_that_somebody_committed_is_done") else { return };
    let mut writer = open(&site, 1);
    let staged = stage(&mut writer, "a", 7);
    site.execute(&format!("COMMIT PREPARED '{}'", site.gid("0/0/7/1/1")));
    writer.commit(staged.clone()).unwrap();
    let next = stage(&mut writer, "b", 8);
    writer.commit(next).unwrap();
    writer.commit(staged).unwrap();
    assert_eq!(site.seen(), ["a", "b"]);
    assert_eq!(site.query("SELECT epoch::text FROM stream_commit"), ["8"], "older markers are not needed");
}

#[test]
fn a_paused_run_prepares_nothing_more_and_its_commit_is_no_loss() {
    let Some(site) = Site::new("prepared::a_paused_run_prepares_nothing_more") else { return };
    let mut paused = open(&site, 1);
    let undecided = stage(&mut paused, "lost", 1);
    let mut next = open(&site, 2);
    next.resume().unwrap();
    let error = paused.commit(undecided).unwrap_err();
    assert!(!error.is_lost() && error.to_string().ends_with("run 2 has taken over from run 1"), "{error}");
    paused.write(("late".to_owned(),), EventTime::MIN).unwrap();
    let error = refused(paused.prepare(Epoch(2)));
    assert!(error.ends_with("run 2 has taken over from run 1"), "{error}");
    assert_eq!(site.prepared(), [""; 0]);
    let staged = stage(&mut next, "b", 3);
    next.commit(staged).unwrap();
    assert_eq!(site.seen(), ["b"]);
}

#[test]
fn a_job_that_begins_anew_frees_what_an_earlier_one_has_left() {
    let Some(site) = Site::new("prepared::a_job_that_begins_anew_frees_what_an_earlier_one_has_left") else {
        return;
    };
    let mut old = site.open(Mode::Prepared, &run(3).of(1, 2));
    let staged = stage(&mut old, "old", 1);
    drop(old);
    let mut fresh = open(&site, 1);
    let first = stage(&mut fresh, "new", 1);
    assert_eq!(site.prepared(), [site.gid("0/0/1/1/1")]);
    fresh.commit(first).unwrap();
    assert!(fresh.commit(staged).is_err(), "it is another job's");
    assert_eq!(site.seen(), ["new"]);
}

#[test]
fn rows_that_the_table_refuses_are_found_at_prepare_and_wait_for_the_next() {
    let Some(site) = Site::new("prepared::rows_that_the_table_refuses_are_found_at_prepare") else { return };
    site.execute("CREATE TABLE words (word text CHECK (word <> 'bad'))");
    let mut writer = open(&site, 1);
    writer.write(("bad".to_owned(),), EventTime::MIN).unwrap();
    let error = refused(writer.prepare(Epoch(1)));
    assert!(error.contains("violates check constraint"), "{error}");
    site.execute("ALTER TABLE words DROP CONSTRAINT words_word_check");
    let staged = stage(&mut writer, "good", 2);
    writer.commit(staged).unwrap();
    assert_eq!(site.seen(), ["bad", "good"]);
}

#[test]
fn jobs_of_one_name_may_write_to_two_databases_of_a_server() {
    let name = "prepared::jobs_of_one_name_may_write_to_two_databases_of_a_server";
    let (Some(one), Some(two)) = (Site::new(name), Site::new(name)) else { return };
    let (mut first, mut second) = (open(&one, 1), open(&two, 1));
    let staged = [stage(&mut first, "a", 1), stage(&mut second, "b", 1)];
    first.commit(staged[0].clone()).unwrap();
    second.commit(staged[1].clone()).unwrap();
    assert_eq!((one.seen(), two.seen()), (vec!["a".to_owned()], vec!["b".to_owned()]));
}

#[test]
fn two_jobs_with_one_table_are_refused() {
    let Some(site) = Site::new("prepared::two_jobs_with_one_table_are_refused") else { return };
    let _first = open(&site, 1);
    let other = SinkPlace { job: "other".to_owned(), ..run(9) };
    let error = refused(site.try_open(Mode::Prepared, &other));
    assert!(error.contains("belongs to the sink \"sink\" of the job \"test\""), "{error}");
}
