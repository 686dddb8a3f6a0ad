//! What was decided and is gone: the job stops, names it, and goes on without it once a person has said so.

use crate::job::{Job, NUMBERS};

/// A job whose decided transaction somebody has rolled back; its name and its rows.
fn lossy(test: &str) -> Option<(Job, String, u64)> {
    let job = Job::died(test, "sink::before_commit=1*off->return(kill)")?;
    let listed = job.txn(&["list"]).json();
    let one = &listed["transactions"][0];
    let (gid, rows) = (one["gid"].as_str().unwrap().to_owned(), one["rows"].as_u64().unwrap());
    job.execute(&format!("ROLLBACK PREPARED '{gid}'"));
    Some((job, gid, rows))
}

#[test]
fn a_loss_stops_the_job_and_is_listed_exactly() {
    let Some((job, gid, rows)) = lossy("a_loss_stops_the_job_and_is_listed_exactly") else { return };
    let before = job.count();
    for _ in 0..2 {
        let why = job.fails();
        assert!(why.contains(&format!("{gid} is gone and was not committed")), "{why}");
        assert!(
            why.contains(&format!("subtask 0 with {rows} rows")) && why.contains("txn accept-loss"),
            "{why}"
        );
        assert_eq!(job.count(), before, "nothing was written past it");
    }
    let listing = job.txn(&["list"]).json();
    let lost = listing["lost"].as_array().unwrap();
    assert_eq!(lost.len(), 1, "{listing}");
    assert_eq!((&lost[0]["gid"], &lost[0]["rows"]), (&gid.as_str().into(), &rows.into()));
    assert_eq!((&lost[0]["table"], &lost[0]["subtask"]), (&"public.numbers".into(), &0.into()));
    let (url, state) = (job.url(), job.state());
    let text = job.run(&["txn", "list", "--database", &url, "--state-dir", state.to_str().unwrap()]).out;
    assert!(text.contains(&format!("LOST: {rows} rows of epoch ")), "{text}");
}

#[test]
fn an_accepted_loss_costs_its_own_rows_and_no_other() {
    let Some((job, gid, rows)) = lossy("an_accepted_loss_costs_its_own_rows_and_no_other") else { return };
    let wrong = job.txn(&["accept-loss", "watershed/a/b/c/0/0/1/1/1"]);
    assert!(wrong.code == Some(1) && wrong.out.contains("is not lost"), "{wrong:?}");
    let accepted = job.txn(&["accept-loss", &gid]);
    assert_eq!(accepted.code, Some(0), "{accepted:?}");
    assert_eq!(accepted.json()["done"][0]["what"], "accepted as lost");
    assert_eq!(accepted.json()["done"][0]["rows"], rows);
    assert!(job.txn(&["list"]).json()["lost"].as_array().unwrap().is_empty());
    assert!(
        job.txn(&["accept-loss", "--all"]).json()["done"].as_array().unwrap().is_empty(),
        "it was accepted"
    );
    job.ends();
    assert_eq!(job.counts(), (NUMBERS - rows, NUMBERS - rows));
}

#[test]
fn what_is_still_there_or_was_committed_is_no_loss() {
    let test = "what_is_still_there_or_was_committed_is_no_loss";
    let Some(job) = Job::died(test, "sink::before_commit=1*off->return(kill)") else { return };
    let gid = job.txn(&["list"]).json()["transactions"][0]["gid"].as_str().unwrap().to_owned();
    for step in ["it is prepared", "it was committed by hand"] {
        assert!(job.txn(&["list"]).json()["lost"].as_array().unwrap().is_empty(), "{step}");
        let refused = job.txn(&["accept-loss", &gid]);
        assert!(refused.code == Some(1) && refused.out.contains("is not lost"), "{step}: {refused:?}");
        if step == "it is prepared" {
            job.execute(&format!("COMMIT PREPARED '{gid}'"));
        }
    }
    job.ends();
    assert_eq!(job.counts(), (NUMBERS, NUMBERS), "each number once");
}

#[test]
fn what_a_backup_took_along_is_named_too() {
    let Some((job, gid, rows)) = lossy("what_a_backup_took_along_is_named_too") else { return };
    // As if the database were of a time before the first commit.
    job.execute("DELETE FROM numbers; DELETE FROM stream_commit; UPDATE stream_fence SET epoch = 0");
    let why = job.fails();
    assert!(why.contains("the database was restored from a backup"), "{why}");
    let note = job.txn(&["list"]).json()["lost"][0]["gone_too"].as_str().unwrap().to_owned();
    assert!(note.starts_with("with the epochs behind 0 up to "), "{note}");
    let accepted = job.txn(&["accept-loss", "--all"]);
    assert_eq!(accepted.json()["done"][0]["note"], note.as_str());
    job.ends();
    let (all, different) = job.counts();
    assert!(all == different && all < NUMBERS - rows, "{all} rows, and {gid} had {rows}");
}
