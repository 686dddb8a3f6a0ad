//! Records that come over a socket, and a job that is killed again and again while they do: each counts once.
//!
//! The statistics of a job that listens, killed behind each part of what it is sent, are those of a job that reads the
//! same lines from a file and is left in peace. A part is complete when its last line is in the ingress log: what is
//! still on its way in a socket dies with the process, and its sender has to send it again.

use std::fs;
use std::io::Write;
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::ports;
use crate::process::{Process, watershed};
use crate::state::{newest_if_any, prove};

/// How long anything is waited for.
const PATIENCE: Duration = Duration::from_secs(120);

/// In how many parts the lines are sent, with a kill behind each but the last.
const PARTS: usize = 4;

/// Readings of three sensors: no line is like another.
fn lines() -> Vec<String> {
    let reading = |n: u64| {
        let (sensor, minute) = (n % 3, n / 3);
        let (time, value) = (1_767_225_600_000 + minute * 60_000, 10 + n % 17);
        format!("{{\"sensor\":{sensor},\"time\":{time},\"value\":{value}}}")
    };
    (0..1200).map(reading).collect()
}

/// A job that listens.
struct Listening {
    folder: TempDir,
    input: String,
}

impl Listening {
    fn on(scheme: &str, address: SocketAddr) -> Self {
        Listening { folder: TempDir::new().unwrap(), input: format!("input={scheme}://{address}") }
    }

    fn start(&self) -> Process {
        let job = ["run", "sensor-statistics", "--quiet", "--parallelism", "1", "--state-dir", "state"];
        let mut command = watershed(self.folder.path(), &job);
        command.args(["--checkpoint-interval", "30ms", "--set", "output=out", "--set", &self.input]);
        Process::start(&mut command)
    }

    /// Waits until a line is in the log.
    fn wait_for_logged(&self, line: &str) {
        let log = self.folder.path().join("state/ingress/readings-0");
        wait_for("a line in the log", || {
            let files = fs::read_dir(&log).into_iter().flatten().flatten();
            let holds = |path: PathBuf| fs::read(path).is_ok_and(|bytes| holds(&bytes, line.as_bytes()));
            files.into_iter().any(|file| holds(file.path()))
        });
    }

    /// Waits until a checkpoint has so many rows behind it.
    fn wait_for_checkpoint(&self, rows: u64) {
        let state = self.folder.path().join("state");
        wait_for("a checkpoint behind the last row", || {
            // None at all, or one that is let go of while it is looked at, is no such checkpoint either.
            let newest = newest_if_any(&state);
            newest.is_some_and(|manifest| {
                manifest.votes.iter().flat_map(|vote| &vote.splits).any(|split| split.position.0 == rows)
            })
        });
    }

    fn statistics(&self) -> Vec<String> {
        statistics(self.folder.path())
    }
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// What a job says of all its windows.
fn statistics(folder: &Path) -> Vec<String> {
    let text = fs::read_to_string(folder.join("out/statistics.jsonl")).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort_unstable();
    lines
}

/// Whether somebody has bound this for UDP. To try it by binding would keep the job out meanwhile.
fn is_bound(address: SocketAddr) -> bool {
    let sockets = fs::read_to_string("/proc/net/udp").unwrap();
    let port = format!(":{:04X}", address.port());
    sockets.lines().filter_map(|line| line.split_whitespace().nth(1)).any(|local| local.ends_with(&port))
}

fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "{what} has not come about");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Sends the lines in parts, kills the job behind each, and compares what it says in the end.
fn survive(job: &Listening, send: impl Fn(&Listening, &[String])) {
    let lines = lines();
    let mut process = job.start();
    for (number, part) in lines.chunks(lines.len() / PARTS).enumerate() {
        if number > 0 {
            assert!(process.kill(), "it was alive");
            process = job.start();
        }
        send(job, part);
    }
    job.wait_for_checkpoint(lines.len() as u64);
    let cancel = Process::start(&mut watershed(job.folder.path(), &["cancel", "state", "--drain"]));
    cancel.end().expect_done("asking for the end");
    process.end().expect_done("the job");
    prove(&job.folder.path().join("state"), "behind the kills");

    let peaceful = TempDir::new().unwrap();
    fs::write(peaceful.path().join("lines.jsonl"), lines.join("\n")).unwrap();
    let run = ["run", "sensor-statistics", "--quiet", "--parallelism", "1", "--set", "output=out"];
    let mut command = watershed(peaceful.path(), &[&run[..], &["--set", "input=lines.jsonl"]].concat());
    Process::start(&mut command).end().expect_done("the job in peace");
    let expected = statistics(peaceful.path());
    assert_eq!(expected.len(), 3 * 7, "three sensors, and 400 minutes");
    assert_eq!(job.statistics(), expected);
}

#[test]
fn what_comes_over_tcp_counts_once_whenever_the_job_is_killed() {
    let address = ports::free();
    survive(&Listening::on("tcp", address), |job, part| {
        let mut peer = None;
        wait_for("the listener", || {
            peer = TcpStream::connect(address).ok();
            peer.is_some()
        });
        peer.unwrap().write_all((part.join("\n") + "\n").as_bytes()).unwrap();
        job.wait_for_logged(&part[part.len() - 1]);
    });
}

#[test]
fn what_comes_over_udp_and_was_logged_counts_once_whenever_the_job_is_killed() {
    let address = ports::free();
    survive(&Listening::on("udp", address), |job, part| {
        let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
        // The system drops what comes before anybody listens, and what finds no room.
        wait_for("the listener", || is_bound(address));
        for few in part.chunks(50) {
            few.iter().for_each(|line| drop(peer.send_to(line.as_bytes(), address)));
            job.wait_for_logged(&few[few.len() - 1]);
        }
    });
}
