//! Networks that are slow, leaky or gone: what waits is bounded, and nobody is taken for dead who is only late.
//!
//! Here nodes are as patient as they are by default. Whether somebody is late is up to the machine as well: where it stood
//! still itself, nothing is shown, and the same is played anew, by nodes with more patience. And it is up to chance: of the
//! packets that are lost, so many may once come one behind the other that a leader is not heard for longer than any
//! patience. That happens seldom; where it comes again and again, it is no chance.

use std::fs::File;
use std::io::Write;
use std::sync::atomic::AtomicBool;

use super::doubling::{ALONE, NARROW, Watch};
use super::wires::Door;
use super::*;
use crate::cluster::Timings;

/// How many numbers a batch of these jobs has, and how many batches each channel has credit for; one more is filled, and
/// one is worked on.
const BATCH: u64 = 64;
const BATCHES: u64 = 2 + 2;

/// What may be under way at most between so many subtasks and as many, and what is read before anybody looks up.
fn under_way_max(subtasks: u64) -> u64 {
    subtasks * subtasks * BATCHES * BATCH + subtasks * 100
}

/// How long a thread or the disk of a machine that does not stand still lets others wait at most.
const STILL: Duration = Duration::from_millis(250);

/// How often one thing is played.
const PLAYS: u32 = 6;

/// How often it may come out otherwise by chance, on a machine that did not stand still. By itself that happens less than once
/// in ten times.
const CHANCES: u32 = 2;

/// Looks whether the machine stands still: how long a thread that sleeps and writes was late at most.
fn longest_standstill(folder: &Path, over: &AtomicBool) -> Duration {
    let mut longest = Duration::ZERO;
    let mut file = File::create(folder.join("looked")).unwrap();
    while !over.load(SeqCst) {
        let began = Instant::now();
        std::thread::sleep(Duration::from_millis(10));
        file.write_all(b"at it").and_then(|()| file.sync_data()).unwrap();
        longest = longest.max(began.elapsed());
    }
    longest
}

/// Plays something in a world of its own, with nodes of so many times the patience, until it comes out as it should, or
/// otherwise more often than by chance and not by the machine's fault.
fn play(mut chances: u32, mut what: impl FnMut(&World, u32) -> Result<(), String>) {
    let mut patience = 1;
    for _ in 0..PLAYS {
        let (world, over) = (World::new(), AtomicBool::new(false));
        let (played, longest) = std::thread::scope(|scope| {
            let looks = scope.spawn(|| longest_standstill(world.directory.path(), &over));
            let ends = Ends(&over);
            let played = what(&world, patience);
            drop(ends);
            (played, looks.join().unwrap())
        });
        let Err(why) = played else { return };
        println!("the machine stood still for {longest:?}, and {why}");
        if longest > STILL {
            patience *= 2;
        } else {
            assert!(chances > 0, "that is no chance: the machine stood still for {longest:?}, and {why}");
            chances -= 1;
        }
    }
    panic!("it was played {PLAYS} times, and never came out as it should");
}

/// Ends the look at the machine, also where what is played panics.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

/// Nodes that reach each other through doors, with so many times the patience that they have by default.
fn behind_doors(world: &World, coordinators: usize, patience: u32) -> (Vec<Door>, Vec<Living>) {
    let doors: Vec<Door> = world.ports.map(Door::before).into_iter().take(coordinators.max(2)).collect();
    let start = |index: usize| {
        let mut settings = world.settings(index);
        settings.links = LinkConfig {
            compress_records: settings.links.compress_records,
            silent_max: LinkConfig::default().silent_max * patience,
            ..LinkConfig::default()
        };
        settings.timings = Timings::default();
        for time in [
            &mut settings.timings.election_min,
            &mut settings.timings.election_max,
            &mut settings.timings.lease,
            &mut settings.timings.silence,
        ] {
            *time *= patience;
        }
        settings.coordinators.truncate(coordinators);
        for ((_, address), door) in settings.coordinators.iter_mut().zip(&doors) {
            *address = door.address();
        }
        world.start_as(doors[index].in_front_of(settings), "heavy")
    };
    let nodes: Vec<Living> = (0..doors.len()).map(start).collect();
    wait_for_nodes(&nodes[0], nodes.len());
    (doors, nodes)
}

/// Waits until each of the nodes is linked with all others, and knows who leads. Who that is.
fn wait_for_links(nodes: &[Living]) -> Vec<Option<String>> {
    let until = Instant::now() + PATIENCE;
    let is_linked = |node: &Living| {
        let linked = node.handle.links().peers().iter().filter(|peer| peer.up.is_some()).count();
        linked + 1 == nodes.len() && node.handle.leader().is_some()
    };
    while !nodes.iter().all(is_linked) {
        assert!(Instant::now() < until, "the nodes are never linked");
        std::thread::sleep(Duration::from_millis(10));
    }
    nodes.iter().map(|node| node.handle.leader()).collect()
}

