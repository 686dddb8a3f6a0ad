//! How a reign begins, and who may not begin one.

use super::*;

#[test]
fn takes_the_reign_then_begins_a_run_and_restores_everybody() {
    let mut bench = Bench::new(config());
    assert_eq!(bench.campaign(None), [swap(0, 0, Change::Lead)]);
    assert_eq!(bench.swap(), [swap(1, 0, Change::BeginRun)]);
    assert_eq!(
        bench.swap(),
        [restore(1, SOURCE, 0, None, Part::default()), restore(1, SINK, 0, None, Part::default())]
    );
    assert_eq!(bench.feed(restored(1, 1, SINK)), []);
    let running = Report::Running { authority: authority(1, 1), base: None };
    assert_eq!(
        bench.feed(restored(1, 1, SOURCE)),
        [start(1, SOURCE), start(1, SINK), Effect::Report(running)]
    );
    assert_eq!(bench.refused(restored(1, 1, SINK)), Outcome::Duplicate);
}

#[test]
fn a_rival_that_is_faster_wins_the_reign() {
    let mut bench = Bench::new(config());
    bench.campaign(None);
    let rival = Meta { term: Term(1), ..Meta::default() };
    assert_eq!(bench.answer(Swapped::Refused(rival)), [Effect::Report(Report::Following)]);
    assert_eq!(bench.coordinator.authority(), None);
}

#[test]
fn a_reign_that_may_have_begun_is_nobodys() {
    let mut bench = Bench::new(config());
    bench.campaign(None);
    let answer = bench.perform();
    assert_eq!(bench.answer(Swapped::Unknown), [Effect::ReadMeta]);
    assert_eq!(bench.refused(answer), Outcome::Stale);
    // Term 1 is there, but a rival could have begun it.
    assert_eq!(bench.feed(Event::MetaRead(bench.meta.clone())), [Effect::Report(Report::Following)]);
    assert_eq!(bench.campaign(None), [swap(1, 0, Change::Lead)]);
}

#[test]
fn a_fence_that_was_done_is_believed_and_one_that_was_not_repeated_after_a_pause() {
    let mut bench = Bench::new(config());
    bench.campaign(None);
    bench.swap();
    bench.answer(Swapped::Unknown);
    assert_eq!(bench.feed(Event::MetaUnread), []);
    assert_eq!(bench.wait(), [Effect::ReadMeta]);
    assert_eq!(bench.feed(Event::MetaRead(bench.meta.clone())), []);
    assert_eq!(bench.wait(), [swap(1, 0, Change::BeginRun)]);
    assert_eq!(bench.now, 1000);
    bench.perform();
    bench.answer(Swapped::Unknown);
    let effects = bench.feed(Event::MetaRead(bench.meta.clone()));
    assert_eq!(effects[0], restore(1, SOURCE, 0, None, Part::default()));
}

#[test]
fn a_job_that_has_finished_is_not_begun_again() {
    let mut bench = Bench::new(config());
    bench.meta = Meta { finished: true, completed: Some(pointer(3)), ..Meta::default() };
    assert_eq!(bench.campaign(None), [Effect::Report(Report::Over(Over::Finished))]);
    assert_eq!(bench.campaign_again(), Outcome::Stale);
}

impl Bench {
    fn campaign_again(&mut self) -> Outcome {
        let meta = self.meta.clone();
        self.refused(Event::Campaign { meta, fork: None })
    }
}

#[test]
fn an_answer_to_an_equal_question_in_an_older_name_is_not_taken_for_ours() {
    let mut bench = Bench::new(config());
    bench.campaign(None);
    bench.swap();
    let late = bench.perform();
    bench.feed(Event::Deposed);
    bench.campaign(None);
    assert_eq!(bench.swap(), [swap(2, 1, Change::BeginRun)]);
    assert_eq!(bench.refused(late), Outcome::Stale);
    bench.swap();
    assert_eq!(bench.coordinator.authority(), Some(authority(2, 2)));
}

#[test]
fn a_deposed_coordinator_ends_its_run_and_follows() {
    let mut bench = Bench::running(config());
    bench.feed(request(Wish::Savepoint));
    let reason = "another coordinator leads the job: ask it".to_owned();
    let answer = Answer::Refused { wish: Wish::Savepoint, reason };
    assert_eq!(
        bench.feed(Event::Deposed),
        [
            end_run(1, EndReason::Deposed, None),
            Effect::Answer { request: RequestId(7), answer },
            Effect::Report(Report::Following)
        ]
    );
    assert_eq!(bench.coordinator.deadline(), None);
}
