//! A job in one process, asked while it runs.

use std::sync::mpsc;

use super::super::poison::{Table, lasting, slowly};
use super::super::shared::{expect_witnessed, witnessed};
use super::*;
use crate::{JobHandle, PoisonConfig};

const NUMBERS: u64 = 4000;

/// Runs a job that counts what it shares, and asks it meanwhile. One that has more numbers than any is cancelled then.
fn asked(numbers: u64, asking: impl AsyncFnOnce(&JobHandle) + Send + 'static) {
    let pipeline = pipeline();
    let table = Table::new();
    witnessed(&pipeline, pipeline.source(Numbers::up_to(numbers)).map(slowly), None, table.clone());
    let (config, storage) = lasting(PoisonConfig::default());
    let (answers, answered) = mpsc::channel();
    crate::run(&Rc::new(pipeline.plan().unwrap()), &config, storage, |job| {
        std::thread::spawn(move || {
            block_on(asking(&job));
            answers.send(()).unwrap();
            if numbers == u64::MAX {
                job.cancel();
            }
        });
    })
    .unwrap();
    answered.recv().expect("all was as it should be");
    if numbers < u64::MAX {
        // What clients have done to other keys has changed nothing of this.
        expect_witnessed(&table.sorted(), numbers);
    }
}

/// Asks until what is to be there is there.
async fn ask(job: &JobHandle, query: Query) -> Found {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        match job.query(query.clone()).await {
            Ok(found) => return found,
            Err(QueryError::NotRunning { .. } | QueryError::Unavailable { .. }) => {
                assert!(Instant::now() < until, "it never came");
            }
            Err(refused) => panic!("{refused}"),
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[test]
fn c4_c7_a_client_reads_what_it_has_written_and_keeps_what_is_durable() {
    asked(NUMBERS, async |job| {
        ask(job, reads(9)).await;
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

/// The uid of the operator that witnesses the count, which the pipeline has not named.
async fn witness(job: &JobHandle) -> String {
    ask(job, reads(9)).await;
    let refused = job.query(Query::new("nothing", vec![0])).await.unwrap_err();
    let QueryError::NoState { known, .. } = refused else { panic!("it is refused otherwise: {refused}") };
    let [total, witness] =
        known.try_into().expect("there is one shared state, and one operator with keyed state");
    assert_eq!(total, TOTAL);
    witness
}

#[test]
fn what_an_operator_has_of_a_key_is_seen_while_records_flow() {
    asked(u64::MAX, async |job| {
        let uid = witness(job).await;
        let look = || Query::new(&uid, vec![0]);
        let mut before = 0;
        while before < 2000 {
            let found = ask(job, look()).await;
            let came = count(&found).unwrap_or_default();
            assert!(came >= before, "{came} are fewer than {before}");
            assert_eq!((found.durable, found.as_of), (false, None));
            before = came;
        }
        let other = ask(job, Query::new(&uid, vec![7])).await;
        assert_eq!(count(&other), None, "no record has this key");

        let refused = job.query(Query { level: Level::Causal, ..look() }).await.unwrap_err();
        assert!(matches!(refused, QueryError::Unfit { .. }), "{refused}");
        let refused = job.update(Update { state: uid.clone(), ..adds(0, 1) }).await.unwrap_err();
        assert_eq!(refused, QueryError::ReadOnly { state: uid.clone() });
        let refused = job.query(Query::new(&uid, b"\xa3key".to_vec())).await.unwrap_err();
        assert!(matches!(refused, QueryError::NoKey { .. }), "{refused}");
        let refused = job.query(Query::new(format!("{uid}/piece"), vec![0])).await.unwrap_err();
        assert!(matches!(refused, QueryError::Unfit { .. }), "it has one piece: {refused}");
    });
}
