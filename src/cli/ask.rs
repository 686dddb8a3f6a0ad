//! `savepoint`, `cancel`, `query`, `update`: asks a job that runs in another process of this machine.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use watershed_server::view::StateView;

use super::arguments::{Cancel, OneJob};
use super::failure::Failure;
use super::requests::{ANSWER_BYTES_MAX, Answer, Door, Granted, Request, Want};
use super::settings::Options;
use super::{answer, look};
use crate::parameters::Values;

/// How long an answer about a key may take beyond what the job may wait for.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// How long an answer is waited for.
#[derive(Serialize, Deserialize)]
#[serde(default)]
struct Patience {
    timeout: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Patience { timeout: Duration::from_secs(600) }
    }
}

/// Asks for a savepoint.
pub(super) fn savepoint(arguments: &OneJob, options: &Options) -> Result<(), Failure> {
    let granted = ask(arguments, Want::Savepoint)?;
    tell(&Want::Savepoint, Path::new(&arguments.job), granted, options)
}

/// Asks for the end.
pub(super) fn cancel(arguments: &Cancel, options: &Options) -> Result<(), Failure> {
    let want = match (arguments.with_savepoint, arguments.drain) {
        (true, _) => Want::Suspend,
        (false, true) => Want::Drain,
        (false, false) => Want::Cancel,
    };
    let granted = ask(&arguments.job, want.clone())?;
    tell(&want, Path::new(&arguments.job.job), granted, options)
}

/// Asks about a key, or changes it.
pub(super) fn state(directory: &str, want: Want, wait: Duration) -> Result<StateView, Failure> {
    match told(directory, want, wait.saturating_add(ANSWER_WITHIN))? {
        Answer::Found(view) => Ok(*view),
        Answer::Unanswered(error) => Err(Failure::Question(Box::new(error))),
        Answer::Refused(reason) => Err(Failure::Unable(reason)),
        Answer::Granted(_) => Err(misunderstood()),
    }
}

fn tell(want: &Want, directory: &Path, granted: Option<Granted>, options: &Options) -> Result<(), Failure> {
    if options.json {
        let (epoch, lineage) = granted.map(|Granted { epoch, lineage }| (epoch, lineage)).unzip();
        return answer(&json!({ "granted": want, "checkpoint": epoch, "lineage": lineage }).to_string());
    }
    let directory = directory.display();
    let checkpoint = granted.map_or("no checkpoint".to_owned(), |Granted { epoch, lineage }| {
        format!("checkpoint {epoch} (lineage {lineage})")
    });
    answer(&match want {
        Want::Savepoint => {
            format!("{checkpoint} of {directory} is a savepoint: it is kept until you delete it")
        }
        Want::Suspend => format!("suspended at {checkpoint}; start the job on {directory} again to go on"),
        Want::Drain => format!("drained; the job has come to its end with {checkpoint}"),
        Want::Cancel => format!("cancelled; started on {directory} again, the job goes on from {checkpoint}"),
        Want::Query(_) | Want::Update(_) => unreachable!("a key has a value, and no checkpoint"),
    })
}

/// Asks, and waits for the answer.
fn ask(arguments: &OneJob, want: Want) -> Result<Option<Granted>, Failure> {
    let mut patience = Values::default();
    if let Some(timeout) = &arguments.timeout {
        patience.set("timeout", timeout, "--timeout");
    }
    let Patience { timeout } = patience.read()?;
    if timeout.is_zero() {
        return Err(Failure::Usage("--timeout is 0: write a duration, as 30s".to_owned()));
    }
    match told(&arguments.job, want, timeout)? {
        Answer::Granted(granted) => Ok(granted),
        Answer::Refused(reason) => Err(Failure::Unable(reason)),
        Answer::Found(_) | Answer::Unanswered(_) => Err(misunderstood()),
    }
}

/// What the job on a directory says.
fn told(directory: &str, want: Want, timeout: Duration) -> Result<Answer, Failure> {
    let path = Path::new(directory);
    let directory = path.display();
    // Says what is wrong with a directory that is none.
    look::open(path)?;
    let connected = Door::of(path).and_then(|door| door.with(|path| UnixStream::connect(path)));
    let connection = connected.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => Failure::Unreachable(format!(
            "no job runs on {directory}: start one with --state-dir {directory}"
        )),
        _ => Failure::Unreachable(format!("the job on {directory} cannot be asked: {error}")),
    })?;
    let told = converse(&connection, want, timeout).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Failure::Unreachable(format!(
            "the job on {directory} has not answered within {timeout:?}; the request still stands"
        )),
        _ => Failure::Unreachable(format!("the job on {directory} has broken off: {error}")),
    })?;
    told.ok_or_else(|| {
        Failure::Unreachable(format!(
            "the job on {directory} ended before it answered, or has too many requests: see whether it still runs"
        ))
    })
}

fn misunderstood() -> Failure {
    Failure::Unable("the job gave another answer than was asked for: it is of another version".to_owned())
}

/// One request, one answer; `None` where the other side says nothing.
fn converse(connection: &UnixStream, want: Want, timeout: Duration) -> io::Result<Option<Answer>> {
    connection.set_read_timeout(Some(timeout))?;
    connection.set_write_timeout(Some(timeout))?;
    let mut line = serde_json::to_string(&Request { want }).expect("a request is plain data");
    line.push('\n');
    (&*connection).write_all(line.as_bytes())?;
    let mut told = String::new();
    BufReader::new(connection.take(ANSWER_BYTES_MAX)).read_line(&mut told)?;
    if told.is_empty() { Ok(None) } else { Ok(Some(serde_json::from_str(&told)?)) }
}
