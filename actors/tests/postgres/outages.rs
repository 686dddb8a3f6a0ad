//! A database that is slow, down, killed, restarted, or in the way of itself.

use std::time::{Duration, Instant};

use watershed_actors::sink::Mode;
use watershed_core::{Epoch, EventTime, Sink, Writer};

use crate::proxy::{Mischief, Proxy};
use crate::site::{Site, refused, run, stage};

#[test]
fn an_answer_to_a_commit_that_is_lost_doubles_nothing() {
    for (mode, bytes) in [(Mode::Staged, &b"QCOMMIT"[..]), (Mode::Prepared, b"COMMIT PREPARED")] {
        let Some(mut site) = Site::new("outages::an_answer_to_a_commit_that_is_lost_doubles_nothing") else {
            return;
        };
        let proxy = Proxy::to(site.port);
        site.port = proxy.port();
        let mut writer = site.open(mode, &run(1));
        let staged = stage(&mut writer, "a", 1);
        // The length stands between the kind of a message and its text.
        let bytes = bytes.strip_prefix(b"Q").map_or(bytes, |_| b"Q\0\0\0\x0bCOMMIT\0");
        proxy.plan(Mischief::LoseTheAnswer(bytes));
        writer.commit(staged.clone()).unwrap();
        assert!(proxy.has_struck(), "{mode:?}");
        writer.commit(staged).unwrap();
        let next = stage(&mut writer, "b", 2);
        writer.commit(next).unwrap();
        assert_eq!(site.seen(), ["a", "b"], "{mode:?}");
    }
}

#[test]
fn an_answer_to_a_prepare_that_is_lost_doubles_nothing() {
    let Some(mut site) = Site::new("outages::an_answer_to_a_prepare_that_is_lost_doubles_nothing") else {
        return;
    };
    let proxy = Proxy::to(site.port);
    site.port = proxy.port();
    let mut writer = site.open(Mode::Prepared, &run(1));
    proxy.plan(Mischief::LoseTheAnswer(b"PREPARE TRANSACTION"));
    let staged = stage(&mut writer, "a", 1);
    assert!(proxy.has_struck());
    writer.commit(staged).unwrap();
    assert_eq!(site.seen(), ["a"]);
    assert_eq!(site.prepared(), [""; 0]);
}

#[test]
fn a_prepare_that_is_late_is_taken_back_and_its_rows_go_with_the_next() {
    let Some(mut site) = Site::new("outages::a_prepare_that_is_late_is_taken_back") else { return };
    let proxy = Proxy::to(site.port);
    site.port = proxy.port();
    let sink = site.words(Mode::Prepared).patience(Duration::from_secs(2));
    let mut writer = sink.open(&run(1)).unwrap();
    let first = stage(&mut writer, "0", 1);
    writer.commit(first).unwrap();
    proxy.plan(Mischief::HoldTheAnswer(b"PREPARE TRANSACTION", Duration::from_secs(4)));
    writer.write(("a".to_owned(),), EventTime::MIN).unwrap();
    let error = refused(writer.prepare(Epoch(2)));
    assert!(error.ends_with("the database has not answered for 2s; it goes on trying"), "{error}");
    std::thread::sleep(Duration::from_secs(3));
    let staged = stage(&mut writer, "b", 3);
    assert_eq!(site.prepared(), [site.gid("0/0/3/1/2")]);
    writer.commit(staged).unwrap();
    assert_eq!(site.seen(), ["0", "a", "b"]);
}

#[test]
fn a_slow_commit_keeps_nobody_waiting_and_is_asked_for_again() {
    let Some(mut site) = Site::new("outages::a_slow_commit_keeps_nobody_waiting") else { return };
    let proxy = Proxy::to(site.port);
    site.port = proxy.port();
    let sink = site.words(Mode::Staged).patience(Duration::from_millis(100));
    let mut writer = sink.open(&run(1)).unwrap();
    let hold = |seconds| Mischief::HoldTheAnswer(b"Q\0\0\0\x0bCOMMIT\0", Duration::from_secs(seconds));
    let first = stage(&mut writer, "a", 1);
    proxy.plan(hold(1));
    writer.commit(first).expect("the first commit may be the only one, and has no other try");
    let staged = stage(&mut writer, "b", 2);
    proxy.plan(hold(2));
    let start = Instant::now();
    let error = writer.commit(staged.clone()).unwrap_err();
    assert!(start.elapsed() < Duration::from_secs(1), "it waited for {:?}", start.elapsed());
    assert!(!error.is_lost() && error.to_string().contains("has not answered for 100ms"), "{error}");
    while writer.commit(staged.clone()).is_err() {
        assert!(start.elapsed() < Duration::from_secs(30));
    }
    assert_eq!(site.seen(), ["a", "b"]);
}

