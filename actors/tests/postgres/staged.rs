//! Rows that the checkpoint keeps: applied once, whoever repeats it.

use watershed_actors::sink::{Mode, StagedOutput};
use watershed_core::testing::verify_sink;
use watershed_core::{Epoch, EventTime, Lineage, Record, SinkPlace, Writer};

use crate::site::{Site, refused, run, stage};

#[test]
fn it_keeps_the_contract_of_sinks() {
    let Some(_server) = Site::new("staged::it_keeps_the_contract_of_sinks") else { return };
    let fresh = || {
        let site = Site::new("a trial").unwrap();
        (site.words(Mode::Staged), move || site.seen())
    };
    let records: Vec<_> = (0..6).map(|n| Record::new((format!("w{n}"),), EventTime::MIN)).collect();
    verify_sink(fresh, &records);
}

#[test]
fn an_epoch_is_committed_by_a_subtask_that_did_not_stage_it_and_only_once() {
    let Some(site) = Site::new("staged::an_epoch_is_committed_by_a_subtask_that_did_not_stage_it") else {
        return;
    };
    let mut old: Vec<_> = (0..3).map(|index| site.open(Mode::Staged, &run(1).of(index, 3))).collect();
    let words = ["a", "b", "c"].into_iter();
    let staged: Vec<_> = words.zip(&mut old).map(|(word, old)| stage(old, word, 1)).collect();
    old[2].commit(staged[2].clone()).unwrap();
    drop(old);
    let mut only = site.open(Mode::Staged, &run(2));
    staged.iter().for_each(|staged| only.commit(staged.clone()).unwrap());
    only.resume().unwrap();
    let next = stage(&mut only, "d", 2);
    only.commit(next).unwrap();
    assert_eq!(site.seen(), ["a", "b", "c", "d"]);
}

#[test]
fn a_run_that_is_paused_and_comes_back_changes_nothing() {
    let Some(site) = Site::new("staged::a_run_that_is_paused_and_comes_back_changes_nothing") else { return };
    let mut paused = site.open(Mode::Staged, &run(1));
    let decided = stage(&mut paused, "a", 1);
    let undecided = stage(&mut paused, "lost", 2);
    // The paused run is connected still; the newer one overtakes it.
    let mut next = site.open(Mode::Staged, &run(2));
    next.commit(decided.clone()).unwrap();
    next.resume().unwrap();
    let staged = stage(&mut next, "b", 3);
    next.commit(staged).unwrap();
    paused.commit(decided).unwrap();
    paused.commit(undecided).unwrap();
    assert_eq!(site.seen(), ["a", "b"]);
    let error = refused(paused.resume());
    assert!(error.contains("run 2 of a job of this name has written here, and this is run 1"), "{error}");
}

#[test]
fn a_run_does_not_go_on_from_before_what_is_committed() {
    for mode in [Mode::Staged, Mode::Prepared] {
        let Some(site) = Site::new("staged::a_run_does_not_go_on_from_before_what_is_committed") else {
            return;
        };
        let mut one = site.open(mode, &run(1));
        let first = stage(&mut one, "a", 1);
        one.commit(first.clone()).unwrap();
        let second = stage(&mut one, "b", 2);
        one.commit(second.clone()).unwrap();
        drop(one);
        let mut next = site.open(mode, &run(2).going_on_from(1));
        next.commit(first).unwrap();
        let error = refused(next.resume());
        assert!(error.contains("epoch 2 is committed here, and 1 is the newest checkpoint"), "{error}");
        let mut next = site.open(mode, &run(3).going_on_from(2));
        next.commit(second).unwrap();
        next.resume().expect("the log is whole");
        assert_eq!(site.seen(), ["a", "b"]);
    }
}

