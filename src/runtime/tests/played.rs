//! A coordinator alone: its crews are played by the test, and its meta store errs where it is told to.

mod stores;

use std::collections::BTreeSet;
use std::sync::atomic::Ordering::SeqCst;

use actix::prelude::*;
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use tokio::sync::{mpsc, oneshot};
use watershed_core::SubtaskId;
use watershed_core::checkpoint::{Agreement, Change, Meta};
use watershed_protocol::checkpoint::{Authority, CoordinatorEvent};
use watershed_protocol::placement::Offer;
use watershed_state::MetaStore;

use super::agree::{limited, proposal};
use super::poison::{Table, lasting};
use super::*;
use crate::PoisonConfig;
use crate::agree::Refused;
use crate::board::Board;
use crate::coordinator::{Agree, Coordinator, LookAt, NodeLost, Site};
use crate::crew::{Assignment, CrewLine, Hindrance};
use crate::message::{Report, Stop, Word};
use stores::{Fate, Wayward};

/// How long anything may take that is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// A crew that the test plays.
struct Played {
    heard: mpsc::UnboundedSender<Heard>,
}

/// What a crew hears.
enum Heard {
    Deploy(Deploy),
    Agreed(Vec<Agreement>),
}

/// A crew is to begin its part of a run.
struct Deploy {
    assignment: Assignment,
    coordinator: Recipient<Report>,
    answer: oneshot::Sender<Result<(), Hindrance>>,
}

impl Deploy {
    /// Does all that is asked.
    fn restore(self) -> Assignment {
        let Deploy { assignment, coordinator, answer } = self;
        answer.send(Ok(())).unwrap();
        for &subtask in assignment.duties.keys() {
            let authority = assignment.authority;
            coordinator.do_send(Report::Tell(CoordinatorEvent::Restored { authority, subtask }));
        }
        assignment
    }
}

impl CrewLine for Played {
    fn deploy(
        &self,
        assignment: Assignment,
        coordinator: Recipient<Report>,
    ) -> LocalBoxFuture<'static, Result<(), Hindrance>> {
        let (answer, answered) = oneshot::channel();
        let _ = self.heard.send(Heard::Deploy(Deploy { assignment, coordinator, answer }));
        async move { answered.await.unwrap_or_else(|_| Err(Hindrance::passing("nobody plays it"))) }
            .boxed_local()
    }

    fn pass(&self, _: Authority, _: SubtaskId, _: Word) {}

    fn complete(&self, _: Authority, _: Epoch) {}

    fn agreed(&self, _: Authority, agreements: Vec<Agreement>) {
        let _ = self.heard.send(Heard::Agreed(agreements));
    }

    fn dismiss(&self, _: Vec<SubtaskId>, _: Stop) -> LocalBoxFuture<'static, ()> {
        std::future::ready(()).boxed_local()
    }
}

/// A coordinator, and what its two crews hear, on nodes `a` and `b`.
struct Stage {
    coordinator: Addr<Coordinator>,
    heard: mpsc::UnboundedReceiver<Heard>,
    over: oneshot::Receiver<Result<JobEnd, JobError>>,
}

impl Stage {
    fn begin(pipeline: &Pipeline, meta: Arc<dyn MetaStore>) -> Stage {
        let plan = Rc::new(pipeline.plan().unwrap());
        let (config, storage) = lasting(PoisonConfig::default());
        let (config, storage) =
            (Config { parallelism: 2, arbiters: 2, ..config }, Storage { meta, ..storage });
        let (heard, hears) = mpsc::unbounded_channel();
        let offer = Offer { slots: 1, busy_percent: 0, leaves: false };
        let site = |node: &str| {
            let line = Arc::new(Played { heard: heard.clone() });
            Site { node: node.to_owned(), offer, line }
        };
        let board = Arc::new(Board::new(&plan, 2));
        let (over, ended) = oneshot::channel();
        let coordinator = Coordinator::new(plan, &config, storage, &board, vec![site("a"), site("b")], over);
        Stage { coordinator: coordinator.unwrap().start(), heard: hears, over: ended }
    }

    async fn hear(&mut self) -> Heard {
        let heard = tokio::time::timeout(PATIENCE, self.heard.recv()).await;
        heard.expect("a crew hears something").expect("the coordinator lives")
    }

    /// What both crews are to do in the next run.
    async fn deployed(&mut self) -> [Deploy; 2] {
        let mut deploys = Vec::new();
        while deploys.len() < 2 {
            if let Heard::Deploy(deploy) = self.hear().await {
                deploys.push(deploy);
            }
        }
        deploys.try_into().unwrap_or_else(|_| unreachable!("there are two"))
    }

