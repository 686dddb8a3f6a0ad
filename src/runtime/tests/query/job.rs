//! A job in one process, asked while it runs.

use std::sync::mpsc;

use super::super::poison::{Table, lasting, slowly};
use super::super::shared::{expect_witnessed, witnessed};
use super::*;
use crate::query::AsOf;
use crate::{JobHandle, PoisonConfig};

const NUMBERS: u64 = 4000;

/// Cancels a job when whoever asks it has done, or has panicked.
struct Cancels(JobHandle);

impl Drop for Cancels {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// Runs a job that counts what it shares, and asks it meanwhile. One that has more numbers than any is cancelled then.
fn asked(numbers: u64, asking: impl AsyncFnOnce(&JobHandle) + Send + 'static) {
    let pipeline = pipeline();
    let table = Table::new();
    witnessed(&pipeline, pipeline.source(Numbers::up_to(numbers)).map(slowly), None, table.clone());
    let (mut config, storage) = lasting(PoisonConfig::default());
    if numbers == u64::MAX {
        // Checkpoints that stay for a while.
        config.checkpoints.interval = Some(Duration::from_millis(50));
    }
    let (answers, answered) = mpsc::channel();
    crate::run(&Rc::new(pipeline.plan().unwrap()), &config, storage, |job| {
        std::thread::spawn(move || {
            let _cancels = (numbers == u64::MAX).then(|| Cancels(job.clone()));
            block_on(asking(&job));
            answers.send(()).unwrap();
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
            Err(
                QueryError::NotRunning { .. }
                | QueryError::Unavailable { .. }
                | QueryError::NoCheckpoint { .. },
            ) => {
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

#[test]
fn c6_c7_what_is_read_as_of_one_checkpoint_belongs_together() {
    asked(u64::MAX, async |job| {
        let uid = witness(job).await;
        let as_of = |which| Level::AsOf(which);
        let made = job.update(Update { durable: true, ..adds(9, 5) }).await.unwrap();
        assert!(made.durable);
        let kept = ask(job, Query { level: as_of(AsOf::Latest), ..reads(9) }).await;
        assert_eq!(
            (count(&kept), kept.durable),
            (Some(5), true),
            "a durable update is in the newest checkpoint"
        );
        let mut pairs = 0;
        while pairs < 20 {
            let counted = ask(job, Query { level: as_of(AsOf::Latest), ..reads(0) }).await;
            let epoch = counted.as_of.expect("a checkpoint was asked for");
            let level = as_of(AsOf::Epoch(epoch));
            let came = match job.query(Query { level, ..Query::new(&uid, vec![0]) }).await {
                Ok(came) => came,
                // The checkpoints before the newest few are let go.
                Err(QueryError::NoCheckpoint { .. } | QueryError::Unreadable { .. }) => continue,
                Err(refused) => panic!("{refused}"),
            };
            assert_eq!(came.as_of, Some(epoch));
            assert!(count(&counted) >= count(&came), "{counted:?} was counted where {came:?} had come");
            let live = ask(job, Query::new(&uid, vec![0])).await;
            assert!(count(&live) >= count(&came), "the stream has gone on");
            pairs += 1;
        }
        let never = job.query(Query { level: as_of(AsOf::Epoch(Epoch(u64::MAX))), ..reads(0) }).await;
        assert!(matches!(never, Err(QueryError::NoCheckpoint { newest: Some(_), .. })), "{never:?}");
        let found =
            job.query(Query { wait: Duration::from_secs(60), ..causal(9, &kept.token) }).await.unwrap();
        assert_eq!(count(&found), Some(5), "whoever has read a checkpoint finds nothing older");
    });
}
