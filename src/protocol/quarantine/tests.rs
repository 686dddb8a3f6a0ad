//! Panics as they come, and what follows.

use super::*;

const MAP: VertexId = VertexId(1);
const SINK: VertexId = VertexId(2);

fn quarantine(max_attempts: u32, quarantine_max: u32) -> Quarantine {
    let config = PoisonConfig { policy: PoisonPolicy::Quarantine, max_attempts, quarantine_max };
    Quarantine::new(config, BTreeSet::from([MAP]))
}

fn culprit(time: i64, bytes: &str) -> Culprit {
    let time = Some(EventTime::from_millis(time));
    Culprit { time, bytes: bytes.as_bytes().into(), stage: 0, reason: "cannot bear it".to_owned() }
}

/// A vertex panics with a record at hand, behind no barrier.
fn strike(quarantine: &mut Quarantine, vertex: VertexId, time: i64, bytes: &str) -> Verdict {
    quarantine.panicked(Panicked { vertex, barriers: 0, culprit: Some(culprit(time, bytes)) })
}

/// What a vertex leaves out: time, times.
fn left_out(quarantine: &Quarantine, vertex: VertexId) -> Vec<(Option<EventTime>, u32)> {
    let order = quarantine.care(vertex);
    order
        .map_or(Vec::new(), |order| order.leave_out.iter().map(|one| (one.culprit.time, one.times)).collect())
}

#[test]
fn the_first_panic_accuses_nobody_and_makes_its_vertex_careful_for_longer_than_it_took() {
    let mut quarantine = quarantine(3, 10);
    assert_eq!(quarantine.care(MAP), None);
    let panicked = |barriers| Panicked { vertex: MAP, barriers, culprit: None };
    assert_eq!(quarantine.panicked(panicked(0)), Verdict::Unknown);
    assert_eq!(quarantine.care(MAP).unwrap().barriers, 16);
    assert_eq!(quarantine.panicked(panicked(17)), Verdict::Unknown);
    assert_eq!(quarantine.care(MAP).unwrap().barriers, 50);
    assert_eq!(quarantine.panicked(panicked(u32::MAX)), Verdict::Unknown);
    assert_eq!(quarantine.care(MAP).unwrap().barriers, u32::MAX);
    assert_eq!(quarantine.care(SINK), None);
}

#[test]
fn a_record_is_left_out_after_so_many_strikes_until_a_checkpoint_passes_it() {
    let mut quarantine = quarantine(3, 10);
    assert_eq!(strike(&mut quarantine, MAP, 5, "a"), Verdict::Struck { attempts: 1, excused: true });
    assert_eq!(strike(&mut quarantine, MAP, 6, "b"), Verdict::Struck { attempts: 1, excused: true });
    assert_eq!(strike(&mut quarantine, MAP, 5, "a"), Verdict::Struck { attempts: 2, excused: true });
    assert_eq!(left_out(&quarantine, MAP), []);
    assert_eq!(strike(&mut quarantine, MAP, 5, "a"), Verdict::SetAside { attempts: 3 });
    let a = [(Some(EventTime::from_millis(5)), 1)];
    assert_eq!(left_out(&quarantine, MAP), a);
    quarantine.begin_run();
    quarantine.left_out(Epoch(7), 1, 1);
    quarantine.completed(Epoch(6));
    assert_eq!(left_out(&quarantine, MAP), a, "no checkpoint has passed it");
    quarantine.begin_run();
    quarantine.completed(Epoch(8));
    assert_eq!(left_out(&quarantine, MAP), a, "the run that left it out has gone");
    quarantine.left_out(Epoch(9), 1, 1);
    quarantine.completed(Epoch(9));
    assert_eq!(left_out(&quarantine, MAP), []);
    assert_eq!(strike(&mut quarantine, MAP, 6, "b"), Verdict::Struck { attempts: 2, excused: true });
}

#[test]
fn strikes_outlast_checkpoints_until_the_vertex_has_outlived_its_care() {
    let mut quarantine = quarantine(3, 10);
    strike(&mut quarantine, MAP, 5, "a");
    (1..16).for_each(|epoch| quarantine.completed(Epoch(epoch)));
    assert_eq!(strike(&mut quarantine, MAP, 5, "a"), Verdict::Struck { attempts: 2, excused: true });
    quarantine.begin_run();
    (16..32).for_each(|epoch| quarantine.completed(Epoch(epoch)));
    assert_eq!(quarantine.care(MAP), None);
    assert_eq!(strike(&mut quarantine, MAP, 5, "a"), Verdict::Struck { attempts: 1, excused: true });
}

