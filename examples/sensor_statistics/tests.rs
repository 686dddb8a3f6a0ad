//! Readings that come over a network: this machine's own.

#[path = "../../tests/conditions/ports.rs"]
mod ports;

use std::io::Write;
use std::net::{TcpStream, UdpSocket};
use std::ops::RangeInclusive;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use watershed::prelude::*;
use watershed::runtime::{JobHandle, VertexReport};

use super::{Parameters, Simulation, sensor_statistics};

/// The longest that anything is waited for.
const WAIT_MAX: Duration = Duration::from_secs(120);
/// Some four hours of ten sensors.
const READINGS: u64 = 2500;

/// A line that is no reading.
const DAMAGED: &str = "{\"sensor\":";

/// Lines as ten sensors send them.
fn lines() -> Vec<String> {
    let simulation = Simulation { sensors: 10, faults: 0.02, seed: 5 };
    let reading = |n| simulation.reading(n, &mut source::Dice::new(5, n));
    (0..READINGS).map(|n| serde_json::to_string(&reading(n)).unwrap()).collect()
}

/// Readings that the source has read, and lines that it has refused.
fn read(vertices: &[VertexReport]) -> (u64, u64) {
    let source = vertices.iter().find(|vertex| vertex.is_source).unwrap();
    (source.counters.records_in, source.counters.dead_letters)
}

fn wait_for(what: &str, mut reached: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !reached() {
        assert!(begun.elapsed() < WAIT_MAX, "waited too long for {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Runs the pipeline on a socket; `send` sends the lines, and so many damaged ones. When all readings are read, the
/// job is ended, and what it has stored is judged.
fn runs_on(
    input: String,
    damaged: RangeInclusive<u64>,
    send: impl FnOnce(&[String], &JobHandle) + Send + 'static,
) {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out");
    let parameters = Parameters { input: Some(input), output: output.clone(), ..Parameters::default() };
    let job =
        watershed::Job::describe("sensors", |pipeline| sensor_statistics(pipeline, parameters)).unwrap();
    let (handles, handed) = mpsc::channel::<JobHandle>();
    let sender = thread::spawn(move || {
        let job = handed.recv().unwrap();
        // A sender that fails must not leave the job waiting for ever.
        let sent = panic::catch_unwind(AssertUnwindSafe(|| {
            send(&lines(), &job);
            wait_for("the readings", || read(&job.report()).0 == READINGS);
        }));
        job.cancel();
        sent.unwrap();
    });
    let summary = job.parallelism(2).run_observed(move |job| handles.send(job).unwrap()).unwrap();
    sender.join().unwrap();

    let refused = read(&summary.vertices).1;
    assert!(damaged.contains(&refused), "{refused} damaged lines were refused");
    let sent = [lines(), vec![DAMAGED.to_owned(); refused as usize]].concat();
    let file = folder.path().join("readings.jsonl");
    std::fs::write(&file, sent.join("\n")).unwrap();
    judge(&file, &output);
}

fn judge(readings: &Path, output: &Path) {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/judge/sensor_statistics.py");
    let verdict =
        Command::new("python3").arg(program).args([readings, output]).arg("--unfinished").output().unwrap();
    assert!(verdict.status.success(), "{}", String::from_utf8_lossy(&verdict.stderr));
}

#[test]
fn readings_come_over_tcp_and_a_damaged_line_harms_no_other() {
    let address = ports::free();
    runs_on(format!("tcp://{address}"), 1..=1, move |lines, _| {
        let mut peer = None;
        wait_for("the listener", || {
            peer = TcpStream::connect(address).ok();
            peer.is_some()
        });
        let (first, rest) = lines.split_at(3);
        let all = [first, &[DAMAGED.to_owned()], rest].concat().join("\n") + "\n";
        peer.unwrap().write_all(all.as_bytes()).unwrap();
    });
}

#[test]
fn readings_come_over_udp() {
    let address = ports::free();
    runs_on(format!("udp://{address}"), 1..=u64::MAX, move |lines, job| {
        let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
        // What comes before anybody listens is lost, so a line that may be lost is said until it is heard.
        wait_for("the listener", || {
            let _ = peer.send_to(DAMAGED.as_bytes(), address);
            read(&job.report()).1 > 0
        });
        // The system drops what does not find room, so each part waits for the one before it.
        let mut sent = 0;
        for part in lines.chunks(50) {
            part.iter().for_each(|line| assert!(peer.send_to(line.as_bytes(), address).is_ok()));
            sent += part.len() as u64;
            wait_for("a part of the readings", || read(&job.report()).0 == sent);
        }
    });
}
