//! What the nodes of a job agree on: set from outside, read at once, heard of by the tasks, and never undone.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use watershed_core::checkpoint::{Register, Voice};
use watershed_core::shared::{Agrees, AnyShared, Refusal, Resolver, Shared, Stamp};
use watershed_core::{Chain, Round, Stream};

use super::poison::{Table, lasting};
use super::*;
use crate::agree::{LOCAL, Proposal, Refused};
use crate::query::{Level, Query, QueryError, Update};
use crate::{JobHandle, PoisonConfig};

/// The round, the votes and their sum.
type Sum = (Round, Vec<(String, u64)>, u64);

/// The sum of votes is agreed on, of one vote or more.
#[derive(Clone)]
pub(super) struct Summed;

impl Summed {
    fn check_sum((_, votes, sum): &Sum) -> Result<(), Refusal> {
        if votes.iter().map(|(_, vote)| vote).sum::<u64>() == *sum {
            return Ok(());
        }
        Err(Refusal::Update("this is not the sum".to_owned()))
    }
}

impl Resolver<u64> for Summed {
    type State = Option<Sum>;
    type Update = Sum;
    type Value = u64;

    fn update(&self, _: &Option<Sum>, agreed: Sum, _: &Stamp) -> Result<Option<Sum>, Refusal> {
        Summed::check_sum(&agreed).map(|()| Some(agreed))
    }

    fn join(&self, state: &mut Option<Sum>, other: &Option<Sum>) {
        if *other > *state {
            state.clone_from(other);
        }
    }

    fn value(&self, state: &Option<Sum>) -> u64 {
        state.as_ref().map_or(0, |(_, _, sum)| *sum)
    }

    fn check(&self, _: &Option<Sum>, delta: &Option<Sum>, _: &Stamp) -> Result<(), Refusal> {
        delta.as_ref().map_or(Ok(()), Summed::check_sum)
    }

    fn agrees(&self) -> Option<&dyn Agrees<u64, Self>> {
        Some(self)
    }
}

impl Agrees<u64, Self> for Summed {
    fn quorum(&self) -> u32 {
        1
    }

    fn tally(&self, votes: &[&u64]) -> Result<u64, Refusal> {
        Ok(votes.iter().copied().sum())
    }

    fn announce(&self, round: Round, votes: Vec<(String, u64)>, value: u64) -> Sum {
        (round, votes, value)
    }

    fn round(&self, state: &Option<Sum>) -> Round {
        state.as_ref().map_or(Round(0), |(round, _, _)| *round)
    }
}

/// Says which limit each number meets. One that is told to panics once, when it first meets a limit.
#[derive(Clone)]
struct Limited {
    limit: Shared<u8, u64, Summed>,
    panics: Option<Arc<AtomicBool>>,
}

impl Operator for Limited {
    type Key = u64;
    type In = u64;
    type Out = (u64, u64);
    type State = ();

    fn shared(&self) -> Vec<AnyShared> {
        vec![self.limit.any()]
    }

    fn on_record(&self, n: u64, (): &mut (), cx: &mut impl Context<Self>) {
        let limit = cx.read(&self.limit, &0);
        let panics = limit > 0 && self.panics.as_ref().is_some_and(|panics| panics.swap(false, SeqCst));
        assert!(!panics, "the first limit is met by a panic");
        let refused = cx.update(&self.limit, &0, (Round(9), vec![("me".to_owned(), 1)], 1));
        assert!(refused.is_err(), "no task sets a limit");
        cx.emit((n, limit));
    }
}

/// The name of the state.
pub(super) const LIMIT: &str = "limit";

/// Has numbers meet the limit of key 0.
pub(super) fn limited<C: Chain<Out = u64> + 'static>(
    pipeline: &Pipeline,
    numbers: Stream<C>,
    panics: Option<Arc<AtomicBool>>,
    table: Table<(u64, u64)>,
) {
    let limit = pipeline.shared(LIMIT, Summed);
    numbers.rebalance().key_by(|n| n % 16).process(Limited { limit, panics }).sink(table);
}

/// The register of a key.
pub(super) fn register(key: u8) -> Register {
    Register { state: LIMIT.to_owned(), key: vec![key] }
}

/// A proposal of small numbers, by those who vote for them.
pub(super) fn proposal(round: Option<u64>, votes: &[(&str, u8)]) -> Proposal {
    let vote = |(voter, value): &(&str, u8)| Voice { voter: (*voter).to_owned(), value: vec![*value] };
    let votes = votes.iter().map(vote).collect();
    Proposal { register: register(0), round: round.map(Round), votes, value: None }
}

/// How long a step may take.
const WITHIN: Duration = Duration::from_secs(60);

/// Runs a job whose numbers meet a limit, until what is done to it from outside is done, which must come to its end.
fn run_while<F: Future<Output = ()> + 'static>(
    panics: Option<Arc<AtomicBool>>,
    outside: impl FnOnce(JobHandle, Table<(u64, u64)>) -> F,
) -> Summary {
    let (pipeline, table) = (pipeline(), Table::new());
    let unlimited = pipeline.source(Numbers::up_to(u64::MAX)).map(|n| {
        if n % 16 == 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
        n
    });
    limited(&pipeline, unlimited, panics, table.clone());
    let (config, storage) = lasting(PoisonConfig::default());
    let ended = Arc::new(AtomicBool::new(false));
    let told = ended.clone();
    let summary = crate::run(&Rc::new(pipeline.plan().unwrap()), &config, storage, |handle| {
        let outside = actix::spawn(outside(handle.clone(), table));
        actix::spawn(async move {
            // One that panics ends the job too.
            told.store(outside.await.is_ok(), SeqCst);
            handle.cancel();
        });
    });
    let summary = summary.unwrap();
    assert!(ended.load(SeqCst), "what was done from outside has come to its end");
    summary
}

