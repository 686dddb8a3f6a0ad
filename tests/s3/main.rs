//! Whole jobs whose checkpoints are in S3: killed, cut off and slowed down, against a real server that the tests start.
//!
//! Where there is no moto (`pip install 'moto[server]'`, in the Python that `TEST_PYTHON` names), each test passes over
//! itself, unless `REQUIRE=moto` is set.

#![expect(clippy::unwrap_used, reason = "a test that is surprised has failed")]

mod job;
#[path = "../conditions/need.rs"]
mod need;
mod outages;
#[path = "../conditions/ports.rs"]
mod ports;
#[path = "../../src/state/store/tests/server.rs"]
mod server;

use job::{Job, store};

#[test]
fn a_job_that_is_killed_goes_on_from_the_bucket_and_each_event_is_booked_once() {
    let Some(job) = Job::new("a_job_that_is_killed_goes_on_from_the_bucket") else { return };
    for _ in 0..2 {
        job.is_killed_behind_a_checkpoint();
        let verified = job.look(&["checkpoint", "verify"]);
        assert_eq!(verified.code, Some(0), "{verified:?}");
        assert!(!job.place.path().join("state/ck").exists(), "nothing of it is in the directory");
    }
    let ended = job.ends(&[]);
    assert!(ended.said.contains("going on from checkpoint "), "{ended:?}");
    job.judge();
    let verified = job.look(&["checkpoint", "verify"]);
    assert_eq!(verified.code, Some(0), "{verified:?}");
    let text = std::fs::read_to_string(job.place.path().join("state/watershed.json")).unwrap();
    assert!(text.contains("s3://checkpoints/") && !text.contains("hush"), "{text}");
}

#[test]
fn the_directory_remembers_its_bucket_and_is_not_led_astray() {
    let Some(job) = Job::new("the_directory_remembers_its_bucket_and_is_not_led_astray") else { return };
    job.is_killed_behind_a_checkpoint();
    let astray = job.run(&[("WATERSHED_CHECKPOINT_STORE", "s3://checkpoints/elsewhere")]);
    assert_eq!(astray.code, Some(2), "{astray:?}");
    assert!(astray.said.contains("and this job has s3://checkpoints/elsewhere"), "{astray:?}");
    let same = format!("state_dir = \"another\"\n[checkpoints]\nstore = \"{}\"\n", job.address);
    job.write("watershed.toml", &same);
    let mixed = job.run(&[("WATERSHED_STATE_DIR", "another")]);
    assert_eq!(mixed.code, Some(2), "{mixed:?}");
    assert!(mixed.said.contains("it holds the checkpoints of another state directory"), "{mixed:?}");
    std::fs::remove_file(job.place.path().join("watershed.toml")).unwrap();
    job.ends(&[("WATERSHED_CHECKPOINT_STORE", "")]);
    job.judge();
}

#[test]
fn an_object_that_is_gone_is_found_by_the_proof_and_by_the_job() {
    let Some(job) = Job::new("an_object_that_is_gone_is_found_by_the_proof_and_by_the_job") else { return };
    job.is_killed_behind_a_checkpoint();
    let gone = store(&job, |path| !path.contains("manifest"));
    assert!(!gone.is_empty());
    let verified = job.look(&["checkpoint", "verify"]);
    assert_eq!(verified.code, Some(1), "{verified:?}");
    assert!(verified.said.contains("is missing from s3://checkpoints/"), "{verified:?}");
    let refused = job.run(&[]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.said.contains("is missing from s3://checkpoints/"), "{refused:?}");
}

#[test]
fn what_is_wrong_with_the_store_is_told_before_anything_runs() {
    let Some(job) = Job::new("what_is_wrong_with_the_store_is_told_before_anything_runs") else { return };
    let closed = format!("http://{}", ports::free());
    let wrong = [
        (("WATERSHED_CHECKPOINT_STORE", "s3://absent/a"), "create the bucket, or correct the address"),
        (("WATERSHED_CHECKPOINT_STORE", "s3://me:hush@host/a"), "write s3://bucket/prefix"),
        (("AWS_ENDPOINT", closed.as_str()), "see that the server answers at AWS_ENDPOINT"),
    ];
    for (variable, cure) in wrong {
        let refused = job.run(&[variable]);
        assert_eq!(refused.code, Some(2), "{refused:?}");
        assert!(refused.said.contains(cure), "{refused:?}");
        assert!(!job.place.path().join("state").exists(), "nothing was begun");
    }
}
