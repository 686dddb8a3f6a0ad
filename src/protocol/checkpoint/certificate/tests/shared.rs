//! Lies about shared state: each one by itself, and very many by chance.

use watershed_core::causal::{Dot, Lane, VectorClock};
use watershed_core::checkpoint::{SharedBase, SharedCut, SharedLog, SiteShare};
use watershed_core::{Counter, Site, SubtaskId};

use super::*;
use crate::checkpoint::small_job::object;

const RUN: u32 = 3;
const BASE: u64 = 5;
const EPOCH: u64 = 7;
/// The subtask that speaks for site 0, and the one that speaks for site 1.
const FIRST: SubtaskId = SINK;
const SECOND: SubtaskId = SubtaskId { vertex: SINK.vertex, index: 1 };

fn lane(site: u16, epoch: u64) -> Lane {
    Lane { run: Run(RUN), epoch: Epoch(epoch), site: Site(site) }
}

fn clock<const N: usize>(entries: [(Lane, u64); N]) -> VectorClock {
    entries.into_iter().map(|(lane, counter)| Dot { lane, counter: Counter(counter) }).collect()
}

fn log(epoch: u64, updates: u64) -> SharedLog {
    SharedLog { epoch: Epoch(epoch), object: object("log"), updates }
}

fn base(epoch: u64) -> Option<SharedBase> {
    Some(SharedBase { epoch: Epoch(epoch), object: object("base") })
}

/// The source and the first sink live on site 0, the second sink on site 1. Checkpoint 6 was given up, and whoever
/// joined it went on in epoch 7. Site 1 does not know yet that checkpoint 5 is complete.
fn honest_shares() -> Vec<Vote> {
    let (ours, theirs) = ([(lane(0, 6), 2), (lane(0, 7), 3)], [(lane(1, 7), 4)]);
    let of_first = SiteShare {
        finals: clock(ours),
        deps: clock([(lane(0, 7), 2), (lane(1, 7), 4)]),
        base: base(2),
        logs: vec![log(4, 1), log(5, 9), log(7, 5)],
    };
    let of_second = SiteShare {
        finals: clock(theirs),
        deps: clock([(lane(0, 5), 8), (lane(0, 6), 1)]),
        base: None,
        logs: vec![log(5, 1), log(5, 2), log(7, 4)],
    };
    let cut = |site, session, share| Some(Box::new(SharedCut { site: Site(site), session, share }));
    let source = Vote { shared: cut(0, clock([(lane(0, 7), 3), (lane(1, 7), 1)]), None), ..source_vote(5) };
    let session = clock([(lane(0, 6), 2), (lane(1, 7), 4)]);
    let first = Vote { shared: cut(0, session, Some(of_first)), ..sink_vote(5, Vec::new()) };
    let session = clock([(lane(0, 5), 8), (lane(1, 7), 4)]);
    let (subtask, received) = (SECOND, Vec::new());
    let shared = cut(1, session, Some(of_second));
    let second = Vote { subtask, received, shared, ..sink_vote(0, Vec::new()) };
    vec![source, first, second]
}

fn proved(votes: &[Vote]) -> Result<(), Violation> {
    certify_manifest(&manifest(RUN, EPOCH, Some(BASE), votes.to_vec()), None)
}

/// What is found where `lie` has changed the honest votes.
#[track_caller]
fn told(lie: impl FnOnce(&mut Vec<Vote>)) -> Violation {
    let mut votes = honest_shares();
    lie(&mut votes);
    proved(&votes).expect_err("it is a lie")
}

fn cut_of(votes: &mut [Vote], index: usize) -> &mut SharedCut {
    votes[index].shared.as_mut().expect("all of them tell")
}

/// The share of a site, which its sink tells.
fn share(votes: &mut [Vote], site: usize) -> &mut SiteShare {
    cut_of(votes, site + 1).share.as_mut().expect("the sinks speak for their sites")
}

fn raise(clock: &mut VectorClock, lane: Lane, counter: u64) {
    clock.see(Dot { lane, counter: Counter(counter) });
}