/// Waits until some number meets a limit.
async fn wait_for_limit(table: &Table<(u64, u64)>, limit: u64) {
    let met = async {
        while !table.sorted().iter().any(|(_, met)| *met == limit) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(WITHIN, met).await.unwrap_or_else(|_| panic!("no number meets {limit}"));
}

#[test]
fn what_is_set_is_read_at_once_and_met_by_the_tasks() {
    run_while(None, |job, table| async move {
        assert_eq!(job.read_register(LIMIT, &0_u8, WITHIN).await, Ok(None));
        for (round, limit) in [(1, 7_u64), (2, 5)] {
            let set = job.set_register(LIMIT, &0_u8, &limit, WITHIN).await.unwrap();
            assert_eq!((set.round, set.votes[0].voter.as_str()), (Round(round), LOCAL));
            assert_eq!(job.read_register(LIMIT, &0_u8, WITHIN).await, Ok(Some(set)));
            wait_for_limit(&table, limit).await;
        }
        assert_eq!(job.read_register(LIMIT, &1_u8, WITHIN).await, Ok(None), "each key is a register");
    });
}

/// Asks for the limit.
pub(super) fn question(state: &str, level: Level) -> Query {
    let (state, key) = (state.to_owned(), vec![0]);
    Query { level, wait: WITHIN, ..Query::new(state, key) }
}

#[test]
fn a_linearizable_question_is_answered_by_what_is_agreed_on() {
    run_while(None, |job, table| async move {
        let question = || question(LIMIT, Level::Linearizable);
        wait_for_limit(&table, 0).await;
        assert_eq!(job.query(question()).await.unwrap().value, None);
        job.set_register(LIMIT, &0_u8, &7_u64, WITHIN).await.unwrap();
        let found = job.query(question()).await.unwrap();
        assert_eq!(found.value, Some(vec![7]), "as the resolver reads it");
        // The token is one like any other.
        let causal = Query { level: Level::Causal, token: Some(found.token), ..question() };
        job.query(causal).await.unwrap();
        let unfit = job.query(Query { state: "other".to_owned(), ..question() }).await;
        assert!(matches!(unfit, Err(QueryError::Unfit { .. })), "{unfit:?}");
        let set = |delta| Update {
            state: LIMIT.to_owned(),
            key: vec![0],
            delta,
            token: None,
            durable: false,
            wait: WITHIN,
        };
        let made = job.update(set(vec![8])).await.unwrap();
        assert!(made.durable, "what is agreed on outlives roll-backs");
        assert_eq!(job.query(question()).await.unwrap().value, Some(vec![8]));
        let refused = job.update(set(vec![0x93, 9, 0x90, 0])).await;
        assert!(matches!(refused, Err(QueryError::Refused { .. })), "it is no vote: {refused:?}");
    });
}

#[test]
fn what_was_agreed_on_outlives_a_roll_back_to_before_it() {
    let panics = Arc::new(AtomicBool::new(true));
    let summary = run_while(Some(panics), |job, table| async move {
        let set = job.set_register(LIMIT, &0_u8, &9_u64, WITHIN).await.unwrap();
        // Whoever meets it first panics, and it is told to the next run.
        wait_for_limit(&table, 9).await;
        assert_eq!(job.read_register(LIMIT, &0_u8, WITHIN).await, Ok(Some(set)));
        let closed = job.agree(proposal(Some(1), &[(LOCAL, 3)]), WITHIN).await;
        assert_eq!(closed, Err(Refused::Closed { asked: Round(1), newest: Round(1) }));
    });
    assert_eq!(summary.checkpoints.restarts, 1);
}

#[test]
fn what_cannot_be_agreed_on_is_refused_with_a_reason() {
    run_while(None, |job, _| async move {
        let why = |answer: Result<_, Refused>| {
            answer.map(|found: Option<_>| found.is_some()).unwrap_err().to_string()
        };
        let read = |state: &'static str, job: JobHandle| async move {
            job.read_register(state, &0_u8, WITHIN).await
        };
        assert_eq!(
            why(read("limits", job.clone()).await),
            "the job has no shared state \"limits\"; there are: limit"
        );
        let no_key = job.read_register(LIMIT, &"zero".to_owned(), WITHIN).await;
        assert!(why(no_key).contains("a key of the shared state \"limit\" cannot be read"));
        let agree = |proposal| {
            let job = job.clone();
            async move { job.agree(proposal, WITHIN).await.map(Some) }
        };
        let stranger = why(agree(proposal(None, &[("mallory", 3)])).await);
        assert_eq!(stranger, "\"mallory\" has no vote: it is no node of the job; nodes are local");
        let twice = why(agree(proposal(None, &[(LOCAL, 3), (LOCAL, 3)])).await);
        assert_eq!(twice, "\"local\" has voted twice in one round");
        let mut wrong = proposal(None, &[(LOCAL, 3)]);
        wrong.value = Some(vec![4]);
        assert_eq!(why(agree(wrong).await), "the proposed value is not what the 1 votes come to");
        let mut broken = proposal(None, &[(LOCAL, 3)]);
        broken.votes[0].value = vec![0xc1];
        assert!(why(agree(broken).await).starts_with("a vote cannot be counted"));
        assert_eq!(
            why(agree(proposal(None, &[])).await),
            "a round has 0 votes, and 1 are needed to decide it"
        );
        assert_eq!(job.read_register(LIMIT, &0_u8, WITHIN).await, Ok(None), "nothing came of all that");
    });
}