#[test]
fn equal_records_are_left_out_as_often_as_they_were_struck() {
    let mut quarantine = quarantine(2, 10);
    for _ in 0..2 {
        strike(&mut quarantine, MAP, 5, "a");
        assert_eq!(strike(&mut quarantine, MAP, 5, "a"), Verdict::SetAside { attempts: 2 });
    }
    assert_eq!(left_out(&quarantine, MAP), [(Some(EventTime::from_millis(5)), 2)]);
    // One more of the same bytes, at another time.
    quarantine.begin_run();
    quarantine.left_out(Epoch(1), 1, 2);
    assert_eq!(strike(&mut quarantine, MAP, 6, "a"), Verdict::Struck { attempts: 1, excused: true });
    assert_eq!(left_out(&quarantine, MAP), [(Some(EventTime::from_millis(5)), 2)]);
}

#[test]
fn a_record_that_never_comes_again_at_its_time_is_known_by_its_bytes() {
    let mut patient = quarantine(3, 10);
    strike(&mut patient, MAP, 5, "a");
    assert_eq!(strike(&mut patient, MAP, 105, "a"), Verdict::Struck { attempts: 2, excused: true });
    assert_eq!(strike(&mut patient, MAP, 205, "a"), Verdict::SetAside { attempts: 3 });
    assert_eq!(left_out(&patient, MAP), [(None, 1)]);
    // Also where it was to be left out at the only time at which it was seen.
    let mut quick = quarantine(1, 1);
    assert_eq!(strike(&mut quick, MAP, 5, "a"), Verdict::SetAside { attempts: 1 });
    quick.begin_run();
    assert_eq!(strike(&mut quick, MAP, 105, "a"), Verdict::SetAside { attempts: 2 });
    assert_eq!(left_out(&quick, MAP), [(None, 1)]);
}

#[test]
fn the_job_fails_where_the_policy_the_limit_or_the_plan_says_so() {
    let mut strict = Quarantine::new(PoisonConfig::default(), BTreeSet::from([MAP]));
    assert_eq!(strike(&mut strict, MAP, 5, "a"), Verdict::Struck { attempts: 1, excused: false });
    strike(&mut strict, MAP, 5, "a");
    let fails = |why| Verdict::Fails { attempts: 3, why };
    assert_eq!(strike(&mut strict, MAP, 5, "a"), fails(Refusal::Policy));
    assert_eq!(strike(&mut strict, MAP, 5, "a"), Verdict::Fails { attempts: 4, why: Refusal::Policy });
    let mut full = quarantine(3, 1);
    for _ in 0..3 {
        strike(&mut full, MAP, 5, "a");
    }
    assert_eq!(strike(&mut full, MAP, 6, "b"), Verdict::Struck { attempts: 1, excused: false });
    strike(&mut full, MAP, 6, "b");
    assert_eq!(strike(&mut full, MAP, 6, "b"), fails(Refusal::Full));
    let mut behind = quarantine(3, 10);
    for _ in 0..2 {
        strike(&mut behind, SINK, 5, "a");
    }
    assert_eq!(strike(&mut behind, SINK, 5, "a"), fails(Refusal::NoTaker));
}

#[test]
fn no_script_of_panics_is_excused_for_ever() {
    for seed in 0..200 {
        let mut lots = Lots(seed);
        let (attempts, max) = (1 + lots.draw(4), lots.draw(6));
        let mut quarantine = quarantine(attempts, max);
        let mut excused = 0;
        for _ in 0..2000 {
            quarantine.begin_run();
            let (time, bytes) = (i64::from(lots.draw(50)), ["a", "b", "c"][lots.draw(3) as usize]);
            match strike(&mut quarantine, MAP, time, &format!("{bytes}{time}")) {
                Verdict::Struck { excused: true, .. } | Verdict::SetAside { .. } => excused += 1,
                Verdict::Struck { excused: false, .. } | Verdict::Unknown => {}
                Verdict::Fails { .. } => break,
            }
        }
        assert!(excused <= max * attempts, "seed {seed}: {excused} excused");
    }
}

/// Numbers as they come: a linear congruential generator.
struct Lots(u64);

impl Lots {
    fn draw(&mut self, below: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % u64::from(below)) as u32
    }
}

/// A job of one vertex that reads numbers, and is judged by what its checkpoints have passed.
struct Job {
    quarantine: Quarantine,
    lots: Lots,
    numbers: i64,
    /// Those that make it panic, and how often.
    poison: BTreeMap<i64, u32>,
    /// What the newest checkpoint has passed: how far, what came out, what became a letter.
    passed: (i64, Vec<i64>, Vec<i64>),
    epoch: u64,
    runs: u32,
}