#[test]
fn a_server_that_is_killed_behind_prepare_keeps_the_transaction() {
    let name = "outages::a_server_that_is_killed_behind_prepare_keeps_the_transaction";
    let Some(site) = Site::apart(name, &["max_prepared_transactions=10"]) else { return };
    let mut dead = site.open(Mode::Prepared, &run(1));
    let staged = stage(&mut dead, "a", 1);
    site.server.kill();
    site.server.run();
    drop(dead);
    let mut next = site.open(Mode::Prepared, &run(2));
    assert_eq!(site.seen(), [""; 0]);
    next.commit(staged).unwrap();
    next.resume().unwrap();
    assert_eq!(site.seen(), ["a"]);
}

#[test]
fn a_server_that_is_down_delays_commits_and_no_checkpoint() {
    let name = "outages::a_server_that_is_down_delays_commits_and_no_checkpoint";
    let Some(site) = Site::apart(name, &[]) else { return };
    let mut writer = site.words(Mode::Staged).retry_for(Duration::from_millis(200)).open(&run(1)).unwrap();
    let first = stage(&mut writer, "a", 1);
    site.server.kill();
    let error = writer.commit(first.clone()).unwrap_err();
    assert!(!error.is_lost(), "{error}");
    let second = stage(&mut writer, "b", 2);
    assert!(writer.commit(first.clone()).is_err());
    site.server.run();
    writer.commit(first).unwrap();
    writer.commit(second).unwrap();
    assert_eq!(site.seen(), ["a", "b"]);
}

/// Lets the first writes to the table fail with an error, and counts all of them: numbers that were drawn stay drawn when
/// a transaction rolls back.
fn fail_first(site: &Site, times: u32, code: &str) {
    site.execute(&format!(
        "CREATE SEQUENCE tries;
         CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             IF nextval('tries') <= {times} THEN RAISE EXCEPTION 'in the way' USING ERRCODE = '{code}'; END IF;
             RETURN NEW;
         END $$;
         CREATE TRIGGER fail BEFORE INSERT ON words FOR EACH ROW EXECUTE FUNCTION fail()"
    ));
}

#[test]
fn deadlocks_and_failed_serializations_are_tried_again() {
    for code in ["40001", "40P01", "55P03"] {
        for mode in [Mode::Staged, Mode::Prepared] {
            let Some(site) = Site::new("outages::deadlocks_and_failed_serializations_are_tried_again") else {
                return;
            };
            let mut writer = site.open(mode, &run(1));
            fail_first(&site, 2, code);
            let staged = stage(&mut writer, "a", 1);
            writer.commit(staged).unwrap();
            assert_eq!(site.seen(), ["a"], "{code} {mode:?}");
            assert_eq!(site.query("SELECT last_value::text FROM tries"), ["3"], "{code} {mode:?}");
        }
    }
}

#[test]
fn what_no_repetition_cures_is_told_at_once() {
    let Some(site) = Site::new("outages::what_no_repetition_cures_is_told_at_once") else { return };
    let mut writer = site.open(Mode::Staged, &run(1));
    fail_first(&site, 1, "23514");
    let staged = stage(&mut writer, "a", 1);
    let error = writer.commit(staged.clone()).unwrap_err();
    assert!(!error.is_lost() && error.to_string().ends_with("in the way"), "{error}");
    assert_eq!(site.query("SELECT last_value::text FROM tries"), ["1"]);
    writer.commit(staged).unwrap();
    assert_eq!(site.seen(), ["a"]);
}

#[test]
fn a_real_deadlock_ends_with_each_row_once() {
    let Some(site) = Site::new("outages::a_real_deadlock_ends_with_each_row_once") else { return };
    let sink = site.words(Mode::Staged).primary_key(["word"]);
    let mut writer = sink.open(&run(1)).unwrap();
    let first = stage(&mut writer, "a", 1);
    writer.commit(first).unwrap();
    let mut other = site.client();
    let mut transaction = other.transaction().unwrap();
    transaction.batch_execute("SET LOCAL deadlock_timeout = '20s'; INSERT INTO words VALUES ('b')").unwrap();
    let second = stage(&mut writer, "b", 2);
    let committed = std::thread::spawn(move || writer.commit(second));
    // The commit holds the fence and waits for the word; whoever waits for the fence closes the circle.
    std::thread::sleep(Duration::from_millis(300));
    transaction
        .batch_execute("SELECT * FROM stream_fence FOR UPDATE; DELETE FROM words WHERE word = 'b'")
        .unwrap();
    transaction.commit().unwrap();
    committed.join().unwrap().unwrap();
    assert_eq!(site.seen(), ["a", "b"]);
}