    /// What a site of the run is told next that was agreed on.
    async fn told(&mut self) -> Vec<u8> {
        loop {
            if let Heard::Agreed(agreements) = self.hear().await {
                return agreements.into_iter().map(|agreement| agreement.value[0]).collect();
            }
        }
    }

    async fn agree(&self, value: u8, within: Duration) -> Result<Agreement, Refused> {
        let agree = Agree { proposal: proposal(None, &[("a", value)]), within };
        self.coordinator.send(agree).await.unwrap()
    }

    fn lose(&self, node: &str) {
        self.coordinator.do_send(NodeLost { node: node.to_owned(), reason: "it is gone".to_owned() });
    }
}

fn play(test: impl AsyncFnOnce()) {
    System::new().block_on(test());
}

fn numbers() -> Pipeline {
    let pipeline = pipeline();
    pipeline.source(Numbers::up_to(u64::MAX)).rebalance().discard();
    pipeline
}

fn agreeing() -> Pipeline {
    let pipeline = pipeline();
    limited(&pipeline, pipeline.source(Numbers::up_to(u64::MAX)), None, Table::new());
    pipeline
}

#[test]
fn a_job_whose_store_breaks_while_nobody_works_for_it_ends() {
    play(async || {
        for change in [Change::Lead, Change::BeginRun] {
            let asked = change.clone();
            let fate = move |change: &Change| if *change == asked { Fate::Broken } else { Fate::Done };
            let stage = Stage::begin(&numbers(), Arc::new(Wayward::new(fate)));
            let end = tokio::time::timeout(PATIENCE, stage.over).await;
            let error = end.expect("it ends").unwrap().unwrap_err();
            assert!(matches!(error, JobError::Stopped { .. }), "{change:?}: {error}");
        }
    });
}

#[test]
fn a_run_whose_begin_was_done_and_then_refused_knows_how_the_job_was_set_back() {
    play(async || {
        let fate = |change: &Change| if *change == Change::BeginRun { Fate::Repeated } else { Fate::Done };
        let mut stage = Stage::begin(&numbers(), Arc::new(Wayward::new(fate)));
        for run in [1, 2] {
            let assignments = stage.deployed().await.map(Deploy::restore);
            for assignment in assignments {
                let last = assignment.roll_backs.last().map(|record| record.run.0);
                assert_eq!(last, Some(run), "of run {:?}", assignment.authority);
            }
            stage.lose("b");
        }
    });
}

#[test]
fn a_node_that_is_lost_while_its_run_is_stopped_is_not_charged_to_the_next_run() {
    play(async || {
        let mut stage = Stage::begin(&numbers(), Arc::new(Wayward::new(|_| Fate::Done)));
        // The crews have not begun yet when both nodes are lost: the run waits for their answers to be stopped.
        let deploys = stage.deployed().await;
        stage.lose("a");
        let began = async {
            while stage.coordinator.send(LookAt).await.unwrap().authority.is_none_or(|now| now.run.0 < 2) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, began).await.expect("the second run is to begin");
        stage.lose("b");
        for deploy in deploys {
            assert_eq!(deploy.assignment.authority.run.0, 1);
            deploy.answer.send(Ok(())).unwrap();
        }
        let runs: BTreeSet<u32> =
            stage.deployed().await.map(|deploy| deploy.assignment.authority.run.0).into();
        assert_eq!(runs, BTreeSet::from([2]), "the second run is not lost before it has begun");
    });
}

#[test]
fn a_run_is_told_what_was_agreed_on_also_where_the_store_does_not_answer_at_first() {
    play(async || {
        let store = Arc::new(Wayward::new(|_| Fate::Done));
        let mut stage = Stage::begin(&agreeing(), store.clone());
        let deploys = stage.deployed().await;
        stage.agree(3, PATIENCE).await.unwrap();
        assert_eq!(stage.told().await, [3]);
        // The run has not begun: it is told again when it does.
        store.unread.store(2, SeqCst);
        deploys.into_iter().for_each(|deploy| drop(deploy.restore()));
        assert_eq!(stage.told().await, [3]);
        assert_eq!(store.unread.load(SeqCst), 0);
    });
}

#[test]
fn what_was_agreed_on_in_doubt_is_told_when_it_has_come_about() {
    play(async || {
        let fate =
            |change: &Change| if matches!(change, Change::Agree(_)) { Fate::Adrift } else { Fate::Done };
        let store = Arc::new(Wayward::new(fate));
        let mut stage = Stage::begin(&agreeing(), store.clone());
        stage.deployed().await.into_iter().for_each(|deploy| drop(deploy.restore()));
        // Nobody hears of its end, however long it is waited for.
        let refused = stage.agree(3, Duration::from_millis(100)).await.unwrap_err();
        assert!(matches!(refused, Refused::Unknown(_)), "{refused}");
        store.land().await;
        assert_eq!(stage.told().await, [3]);
    });
}