#[test]
fn honest_shares_are_a_consistent_cut_and_so_is_a_job_without_any() {
    assert_eq!(proved(&honest_shares()), Ok(()));
    let mut without = honest_shares();
    without.iter_mut().for_each(|vote| vote.shared = None);
    assert_eq!(proved(&without), Ok(()));
}

#[test]
fn nobody_has_seen_what_is_not_in_the_cut() {
    let (subtask, mention) = (SOURCE, Mention::Seen);
    let orphan = |lane, counter, last| {
        let violation = told(|votes| raise(&mut cut_of(votes, 0).session, lane, counter));
        let (dot, last) = (Dot { lane, counter: Counter(counter) }, Counter(last));
        assert_eq!(violation, Violation::Orphan { subtask, mention, dot, last });
        assert_eq!(violation.rule(), Rule::Causality);
        violation.to_string()
    };
    assert_eq!(
        orphan(lane(1, 7), 5, 4),
        "subtask 0.0 has seen update 5 of site 1 in epoch 7 of run 3, and the checkpoint ends that lane with update 4"
    );
    orphan(lane(1, 6), 1, 0);
    orphan(lane(2, 7), 1, 0);
    let beyond = lane(0, 8);
    let violation = told(|votes| raise(&mut cut_of(votes, 0).session, beyond, 1));
    assert_eq!(violation, Violation::Beyond { subtask, mention, lane: beyond, epoch: Epoch(EPOCH) });
    let of_other_run = Lane { run: Run(2), ..lane(0, 4) };
    let violation = told(|votes| raise(&mut cut_of(votes, 0).session, of_other_run, 1));
    assert_eq!(violation, Violation::OtherRun { subtask, mention, lane: of_other_run, run: Run(RUN) });
}

#[test]
fn what_an_older_complete_checkpoint_holds_need_not_be_named_again() {
    let mut votes = honest_shares();
    raise(&mut cut_of(&mut votes, 0).session, lane(1, BASE), 1_000);
    assert_eq!(proved(&votes), Ok(()));
    // Without that checkpoint it is an orphan.
    let without = manifest(RUN, EPOCH, None, votes);
    assert!(matches!(certify_manifest(&without, None), Err(Violation::Orphan { .. })));
    // Where its end is told all the same, it is believed.
    let mut votes = honest_shares();
    let both = |votes: &mut Vec<Vote>, seen| {
        raise(&mut share(votes, 1).finals, lane(1, BASE), 3);
        share(votes, 1).logs[2].updates = 7;
        raise(&mut cut_of(votes, 0).session, lane(1, BASE), seen);
    };
    both(&mut votes, 3);
    assert_eq!(proved(&votes), Ok(()));
    assert!(matches!(told(|votes| both(votes, 4)), Violation::Orphan { last: Counter(3), .. }));
}

#[test]
fn no_update_in_the_cut_depends_on_one_that_is_not() {
    let (subtask, mention) = (SECOND, Mention::Needed);
    let dot = Dot { lane: lane(0, 7), counter: Counter(4) };
    let violation = told(|votes| share(votes, 1).deps.see(dot));
    assert_eq!(violation, Violation::Orphan { subtask, mention, dot, last: Counter(3) });
    assert_eq!(violation.rule(), Rule::SharedState);
    let violation = told(|votes| raise(&mut share(votes, 1).deps, lane(0, 8), 1));
    assert_eq!(violation, Violation::Beyond { subtask, mention, lane: lane(0, 8), epoch: Epoch(EPOCH) });
    let undone = Lane { run: Run(2), ..lane(0, 4) };
    let violation = told(|votes| raise(&mut share(votes, 1).deps, undone, 1));
    assert_eq!(violation, Violation::OtherRun { subtask, mention, lane: undone, run: Run(RUN) });
}

