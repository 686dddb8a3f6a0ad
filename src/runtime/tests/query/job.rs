//! A job in one process, asked while it runs.

use std::sync::mpsc;

use watershed_core::{Position, SplitId};
use watershed_protocol::checkpoint::Wish;

use super::super::poison::{Table, lasting, slowly};
use super::super::reins::{Reined, Reins};
use super::super::shared::{expect_witnessed, witnessed};
use super::*;
use crate::query::{AsOf, Submitted};
use crate::{Config, JobHandle, PoisonConfig};

/// How long anything may take that is asked for.
const WITHIN: Duration = Duration::from_secs(60);

/// Ends the numbers of a job when whoever asks it has done, or has panicked.
struct Ends(Arc<Reins>);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// Runs a job that counts what it shares as it is configured, and asks it meanwhile, for as long as that takes.
fn asked_of(config: impl FnOnce(&mut Config), asking: impl AsyncFnOnce(&JobHandle) + Send + 'static) {
    let (pipeline, table, reins) = (pipeline(), Table::new(), Reins::endless());
    witnessed(&pipeline, pipeline.source(Reined(reins.clone())).map(slowly), None, table.clone());
    let (mut configured, storage) = lasting(PoisonConfig::default());
    config(&mut configured);
    let (answers, answered) = mpsc::channel();
    let ends = Ends(reins.clone());
    crate::run(&Rc::new(pipeline.plan().unwrap()), &configured, storage, |job| {
        std::thread::spawn(move || {
            let _ends = ends;
            block_on(asking(&job));
            answers.send(()).unwrap();
        });
    })
    .unwrap();
    answered.recv().expect("all was as it should be");
    // What clients have done to other keys has changed nothing of this.
    expect_witnessed(&table.sorted(), reins.end());
}

/// The same with checkpoints that stay for a while.
fn asked(asking: impl AsyncFnOnce(&JobHandle) + Send + 'static) {
    asked_of(|config| config.checkpoints.interval = Some(Duration::from_millis(50)), asking);
}

/// Asks until what is to be there is there.
async fn ask(job: &JobHandle, query: Query) -> Found {
    let until = Instant::now() + WITHIN;
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
    let as_it_is = |_: &mut Config| {};
    asked_of(as_it_is, async |job| {
        ask(job, reads(9)).await;
        let mut token = None;
        for total in 1..=50 {
            let made = job.update(Update { token: token.take(), ..adds(9, 1) }).await.unwrap();
            let found = job.query(causal(9, &made.token)).await.unwrap();
            assert_eq!(count(&found), Some(total));
            token = Some(found.token);
        }
        let made = job.update(Update { token, ..keeps(9, 1) }).await.unwrap();
        assert!(made.durable, "a checkpoint comes every few milliseconds");
        let found = job.query(causal(9, &made.token)).await.unwrap();
        assert_eq!((count(&found), found.run), (Some(51), Run(1)));
    });
}

