//! What a running job is asked for, and that it is there to answer.

use std::rc::Rc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use watershed_core::testing::Numbers;

use super::{Keep, config, pipeline};
use crate::{JobEnd, RequestError, Storage, Wish};

#[test]
fn a_drained_job_works_on_what_it_has_read_and_answers_before_it_is_gone() {
    let (pipeline, keep) = (pipeline(), Keep::new());
    pipeline.source(Numbers::up_to(u64::MAX)).filter(|n| n % 1000 == 0).sink(keep.clone());
    let (answers, answered) = mpsc::channel();
    let summary = crate::run(&Rc::new(pipeline.plan().unwrap()), &config(1, 64), Storage::none(), |job| {
        std::thread::spawn(move || {
            while job.report()[0].counters.records_in < 10_000 {
                std::thread::sleep(Duration::from_millis(1));
            }
            answers.send(job.ask(Wish::Drain).wait()).unwrap();
            answers.send(job.ask(Wish::Savepoint).wait()).unwrap();
        });
    });
    let summary = summary.unwrap();
    assert_eq!(summary.end, JobEnd::Drained);
    let read = summary.vertices[0].counters.records_in;
    assert_eq!(keep.sorted().len() as u64, read.div_ceil(1000));
    let pointer = answered.recv().unwrap().unwrap().expect("the job ended with a checkpoint");
    assert_eq!(Some(pointer.epoch), summary.checkpoints.completed);
    match answered.recv().unwrap().unwrap_err() {
        RequestError::Refused { wish, reason } => {
            assert_eq!((wish, reason.as_str()), (Wish::Savepoint, "the job is over"));
        }
        RequestError::Over { wish } => assert_eq!(wish, Wish::Savepoint),
    }
}

#[test]
fn a_source_that_never_waits_leaves_the_other_actors_of_its_arbiter_their_turns() {
    let pipeline = pipeline();
    pipeline.source(Numbers::up_to(u64::MAX)).discard();
    pipeline.source(Numbers::up_to(1000)).discard();
    let config = crate::Config { arbiters: 1, ..config(1, 64) };
    let (turns, turn) = mpsc::channel();
    let summary = crate::run(&Rc::new(pipeline.plan().unwrap()), &config, Storage::none(), |job| {
        std::thread::spawn(move || {
            let until = Instant::now() + Duration::from_secs(120);
            while job.report()[1].counters.records_in < 1000 && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(1));
            }
            turns.send(job.report()[1].counters.records_in).unwrap();
            job.cancel();
        });
    });
    assert_eq!(summary.unwrap().end, JobEnd::Cancelled);
    assert_eq!(turn.recv().unwrap(), 1000);
}

#[test]
fn what_is_asked_of_a_job_in_its_first_instant_is_done() {
    for wish in [Wish::Drain, Wish::Cancel] {
        let pipeline = pipeline();
        pipeline.source(Numbers::up_to(u64::MAX)).discard();
        let (answers, answered) = mpsc::channel();
        let plan = Rc::new(pipeline.plan().unwrap());
        let summary = crate::run(&plan, &config(1, 64), Storage::none(), |job| {
            answers.send(job.ask(wish)).unwrap();
        });
        let ended = if wish == Wish::Drain { JobEnd::Drained } else { JobEnd::Cancelled };
        assert_eq!(summary.unwrap().end, ended);
        answered.recv().unwrap().wait().expect("it is done, not refused");
    }
}