#[test]
fn every_site_that_has_subtasks_tells_once_and_every_subtask_tells() {
    assert_eq!(told(|votes| votes[0].shared = None), Violation::NothingShared(SOURCE));
    let missing = Violation::ShareMissing { site: Site(1), subtask: SECOND };
    assert_eq!(told(|votes| cut_of(votes, 2).share = None), missing);
    let twice = |votes: &mut Vec<Vote>| {
        let share = cut_of(votes, 1).share.clone();
        cut_of(votes, 0).share = share;
    };
    assert_eq!(told(twice), Violation::ShareTwice { site: Site(0), subtasks: (SOURCE, FIRST) });
    let elsewhere = Violation::ShareMissing { site: Site(2), subtask: SOURCE };
    assert_eq!(told(|votes| cut_of(votes, 0).site = Site(2)), elsewhere);
}

#[test]
fn a_site_closes_its_own_lanes_of_this_run_up_to_this_epoch() {
    let (subtask, mention) = (SECOND, Mention::Closed);
    let violation = told(|votes| raise(&mut share(votes, 1).finals, lane(0, 7), 1));
    assert_eq!(violation, Violation::NotOwn { subtask, site: Site(1), lane: lane(0, 7) });
    let violation = told(|votes| raise(&mut share(votes, 1).finals, lane(1, 8), 1));
    assert_eq!(violation, Violation::Beyond { subtask, mention, lane: lane(1, 8), epoch: Epoch(EPOCH) });
    let older = Lane { run: Run(2), ..lane(1, 7) };
    let violation = told(|votes| raise(&mut share(votes, 1).finals, older, 1));
    assert_eq!(violation, Violation::OtherRun { subtask, mention, lane: older, run: Run(RUN) });
}

#[test]
fn what_is_restored_lies_in_order_and_not_beyond_the_cut() {
    let (site, epoch) = (Site(0), Epoch(EPOCH));
    let violation = told(|votes| share(votes, 0).base = base(8));
    assert_eq!(violation, Violation::BaseBeyond { site, found: Epoch(8), epoch });
    let outside = |number: usize, found, before: u64| {
        let violation = told(|votes| share(votes, 0).logs[number].epoch = Epoch(found));
        let before = Some(Epoch(before));
        assert_eq!(violation, Violation::LogOutside { site, found: Epoch(found), before, epoch });
    };
    outside(0, 2, 2);
    outside(1, 3, 4);
    outside(2, 8, 5);
    let violation = told(|votes| share(votes, 1).logs[0].epoch = Epoch(9));
    let expected =
        "site 1 is restored from a log of epoch 9, which does not lie behind the beginning and up to epoch 7";
    assert_eq!(violation.to_string(), expected);
}

#[test]
fn all_updates_that_were_made_are_saved() {
    let (site, made) = (Site(0), 5);
    let unsaved = |saved, lie: fn(&mut Vec<Vote>)| {
        assert_eq!(told(lie), Violation::Unsaved { site, made, saved });
    };
    unsaved(4, |votes| share(votes, 0).logs[2].updates = 4);
    unsaved(6, |votes| share(votes, 0).logs[2].updates = 6);
    unsaved(0, |votes| drop(share(votes, 0).logs.pop()));
    // A base of this very epoch holds them all.
    let mut votes = honest_shares();
    share(&mut votes, 0).logs.clear();
    share(&mut votes, 0).base = base(EPOCH);
    assert_eq!(proved(&votes), Ok(()));
    // A hostile figure does not wrap around to the right one.
    let wrapped = |votes: &mut Vec<Vote>| share(votes, 0).logs.extend([log(7, u64::MAX), log(7, 1)]);
    assert!(matches!(told(wrapped), Violation::Unsaved { saved: u64::MAX, .. }));
}