/// An update that waits for its checkpoint.
fn keeps(key: u8, more: u64) -> Update {
    Update { durable: true, wait: WITHIN, ..adds(key, more) }
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
    asked(async |job| {
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
    // None is let go before it is read again.
    let kept = |config: &mut Config| {
        config.checkpoints.interval = Some(Duration::from_millis(20));
        config.checkpoints.retain = 10_000;
    };
    asked_of(kept, async |job| {
        let uid = witness(job).await;
        let as_of = |which| Level::AsOf(which);
        let made = job.update(keeps(9, 5)).await.unwrap();
        assert!(made.durable);
        let kept = ask(job, Query { level: as_of(AsOf::Latest), ..reads(9) }).await;
        assert_eq!(
            (count(&kept), kept.durable),
            (Some(5), true),
            "a durable update is in the newest checkpoint"
        );
        for _ in 0..20 {
            let counted = ask(job, Query { level: as_of(AsOf::Latest), ..reads(0) }).await;
            let epoch = counted.as_of.expect("a checkpoint was asked for");
            let level = as_of(AsOf::Epoch(epoch));
            let came = ask(job, Query { level, ..Query::new(&uid, vec![0]) }).await;
            assert_eq!(came.as_of, Some(epoch));
            assert!(count(&counted) >= count(&came), "{counted:?} was counted where {came:?} had come");
            let live = ask(job, Query::new(&uid, vec![0])).await;
            assert!(count(&live) >= count(&came), "the stream has gone on");
        }
        let made = job.update(Update { token: Some(kept.token), ..adds(9, 1) }).await.unwrap();
        let latest = Query { level: as_of(AsOf::Latest), token: Some(made.token), ..reads(9) };
        let kept = ask(job, latest).await;
        let both = job.query(causal(9, &kept.token)).await.unwrap();
        assert_eq!(count(&both), Some(6), "what its token had seen before is not forgotten");
        let never = job.query(Query { level: as_of(AsOf::Epoch(Epoch(u64::MAX))), ..reads(0) }).await;
        assert!(matches!(never, Err(QueryError::NoCheckpoint { newest: Some(_), .. })), "{never:?}");
        let found = job.query(Query { wait: WITHIN, ..causal(9, &kept.token) }).await.unwrap();
        assert_eq!(count(&found), Some(6), "whoever has read a checkpoint finds nothing older");
    });
}

/// Why a question is refused that a checkpoint has to be read for: with more time, as long as it was too little.
async fn refused_in_the_end(job: &JobHandle, query: Query) -> QueryError {
    for wait in [300, 3000, 30_000] {
        let wait = Duration::from_millis(wait);
        match job.query(Query { wait, ..query.clone() }).await.unwrap_err() {
            QueryError::Unavailable { .. } => {}
            refused => return refused,
        }
    }
    panic!("no checkpoint is read in time");
}

#[test]
fn what_came_of_a_record_is_read_as_of_the_first_checkpoint_that_has_worked_on_it() {
    asked(async |job| {
        let uid = witness(job).await;
        let level = Level::AsOf(AsOf::Latest);
        let input = |source: &str, position| Submitted {
            source: source.to_owned(),
            split: SplitId(0),
            position: Position(position),
        };
        let awaits = |inputs: Vec<Submitted>, wait| {
            let wait = Duration::from_millis(wait);
            Query { level, await_input: true, inputs, wait, ..Query::new(&uid, vec![0]) }
        };
        ask(job, Query { level, ..reads(0) }).await;
        let refused = refused_in_the_end(job, awaits(vec![input("nothing", 1)], 0)).await;
        let QueryError::NoInput { known, .. } = refused else { panic!("it is refused otherwise: {refused}") };
        let [one] = &known[..] else { panic!("there is one source, with one split: {known:?}") };
        let source = one.strip_suffix(":0").expect("the split has the number 0");

        for _ in 0..5 {
            let came = count(&ask(job, Query::new(&uid, vec![0])).await).unwrap_or_default();
            // Behind all that can have come since: numbers come slowly.
            let behind = came + 2000;
            let found = job.query(awaits(vec![input(source, behind)], 60_000)).await.unwrap();
            let counted = count(&found).unwrap_or_default();
            assert!(counted >= behind, "{counted} had come where {behind} are worked on");
            assert!(found.as_of.is_some() && found.durable, "{found:?}");
        }

        let far = input(source, u64::MAX);
        let missing = job.query(awaits(vec![far.clone()], 300)).await.unwrap_err();
        assert!(matches!(missing, QueryError::Unavailable { .. }), "{missing}");
        // Tokens name it, through whichever answers.
        let named = job.query(Query { inputs: vec![far], ..reads(9) }).await.unwrap();
        let named = job.query(Query { token: Some(named.token), ..reads(9) }).await.unwrap();
        let made = job.update(Update { token: Some(named.token), ..adds(9, 1) }).await.unwrap();
        let read = ask(job, Query { level, token: Some(made.token), ..reads(9) }).await;
        let token = Some(read.token);
        let missing = job.query(Query { token: token.clone(), ..awaits(vec![], 300) }).await.unwrap_err();
        assert!(matches!(missing, QueryError::Unavailable { .. }), "{missing}");

        let nothing = job.query(awaits(vec![], 60_000)).await.unwrap_err();
        assert!(matches!(nothing, QueryError::Unfit { .. }), "{nothing}");
        for level in [Level::Causal, Level::Eventual, Level::AsOf(AsOf::Epoch(Epoch(1)))] {
            let unfit =
                refused_in_the_end(job, Query { level, token: token.clone(), ..awaits(vec![], 0) }).await;
            let is_told = matches!(unfit, QueryError::Unfit { .. } | QueryError::NoCheckpoint { .. });
            assert!(is_told, "{unfit}");
        }
    });
}

#[test]
fn a_savepoint_is_read_long_after_the_checkpoints_around_it_are_gone() {
    asked(async |job| {
        let made = job.update(keeps(9, 5)).await.unwrap();
        assert!(made.durable);
        let savepoint = job.ask(Wish::Savepoint).await.unwrap().expect("it is a checkpoint").epoch;
        job.update(Update { token: Some(made.token), ..adds(9, 2) }).await.unwrap();
        let newest = || job.checkpoints().completed.unwrap_or_default();
        let until = Instant::now() + WITHIN;
        while newest() < Epoch(savepoint.0 + 8) {
            assert!(Instant::now() < until, "checkpoints go on");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let level = Level::AsOf(AsOf::Epoch(savepoint));
        let found = ask(job, Query { level, ..reads(9) }).await;
        assert_eq!((count(&found), found.as_of), (Some(5), Some(savepoint)));
    });
}