/// How many bytes wait to be written to peers.
fn waiting_bytes(nodes: &[Living]) -> u64 {
    nodes.iter().flat_map(|node| node.handle.links().peers()).map(|peer| peer.waiting_bytes).sum()
}

#[test]
fn without_a_majority_what_waits_is_bounded_and_after_the_healing_the_job_goes_on() {
    let world = World::new();
    let (doors, nodes) = behind_doors(&world, 3, 1);
    submit_with(&nodes[0], &[(ENDLESS, "yes"), ("bytes", "100"), ("watched", ALONE)], 6).unwrap();
    wait_for(&nodes[0], "a checkpoint", |report| report.checkpoints.completed.is_some());
    doors.iter().for_each(Door::shut);
    let watch = Watch::of(ALONE);
    let before = watch.read.load(SeqCst);
    let (mut alone_since, mut most_bytes) = (None, 0);
    let until = Instant::now() + PATIENCE;
    // For a while after the last of them has noticed.
    while alone_since.is_none_or(|since: Instant| since.elapsed() < Duration::from_secs(3)) {
        assert!(Instant::now() < until, "somebody still leads");
        if nodes.iter().all(|node| node.handle.leader().is_none()) {
            alone_since.get_or_insert_with(Instant::now);
        }
        most_bytes = most_bytes.max(waiting_bytes(&nodes));
        std::thread::sleep(Duration::from_millis(10));
    }
    let read = watch.read.load(SeqCst) - before;
    println!(
        "{read} numbers were read while nobody led, and {most_bytes} bytes waited to be written at most"
    );
    assert!(read <= under_way_max(6), "{read} numbers were read while nobody led");
    // A record has a hundred bytes and some, a frame a head.
    assert!(most_bytes <= under_way_max(6) * 200, "{most_bytes} bytes waited to be written");
    doors.iter().for_each(Door::open);
    let count = world.end();
    wait_for(&nodes[0], "the end", |report| report.state == JobState::Finished);
    assert_eq!(world.table.sorted(), expected(count));
    nodes.into_iter().for_each(Living::stop);
}

#[test]
fn a_link_of_24_kib_a_second_bounds_what_waits_and_costs_no_run() {
    play(0, |world, patience| {
        let (doors, nodes) = behind_doors(world, 1, patience);
        wait_for_links(&nodes);
        doors[1].narrow(24 << 10);
        let (watch, begun) = (Watch::of(NARROW), Instant::now());
        watch.reset();
        submit_with(&nodes[0], &[("count", "10000"), ("bytes", "20"), ("watched", NARROW)], 4).unwrap();
        let first = wait_for(&nodes[0], "a checkpoint", |report| report.checkpoints.completed.is_some());
        wait_for(&nodes[0], "another", |report| report.checkpoints.completed > first.checkpoints.completed);
        let report = wait_for(&nodes[0], "the end", |report| report.state == JobState::Finished);
        let worst = watch.worst.load(SeqCst);
        println!("{worst} numbers were under way at most, {:.1?}, {:?}", begun.elapsed(), report.checkpoints);
        assert_eq!(world.table.sorted(), expected(10_000));
        nodes.into_iter().for_each(Living::stop);
        if (report.run, report.checkpoints.restarts) != (Some(1), 0) {
            return Err(format!("a slow node was taken for dead: {report:#?}"));
        }
        assert!(worst <= under_way_max(4), "{worst} numbers were under way");
        Ok(())
    });
}

#[test]
fn nobody_is_taken_for_dead_where_one_packet_in_ten_is_lost() {
    play(CHANCES, |world, patience| {
        let (doors, nodes) = behind_doors(world, 3, patience);
        let leaders = wait_for_links(&nodes);
        let begun = Instant::now();
        doors.iter().for_each(|door| door.lose(10));
        submit(&nodes[0], 10_000, 20, 6).unwrap();
        let report = wait_for(&nodes[0], "the end", |report| report.state == JobState::Finished);
        assert_eq!(world.table.sorted(), expected(10_000));
        // Nobody went down and came up again since then, nobody else leads, and no run was in vain.
        let lived = begun.elapsed();
        let needless =
            |node: &Living| node.handle.links().peers().into_iter().filter(|peer| peer.since < lived).count();
        let needless: Vec<usize> = nodes.iter().map(needless).collect();
        println!("in {lived:.1?}, links went down: {needless:?}");
        let found = (needless, report.run, report.checkpoints.restarts);
        let leads = nodes.iter().map(|node| node.handle.leader()).collect::<Vec<_>>();
        doors.iter().for_each(|door| door.lose(0));
        nodes.into_iter().for_each(Living::stop);
        if found != (vec![0; 3], Some(1), 0) || leads != leaders {
            return Err(format!("somebody was taken for dead: {found:?}, {leaders:?} led, and {leads:?} do"));
        }
        Ok(())
    });
}
