//! A server that goes away while a job runs, and one that is slow.

use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::job::{Ended, Job};

/// Somebody between a job and its server.
struct Way {
    endpoint: String,
    cut: Arc<AtomicBool>,
    delay_ms: Arc<AtomicU64>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Way {
    fn to(server: u16) -> Way {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://127.0.0.1:{}", listener.local_addr().unwrap().port());
        let (cut, delay_ms) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let open = Arc::new(Mutex::new(Vec::new()));
        let way =
            Way { endpoint, cut: Arc::clone(&cut), delay_ms: Arc::clone(&delay_ms), open: Arc::clone(&open) };
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if cut.load(Ordering::SeqCst) {
                    continue;
                }
                let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else { continue };
                open.lock().unwrap().extend([client.try_clone().unwrap(), server.try_clone().unwrap()]);
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
        assert!(start.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_server_that_goes_away_costs_checkpoints_and_not_the_job() {
    let Some(job) = Job::new("a_server_that_goes_away_costs_checkpoints_and_not_the_job") else { return };
    let way = Way::to(job.port());
    let variables = [
        ("AWS_ENDPOINT", way.endpoint.as_str()),
        ("WATERSHED_CHECKPOINT_TIMEOUT", "300ms"),
        ("WATERSHED_CHECKPOINT_BACK_OFF", "100ms"),
    ];
    let process = job.booking(&variables).spawn().unwrap();
    until("it has begun", || job.newest() >= 2);
    way.cut();
    std::thread::sleep(Duration::from_millis(200));
    let cut = job.newest();
    std::thread::sleep(Duration::from_millis(1000));
    assert_eq!(job.newest(), cut, "nothing is decided that could not be written");
    way.open_again();
    let ended = Ended::from(process.wait_with_output().unwrap());
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(job.newest() > cut + 1, "{ended:?}");
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
