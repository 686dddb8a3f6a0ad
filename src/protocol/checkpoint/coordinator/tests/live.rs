//! What goes on once nothing is broken any more.

use super::*;

/// Something that goes wrong for a while.
type Fault = fn(&mut Bench);

fn declines(bench: &mut Bench) {
    let epoch = Epoch(bench.trigger());
    let reason = "the disk is full".to_owned();
    bench.feed(Event::Declined { authority: authority(1, 1), epoch, subtask: SINK, reason });
}

fn says_nothing(bench: &mut Bench) {
    bench.trigger();
    bench.wait();
}

fn loses_the_manifest(bench: &mut Bench) {
    let epoch = bench.trigger();
    bench.vote(epoch, 6, &[epoch]);
    bench.feed(Event::ManifestFailed { epoch: Epoch(epoch), reason: "no space".to_owned() });
}

fn refuses_the_decision(bench: &mut Bench) {
    let epoch = bench.trigger();
    bench.vote(epoch, 6, &[epoch]);
    bench.written(epoch);
    bench.answer(Swapped::Failed);
}

fn leaves_in_doubt(bench: &mut Bench) {
    let epoch = bench.trigger();
    bench.vote(epoch, 6, &[epoch]);
    bench.written(epoch);
    bench.answer(Swapped::Unknown);
    bench.feed(Event::MetaUnread);
    bench.wait();
    bench.feed(Event::MetaRead(bench.meta.clone()));
}

fn loses_a_subtask(bench: &mut Bench) {
    bench.feed(lost(1, false));
    bench.swap();
    let votes = vec![source_vote(5), sink_vote(5, vec![staged(1, 1)])];
    bench.feed(Event::Loaded(manifest(1, 1, None, votes)));
    bench.feed(restored(1, 2, SOURCE));
    bench.feed(restored(1, 2, SINK));
}

#[test]
fn d12_decisions_go_on_once_the_faults_are_over() {
    let faults: [(Fault, u32); 6] = [
        (declines, 3),
        (says_nothing, 3),
        (loses_the_manifest, 2),
        (refuses_the_decision, 3),
        (leaves_in_doubt, 3),
        (loses_a_subtask, 1),
    ];
    for (number, (fault, times)) in faults.into_iter().enumerate() {
        let mut bench = Bench::running(config());
        let (before, _) = bench.decide(5, &[]);
        bench.feed(committed(1, before));
        (0..times).for_each(|_| fault(&mut bench));
        let healed = bench.now;
        let (after, effects) = bench.decide(7, &[]);
        assert!(after > before, "fault {number}");
        assert_eq!(bench.meta.completed, Some(pointer(after)), "fault {number}");
        assert!(
            effects.contains(&Effect::Report(Report::Completed(pointer(after)))),
            "fault {number}: {effects:?}"
        );
        // The longest pause that a few failures lead to.
        assert!(
            bench.now - healed <= 60_000,
            "fault {number} holds the next one back for {}",
            bench.now - healed
        );
    }
}

#[test]
fn a_job_whose_store_breaks_ends_also_where_nothing_runs() {
    let broken = || Event::Broken { reason: "a sync failed".to_owned() };
    let over = || Effect::Report(Report::Over(Over::Failed { reason: "a sync failed".to_owned() }));
    let mut bench = Bench::new(config());
    assert_eq!(bench.refused(broken()), Outcome::Stale);
    bench.campaign(None);
    assert_eq!(bench.feed(broken()), [over()]);
    let mut bench = Bench::new(config());
    bench.campaign(None);
    bench.swap();
    assert_eq!(bench.feed(broken()), [over()]);
    assert_eq!(bench.refused(broken()), Outcome::Stale);
    // A decision under way may be there when the next process reads, so that nothing is taken back.
    let mut bench = Bench::running(config());
    let epoch = bench.trigger();
    bench.vote(epoch, 5, &[epoch]);
    bench.written(epoch);
    let reason = EndReason::Lost { subtask: None, reason: "a sync failed".to_owned() };
    assert_eq!(bench.feed(broken()), [end_run(1, reason, None), over()]);
}
