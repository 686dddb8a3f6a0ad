//! Credit that was never taken.

use std::sync::mpsc;
use std::task::Waker;

use actix::prelude::*;
use watershed_core::stage::TaskInfo;
use watershed_core::{KeyGroups, Lineage, Run, SubtaskId, Term, VertexId};
use watershed_protocol::checkpoint::Part;

use super::*;
use crate::config::Config;
use crate::element::Returned;
use crate::error::Cause;
use crate::message::{Failed, Hear};
use crate::participation::{Membership, Own};
use crate::storage::Storage;

/// Stands for all that a subtask talks to, and hands its reports on.
struct Others(mpsc::Sender<Report>);

impl Actor for Others {
    type Context = Context<Self>;
}

impl Handler<Report> for Others {
    type Result = ();

    fn handle(&mut self, report: Report, _: &mut Self::Context) {
        self.0.send(report).expect("the test waits for it");
    }
}

impl Handler<Hear> for Others {
    type Result = ();

    fn handle(&mut self, _: Hear, _: &mut Self::Context) {}
}

impl Handler<Fetched> for Others {
    type Result = ();

    fn handle(&mut self, _: Fetched, _: &mut Self::Context) {}
}

/// A subtask without channels.
fn station(others: &Addr<Others>) -> Station {
    let authority = Authority { term: Term(1), run: Run(1), lineage: Lineage(1) };
    let subtask = SubtaskId { vertex: VertexId(0), index: 0 };
    let info = TaskInfo {
        job: "test".to_owned(),
        lineage: Lineage(1),
        run: Run(1),
        subtask,
        parallelism: 1,
        key_groups: KeyGroups::default(),
        uids: vec!["only".to_owned()],
        outputs: Vec::new(),
        batch_records: 1,
    };
    let cx = TaskContext::new(Arc::new(info), Waker::noop().clone());
    let membership = Membership {
        authority,
        after: Epoch(0),
        base: None,
        plan: 0,
        key_groups: None,
        part: Part::default(),
        depot: Storage::none().depot,
        pauses: Arc::default(),
        shared: None,
    };
    let own = Own { hear: others.clone().recipient(), fetched: others.clone().recipient() };
    let participation = Participation::new(membership, own, others.clone().recipient(), &cx);
    let outbounds = Outbounds::new(Vec::new(), &Config::default());
    let (board, bell) = (Arc::default(), Arc::new(Bell::default()));
    let after = Duration::from_millis(1);
    Station::new(cx, outbounds, board, others.clone().recipient(), bell, after, participation, None)
}

#[test]
fn credit_that_was_never_taken_is_the_subtasks_failure_and_not_the_threads_end() {
    System::new().block_on(async {
        let (tell, told) = mpsc::channel();
        let others = Others(tell).start();
        let mut station = station(&others);
        let stray = || GiveBack { edge: 0, receiver: 0, returned: Returned::Control };
        assert!(!station.give_back(stray()));
        assert_eq!(station.phase, Phase::Stopped);
        assert!(!station.give_back(stray()), "a subtask that has failed fails once");
        tokio::task::yield_now().await;
        let reports: Vec<Report> = told.try_iter().collect();
        let [Report::Failed(Failed { failure, .. })] = &reports[..] else { panic!("one failure is told") };
        assert_eq!(failure.operator, "only");
        assert!(matches!(failure.cause, Cause::Panic { .. }));
    });
}