const RESTARTS_MAX: u32 = 10;

impl Job {
    /// Runs until the input or the patience is at its end.
    fn run(&mut self) -> Result<(), Option<Refusal>> {
        let mut fruitless = 0;
        loop {
            self.runs += 1;
            self.quarantine.begin_run();
            let before = self.epoch;
            let Err(panicked) = self.run_once() else { return Ok(()) };
            let verdict = self.quarantine.panicked(panicked);
            fruitless = if self.epoch > before { 0 } else { fruitless };
            match verdict {
                Verdict::Fails { why, .. } => return Err(Some(why)),
                Verdict::Struck { excused: true, .. } | Verdict::SetAside { .. } => {}
                Verdict::Struck { excused: false, .. } | Verdict::Unknown if self.epoch > before => {}
                Verdict::Struck { excused: false, .. } | Verdict::Unknown => fruitless += 1,
            }
            if fruitless > RESTARTS_MAX {
                return Err(None);
            }
        }
    }

    fn run_once(&mut self) -> Result<(), Panicked> {
        let order = self.quarantine.care(MAP);
        let (careful, mut shunned) = order.map_or((0, Vec::new()), |order| (order.barriers, order.leave_out));
        let (mut at, mut out, mut letters) = self.passed.clone();
        let (mut barriers, mut left_out) = (0, Vec::new());
        while at < self.numbers {
            if self.lots.draw(4) == 0 {
                (self.epoch, barriers) = (self.epoch + 1, barriers + 1);
                let epoch = Epoch(self.epoch);
                for number in left_out.drain(..) {
                    self.quarantine.left_out(epoch, number, 1);
                }
                if self.lots.draw(3) > 0 {
                    self.passed = (at, out.clone(), letters.clone());
                    self.quarantine.completed(epoch);
                }
                continue;
            }
            let bytes = at.to_string();
            let shun = |one: &&mut LeaveOut| one.times > 0 && *one.culprit.bytes == *bytes.as_bytes();
            if barriers < careful
                && let Some(one) = shunned.iter_mut().find(shun)
            {
                one.times -= 1;
                left_out.push(one.number);
                letters.push(at);
            } else if let Some(left) = self.poison.get_mut(&at).filter(|left| **left > 0) {
                *left -= 1;
                let culprit = (barriers < careful).then(|| culprit(at, &bytes));
                return Err(Panicked { vertex: MAP, barriers, culprit });
            } else {
                out.push(at);
            }
            at += 1;
        }
        self.passed = (at, out, letters);
        Ok(())
    }
}

fn job(seed: u64, max_attempts: u32, quarantine_max: u32, panics: u32) -> Job {
    let mut lots = Lots(seed);
    let poison = (0..1 + lots.draw(12)).map(|_| (i64::from(lots.draw(60)), panics)).collect();
    let quarantine = quarantine(max_attempts, quarantine_max);
    Job { quarantine, lots, numbers: 60, poison, passed: (0, Vec::new(), Vec::new()), epoch: 0, runs: 0 }
}

#[test]
fn every_other_record_comes_out_once_and_each_poisonous_one_is_a_letter_once() {
    for seed in 0..500 {
        let attempts = 1 + (seed % 4) as u32;
        let mut job = job(seed, attempts, 12, u32::MAX);
        let poison: Vec<i64> = job.poison.keys().copied().collect();
        assert_eq!(job.run(), Ok(()), "seed {seed}");
        let (_, out, letters) = &job.passed;
        assert_eq!(*letters, poison, "seed {seed}");
        assert_eq!(*out, (0..60).filter(|n| !poison.contains(n)).collect::<Vec<_>>(), "seed {seed}");
        // One that is not seen coming, its strikes, and one that lies beyond the care.
        let bound = poison.len() as u32 * (attempts + 2) + 1;
        assert!(job.runs <= bound, "seed {seed}: {} runs for {} records", job.runs, poison.len());
    }
}

#[test]
fn too_much_poison_ends_the_job_and_a_passing_weakness_does_not() {
    for seed in 0..500 {
        let mut full = job(seed, 2, 0, u32::MAX);
        let ended = full.run();
        assert!(matches!(ended, Err(None | Some(Refusal::Full))), "seed {seed}: {ended:?}");
        let mut weak = job(seed, 3, 12, 2);
        assert_eq!(weak.run(), Ok(()), "seed {seed}");
        assert_eq!(weak.passed.1, (0..60).collect::<Vec<_>>(), "seed {seed}");
    }
}