#[test]
fn a_second_job_is_refused_whatever_its_name() {
    let Some(site) = Site::new("staged::a_second_job_is_refused_whatever_its_name") else { return };
    let first = site.open(Mode::Staged, &run(1));
    let error = refused(site.try_open(Mode::Staged, &run(1)));
    assert!(error.contains("another job that is running, or another sink of this one"), "{error}");
    site.part_with(first);
    let other = SinkPlace { job: "other".to_owned(), ..run(1) };
    let error = refused(site.try_open(Mode::Staged, &other));
    assert!(error.contains("belongs to the sink \"sink\" of the job \"test\""), "{error}");
    assert!(error.ends_with("DELETE FROM stream_fence WHERE target = 'public.words'"), "{error}");
    site.execute("DELETE FROM stream_fence WHERE target = 'public.words'");
    site.open(Mode::Staged, &other);
}

#[test]
fn what_an_earlier_job_of_the_same_name_has_staged_is_kept_out() {
    let Some(site) = Site::new("staged::what_an_earlier_job_of_the_same_name_has_staged_is_kept_out") else {
        return;
    };
    let mut first = site.open(Mode::Staged, &run(4));
    let staged = stage(&mut first, "a", 9);
    site.part_with(first);
    let mut second = site.open(Mode::Staged, &run(1));
    let fresh = stage(&mut second, "b", 1);
    let error = second.commit(staged).unwrap_err();
    assert!(error.to_string().contains("has begun anew in run 1 and has taken over"), "{error}");
    second.commit(fresh).unwrap();
    assert_eq!(site.seen(), ["b"]);
}

#[test]
fn an_older_checkpoint_restored_by_hand_does_not_find_its_epochs_done() {
    let Some(site) = Site::new("staged::an_older_checkpoint_restored_by_hand") else { return };
    let mut writer = site.open(Mode::Staged, &run(1));
    let staged: Vec<StagedOutput> = (1..=4).map(|epoch| stage(&mut writer, "a", epoch)).collect();
    staged.iter().for_each(|staged| writer.commit(staged.clone()).unwrap());
    drop(writer);
    let mut forked = site.open(Mode::Staged, &SinkPlace { lineage: Lineage(1), ..run(2) });
    forked.commit(staged[1].clone()).unwrap();
    assert_eq!(site.seen().len(), 4, "epoch 2 was committed in the history that was left");
    forked.resume().unwrap();
    let staged = stage(&mut forked, "b", 3);
    forked.commit(staged).unwrap();
    assert_eq!(site.seen().len(), 5);
}

#[test]
fn a_database_that_was_restored_from_a_backup_is_noticed() {
    let Some(site) = Site::new("staged::a_database_that_was_restored_from_a_backup_is_noticed") else {
        return;
    };
    let mut writer = site.open(Mode::Staged, &run(1));
    let first = stage(&mut writer, "a", 1);
    writer.commit(first).unwrap();
    let second = stage(&mut writer, "b", 2);
    drop(writer);
    site.execute("UPDATE stream_fence SET epoch = 0");
    let error = site.open(Mode::Staged, &run(2)).commit(second.clone()).unwrap_err();
    assert!(error.is_lost() && error.to_string().contains("epoch 1 was committed"), "{error}");
    assert!(error.to_string().contains("epoch 2 of subtask 0 with 1 rows"), "{error}");
    site.execute("DELETE FROM stream_fence");
    let error = site.open(Mode::Staged, &run(3)).commit(second).unwrap_err();
    assert!(error.is_lost() && error.to_string().contains("its row in stream_fence is gone"), "{error}");
    let error = refused(site.open(Mode::Staged, &run(4)).resume());
    assert!(error.contains("has no row of this job in stream_fence"), "{error}");
}

#[test]
fn epochs_without_rows_stage_nothing_and_hold_nobody_up() {
    let Some(site) = Site::new("staged::epochs_without_rows_stage_nothing_and_hold_nobody_up") else {
        return;
    };
    let mut writer = site.open(Mode::Staged, &run(1));
    for epoch in 1..=3 {
        assert_eq!(writer.prepare(Epoch(epoch)).unwrap(), None);
    }
    let staged = stage(&mut writer, "a", 4);
    drop(writer);
    let mut next = site.open(Mode::Staged, &run(2));
    next.commit(staged).unwrap();
    next.resume().unwrap();
    assert_eq!(next.prepare(Epoch(5)).unwrap(), None);
    assert_eq!(site.seen(), ["a"]);
}
