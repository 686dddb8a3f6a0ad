//! A job in one process, asked while it runs.

use std::sync::mpsc;

use super::super::poison::{Table, lasting, slowly};
use super::super::shared::{expect_witnessed, witnessed};
use super::*;
use crate::{JobHandle, PoisonConfig};

const NUMBERS: u64 = 4000;

/// Runs a job that counts what it shares, and asks it meanwhile.
fn asked<T: Send + 'static>(asking: impl AsyncFnOnce(JobHandle) -> T + Send + 'static) -> T {
    let pipeline = pipeline();
    let table = Table::new();
    witnessed(&pipeline, pipeline.source(Numbers::up_to(NUMBERS)).map(slowly), None, table.clone());
    let (config, storage) = lasting(PoisonConfig::default());
    let (answers, answered) = mpsc::channel();
    crate::run(&Rc::new(pipeline.plan().unwrap()), &config, storage, |job| {
        std::thread::spawn(move || answers.send(block_on(asking(job))).unwrap());
    })
    .unwrap();
    // What clients have done to other keys has changed nothing of this.
    expect_witnessed(&table.sorted(), NUMBERS);
    answered.recv().unwrap()
}

/// Asks until the job runs.
async fn begun(job: &JobHandle) {
    while let Err(refused) = job.query(Query { wait: AT_ONCE, ..reads(9) }).await {
        assert!(matches!(refused, QueryError::NotRunning { .. }), "{refused}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[test]
fn c4_c7_a_client_reads_what_it_has_written_and_keeps_what_is_durable() {
    asked(async |job| {
        begun(&job).await;
        let mut token = None;
        for total in 1..=50 {
            let made = job.update(Update { token: token.take(), ..adds(9, 1) }).await.unwrap();
            let found = job.query(causal(9, &made.token)).await.unwrap();
            assert_eq!(count(&found), Some(total));
            token = Some(found.token);
        }
        let made = job.update(Update { durable: true, token, ..adds(9, 1) }).await.unwrap();
        assert!(made.durable, "a checkpoint comes every few milliseconds");
        let found = job.query(causal(9, &made.token)).await.unwrap();
        assert_eq!((count(&found), found.run), (Some(51), Run(1)));
    });
}
