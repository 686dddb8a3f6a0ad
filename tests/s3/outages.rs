//! A server that goes away while a job runs, and one that is slow.

use std::net::{TcpListener, TcpStream};
use std::process::Child;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::job::{Ended, Job, WITHIN};

/// Somebody between a job and its server.
struct Way {
    endpoint: String,
    cut: Arc<AtomicBool>,
    /// How often somebody was turned away.
    refused: Arc<AtomicU64>,
    delay_ms: Arc<AtomicU64>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Way {
    fn to(server: u16) -> Way {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://127.0.0.1:{}", listener.local_addr().unwrap().port());
        let way = Way {
            endpoint,
            cut: Arc::default(),
            refused: Arc::default(),
            delay_ms: Arc::default(),
            open: Arc::default(),
        };
        let (cut, refused) = (Arc::clone(&way.cut), Arc::clone(&way.refused));
        let (delay_ms, open) = (Arc::clone(&way.delay_ms), Arc::clone(&way.open));
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else { continue };
                let mut open = open.lock().unwrap();
                // Looked at with those in hand that are open: whoever cuts them finds this one there, or it is none.
                if cut.load(Ordering::SeqCst) {
                    refused.fetch_add(1, Ordering::SeqCst);
                    continue;
                }
                open.extend([client.try_clone().unwrap(), server.try_clone().unwrap()]);
                drop(open);
                let (there, back) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                std::thread::spawn(move || pass(client, server, None));
                let delay = Arc::clone(&delay_ms);
                std::thread::spawn(move || pass(back, there, Some(&delay)));
            }
        });
        way
    }

    /// Cuts all connections, and lets none be made until it is opened again.
    fn cut(&self) {
        self.cut.store(true, Ordering::SeqCst);
        for end in self.open.lock().unwrap().drain(..) {
            let _ = end.shutdown(std::net::Shutdown::Both);
        }
    }

    fn open_again(&self) {
        self.cut.store(false, Ordering::SeqCst);
    }

    /// Waits until as many more are turned away.
    #[track_caller]
    fn wait_for_refused(&self, more: u64) {
        let so_many = self.refused.load(Ordering::SeqCst) + more;
        until("the job tries to write", || self.refused.load(Ordering::SeqCst) >= so_many);
    }
}

/// Passes bytes on, each piece so much later.
fn pass(mut from: TcpStream, mut to: TcpStream, delay_ms: Option<&AtomicU64>) {
    use std::io::{Read as _, Write as _};
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        let delay = delay_ms.map_or(0, |delay| delay.load(Ordering::SeqCst));
        std::thread::sleep(Duration::from_millis(delay));
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Both);
}

/// Waits until a condition holds.
#[track_caller]
fn until(what: &str, holds: impl Fn() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < WITHIN, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// How long a checkpoint may take, in turn, until there are some: what is too long for most machines is too short for slow
/// ones.
const TIMEOUTS: [&str; 3] = ["300ms", "3s", "30s"];

/// How long it is waited for some of them.
const SOME_WITHIN: Duration = Duration::from_secs(60);

/// Starts a job whose checkpoints are soon given up, and waits until it has some.
fn started(job: &Job, way: &Way) -> Child {
    for timeout in TIMEOUTS {
        let variables = [
            ("AWS_ENDPOINT", way.endpoint.as_str()),
            ("WATERSHED_CHECKPOINT_TIMEOUT", timeout),
            ("WATERSHED_CHECKPOINT_BACK_OFF", "100ms"),
        ];
        let mut process = job.booking(&variables).spawn().unwrap();
        let start = Instant::now();
        while start.elapsed() < SOME_WITHIN {
            if job.newest() >= 2 {
                return process;
            }
            assert!(process.try_wait().unwrap().is_none(), "it has ended: {:?}", Ended::in_time(process));
            std::thread::sleep(Duration::from_millis(20));
        }
        process.kill().unwrap();
        process.wait().unwrap();
    }
    panic!("no checkpoint is complete within {TIMEOUTS:?}");
}

#[test]
fn a_server_that_goes_away_costs_checkpoints_and_not_the_job() {
    let Some(job) = Job::new("a_server_that_goes_away_costs_checkpoints_and_not_the_job") else { return };
    let way = Way::to(job.port());
    job.hold();
    let process = started(&job, &way);
    way.cut();
    // What was written before may still be decided.
    way.wait_for_refused(5);
    let cut = job.newest();
    way.wait_for_refused(5);
    assert_eq!(job.newest(), cut, "nothing is decided that could not be written");
    way.open_again();
    until("checkpoints are taken again", || job.newest() > cut + 1);
    job.let_go();
    let ended = Ended::in_time(process);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    job.judge();
    assert_eq!(job.look(&["checkpoint", "verify"]).code, Some(0));
}

#[test]
fn a_server_that_is_slow_makes_checkpoints_slow_and_nothing_else() {
    let Some(job) = Job::new("a_server_that_is_slow_makes_checkpoints_slow_and_nothing_else") else { return };
    let way = Way::to(job.port());
    way.delay_ms.store(150, Ordering::SeqCst);
    job.ends(&[("AWS_ENDPOINT", way.endpoint.as_str())]);
    job.judge();
    assert!(job.newest() >= 1);
    assert_eq!(job.look(&["checkpoint", "verify"]).code, Some(0));
}
