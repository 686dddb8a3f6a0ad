//! Redis for scale: one that writes and two that follow, and writers that wait (`WAIT 2`) until both have what was written.
//!
//! It is another promise: Redis has one place that writes, and none of its readers wait for what they should have seen. What is
//! compared is the time until an update is on three processes.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{Arguments, at_most};
use crate::error::Error;

/// Whoever writes, each on a connection of its own.
const WRITERS: u32 = 8;

/// Three servers.
struct Servers(Vec<Child>);

impl Drop for Servers {
    fn drop(&mut self) {
        for server in &mut self.0 {
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

struct Connection {
    stream: TcpStream,
    answers: BufReader<TcpStream>,
}

impl Connection {
    fn open(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        let answers = BufReader::new(stream.try_clone()?);
        Ok(Connection { stream, answers })
    }

    /// The answers, of one line each, to some commands that are sent at once.
    fn ask<const N: usize>(&mut self, commands: [&str; N]) -> io::Result<[String; N]> {
        self.stream.write_all((commands.join("\r\n") + "\r\n").as_bytes())?;
        let mut said = [const { String::new() }; N];
        for line in &mut said {
            self.answers.read_line(line)?;
        }
        Ok(said)
    }
}

pub(super) fn measure(arguments: &Arguments) -> Result<(), Error> {
    if Command::new("redis-server")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_err()
    {
        println!("redis: redis-server is not installed, and nothing is compared with it");
        return Ok(());
    }
    let ports = ports().map_err(Error::Usage)?;
    let _servers = start(&ports).map_err(Error::Usage)?;
    let seconds = Duration::from_secs(arguments.seconds);
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let (port, rate) = (ports[0], arguments.rate as f64 / f64::from(WRITERS));
            std::thread::spawn(move || write(port, writer, rate, seconds))
        })
        .collect();
    let mut took = Vec::new();
    for writer in writers {
        took.extend(writer.join().expect("a writer does not panic").map_err(Error::Usage)?);
    }
    took.sort_unstable();
    println!(
        "redis: {:.0} writes/s by {WRITERS} writers with WAIT 2, p50 {:.2} p99 {:.2} max {:.2} ms",
        took.len() as f64 / seconds.as_secs_f64(),
        f64::from(at_most(&took, 0.5)) / 1e3,
        f64::from(at_most(&took, 0.99)) / 1e3,
        f64::from(at_most(&took, 1.0)) / 1e3
    );
    Ok(())
}

/// Writes at a rate, or as fast as it goes, and waits for both followers each time. How long each took, in microseconds.
fn write(port: u16, writer: u32, rate: f64, seconds: Duration) -> io::Result<Vec<u32>> {
    let (mut connection, begun, mut took) = (Connection::open(port)?, Instant::now(), Vec::new());
    while begun.elapsed() < seconds {
        let due = Duration::from_secs_f64(took.len() as f64 / rate);
        std::thread::sleep(due.saturating_sub(begun.elapsed()));
        let sent = Instant::now();
        let set = format!("SET key:{writer}:{} {:08}", took.len() % 1000, took.len());
        let [_, followers] = connection.ask([set.as_str(), "WAIT 2 1000"])?;
        if followers.trim() != ":2" {
            return Err(io::Error::other(format!("{} followers have it", followers.trim())));
        }
        took.push(sent.elapsed().as_micros() as u32);
    }
    Ok(took)
}

fn ports() -> io::Result<[u16; 3]> {
    let listeners = [
        TcpListener::bind("127.0.0.1:0")?,
        TcpListener::bind("127.0.0.1:0")?,
        TcpListener::bind("127.0.0.1:0")?,
    ];
    let mut ports = [0; 3];
    for (port, listener) in ports.iter_mut().zip(&listeners) {
        *port = listener.local_addr()?.port();
    }
    Ok(ports)
}

/// Starts one server and two that follow it, and waits until they do.
fn start(ports: &[u16; 3]) -> io::Result<Servers> {
    let mut servers = Servers(Vec::new());
    for port in ports {
        let mut command = Command::new("redis-server");
        command.args([
            "--port",
            &port.to_string(),
            "--save",
            "",
            "--appendonly",
            "no",
            "--repl-diskless-sync-delay",
            "0",
        ]);
        if port != &ports[0] {
            command.args(["--replicaof", "127.0.0.1", &ports[0].to_string()]);
        }
        servers.0.push(command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?);
    }
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        let answer = Connection::open(ports[0]).and_then(|mut one| one.ask(["SET ready 1", "WAIT 2 1000"]));
        if answer.is_ok_and(|[_, followers]| followers.trim() == ":2") {
            return Ok(servers);
        }
        if Instant::now() > until {
            return Err(io::Error::other("two followers never came"));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
