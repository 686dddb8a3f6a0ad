//! A database that is slow, down, killed, restarted, or in the way of itself.

use std::time::{Duration, Instant};

use watershed_actors::sink::{Mode, PostgresWriter, StagedOutput};
use watershed_core::{Epoch, EventTime, Sink, Writer};

use crate::proxy::{Mischief, Proxy};
use crate::site::{Row, Site, refused, run, stage, until};

/// Commits with little patience: asks until the database has answered in time.
fn commit_in_the_end(writer: &mut PostgresWriter<Row>, staged: &StagedOutput) {
    let begun = Instant::now();
    while let Err(error) = writer.commit(staged.clone()) {
        assert!(begun.elapsed() < Duration::from_secs(120), "{error}");
    }
}

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
    let sink = site.words(Mode::Prepared).patience(Duration::from_millis(500));
    let mut writer = sink.open(&run(1)).unwrap();
    let first = stage(&mut writer, "0", 1);
    writer.commit(first).unwrap();
    proxy.plan(Mischief::HoldTheAnswer(b"PREPARE TRANSACTION"));
    writer.write(("a".to_owned(),), EventTime::MIN).unwrap();
    let error = refused(writer.prepare(Epoch(2)));
    assert!(error.ends_with("the database has not answered for 500ms; it goes on trying"), "{error}");
    until("the database is asked", || proxy.has_struck());
    proxy.let_through();
    writer.write(("b".to_owned(),), EventTime::MIN).unwrap();
    // Where the machine is slow, this one is late as well, and is taken back in its turn.
    let on_time = |epoch| writer.prepare(Epoch(epoch)).ok().map(|staged| (epoch, staged));
    let (epoch, staged) = (3..300).find_map(on_time).expect("the database answers in the end");
    assert_eq!(site.prepared(), [site.gid(&format!("0/0/{epoch}/1/2"))]);
    let staged = staged.expect("words have been written");
    commit_in_the_end(&mut writer, &staged);
    assert_eq!(site.seen(), ["0", "a", "b"]);
}

#[test]
fn a_slow_commit_keeps_nobody_waiting_and_is_asked_for_again() {
    let Some(mut site) = Site::new("outages::a_slow_commit_keeps_nobody_waiting") else { return };
    let proxy = Proxy::to(site.port);
    site.port = proxy.port();
    let sink = site.words(Mode::Staged).patience(Duration::from_millis(100));
    let mut writer = sink.open(&run(1)).unwrap();
    let hold = Mischief::HoldTheAnswer(b"Q\0\0\0\x0bCOMMIT\0");
    let first = stage(&mut writer, "a", 1);
    proxy.plan(hold.clone());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            until("the database is asked", || proxy.has_struck());
            std::thread::sleep(Duration::from_millis(300));
            proxy.let_through();
        });
        writer.commit(first).expect("the first commit may be the only one, and has no other try");
    });
    let staged = stage(&mut writer, "b", 2);
    proxy.plan(hold);
    // It returns, although the answer is let through only then.
    let error = writer.commit(staged.clone()).unwrap_err();
    assert!(!error.is_lost() && error.to_string().contains("has not answered for 100ms"), "{error}");
    until("the database is asked", || proxy.has_struck());
    proxy.let_through();
    commit_in_the_end(&mut writer, &staged);
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

/// Lets the commit of a word and a transaction wait for each other; whether it was the commit that the server has given
/// up, which it does with whoever finds the circle closed so many seconds after it has begun to wait.
fn deadlock(site: &Site, (number, word, seconds): (u32, &str, u32)) -> bool {
    site.set(&format!("deadlock_timeout = '{seconds}s'"));
    let sink = site.words(Mode::Staged).primary_key(["word"]);
    let mut writer = sink.open(&run(number)).unwrap();
    let first = stage(&mut writer, "a", 1);
    writer.commit(first).unwrap();
    let mut other = site.client();
    let mut transaction = other.transaction().unwrap();
    let begin = format!("SET LOCAL deadlock_timeout = '25s'; INSERT INTO words VALUES ('{word}')");
    transaction.batch_execute(&begin).unwrap();
    let second = stage(&mut writer, word, 2);
    let committed = std::thread::spawn(move || writer.commit(second));
    // The commit holds the fence and waits for the word; whoever waits for the fence closes the circle.
    let waits = "SELECT count(*)::text FROM pg_stat_activity
                 WHERE datname = current_database() AND wait_event_type = 'Lock'";
    until("the commit waits for the word", || site.query(waits) == ["1"]);
    let close = format!("SELECT * FROM stream_fence FOR UPDATE; DELETE FROM words WHERE word = '{word}'");
    let closed = transaction.batch_execute(&close).and_then(|()| transaction.commit());
    committed.join().unwrap().unwrap();
    closed.is_ok()
}

#[test]
fn a_real_deadlock_ends_with_each_row_once() {
    let Some(site) = Site::new("outages::a_real_deadlock_ends_with_each_row_once") else { return };
    // Who waits looks for a circle only once. Where the machine is so slow that it was not closed by then, there is
    // another try with more time.
    let mut words = vec!["a"];
    let tries = [(1, "b", 1), (2, "c", 5), (3, "d", 20)];
    let struck = tries.into_iter().any(|which| {
        let struck = deadlock(&site, which);
        words.push(which.1);
        assert_eq!(site.seen(), words);
        struck
    });
    assert!(struck, "the circle is never closed in time");
    // The server counts with a delay.
    let counted = "SELECT deadlocks::text FROM pg_stat_database WHERE datname = current_database()";
    until("it was a deadlock", || site.query(counted) != ["0"]);
}