#[test]
fn each_rule_tells_what_it_has_checked_and_which_one_is_broken() {
    let honest = manifest(RUN, EPOCH, Some(BASE), honest_shares());
    let lines = |manifest: &Manifest| -> Vec<String> {
        let line = |Finding { rule, found }: Finding| match found {
            Ok(checked) => format!("{rule}: {checked}"),
            Err(violation) => format!("{rule}: {violation}"),
        };
        examine(manifest, None).into_iter().map(line).collect()
    };
    assert_eq!(
        lines(&honest),
        [
            "K1 channels: 1 channel",
            "K2 causality: 3 subtasks, 3 lanes",
            "K3 shared state: 2 sites, 3 lanes, 9 updates",
            "K4 identity: 3 subtasks, 0 key groups",
            "K5 sources: 1 split",
        ]
    );
    let mut broken = honest.clone();
    raise(&mut cut_of(&mut broken.votes, 0).session, lane(1, 7), 5);
    let found = examine(&broken, None);
    assert!(found.iter().all(|finding| finding.found.is_err() == (finding.rule == Rule::Causality)));
    let told = &lines(&broken)[1];
    assert!(
        told.starts_with("K2 causality: subtask ") && told.contains(" of site 1 in epoch 7 of run "),
        "{told}"
    );
    let mut without = honest.clone();
    without.votes.iter_mut().for_each(|vote| vote.shared = None);
    assert_eq!(
        lines(&without)[1..3],
        ["K2 causality: nothing to check", "K3 shared state: nothing to check"]
    );
}

/// A sequence of numbers that looks random and is the same each time (splitmix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}

/// A dot that is not in the cut, for one of four reasons.
fn outside(dice: &mut Dice) -> Dot {
    let by = 1 + dice.below(1 << 40);
    let site = dice.below(2) as u16;
    let (lane, counter) = match dice.below(4) {
        0 => [(lane(0, 6), 2 + by), (lane(0, 7), 3 + by), (lane(1, 7), 4 + by)][dice.below(3) as usize],
        1 => (lane(site, EPOCH + by), by),
        2 => (Lane { run: Run([1, 2, 4][dice.below(3) as usize]), ..lane(site, 6) }, by),
        _ => ([lane(1, 6), lane(2, 7)][dice.below(2) as usize], by),
    };
    Dot { lane, counter: Counter(counter) }
}

/// Changes one thing that a vote tells, so that it is no longer true of a consistent cut.
fn corrupt(votes: &mut [Vote], dice: &mut Dice) {
    let (index, site) = (dice.below(3) as usize, dice.below(2) as usize);
    let by = 1 + dice.below(1 << 40);
    let finals = |share: &SiteShare, skip: usize| -> VectorClock {
        share.finals.dots().enumerate().filter(|(number, _)| *number != skip).map(|(_, dot)| dot).collect()
    };
    match dice.below(12) {
        0 => cut_of(votes, index).session.see(outside(dice)),
        1 => share(votes, site).deps.see(outside(dice)),
        2 => share(votes, site).finals.see(outside(dice)),
        3 => {
            let skip = dice.below(2 - site as u64) as usize;
            let left = finals(share(votes, site), skip);
            share(votes, site).finals = left;
        }
        4 => votes[index].shared = None,
        5 => cut_of(votes, site + 1).share = None,
        6 => cut_of(votes, 0).share = Some(SiteShare::default()),
        7 => cut_of(votes, index).site = Site(2 + dice.below(1000) as u16),
        8 => share(votes, site).base = base(EPOCH + by),
        9 => drop(share(votes, site).logs.pop()),
        10 => share(votes, site).logs[2].updates += by,
        _ => {
            let logs = &mut share(votes, site).logs;
            let number = dice.below(logs.len() as u64) as usize;
            logs[number].epoch = Epoch(EPOCH + by);
        }
    }
}

#[test]
fn whatever_is_corrupted_is_found() {
    let mut rules = std::collections::BTreeMap::new();
    for seed in 0..5_000 {
        let mut votes = honest_shares();
        corrupt(&mut votes, &mut Dice(seed));
        let violation = proved(&votes).expect_err(&format!("seed {seed}: {votes:#?}"));
        *rules.entry(violation.rule()).or_insert(0) += 1;
    }
    assert_eq!(rules.len(), 2, "both rules find something: {rules:?}");
}
