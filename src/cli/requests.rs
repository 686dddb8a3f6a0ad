//! What others may ask of a job that runs: a socket in its state directory.
//!
//! ```text
//!   savepoint DIR --connect--> DIR/requests.sock --> one thread a connection --ask--> the job's coordinator
//!                 {"want":"savepoint"}                        {"granted":{"epoch":71,"lineage":0}}
//!                 {"want":{"query":{"state":"stock", ..}}}    {"found":{"value":25, ..}}
//! ```
//!
//! One request and one answer a connection, each a JSON object in a line. A socket, because the kernel then knows
//! whether anybody is there: a job that was killed leaves a file to which nobody answers, and the next one, which
//! holds the directory's lock, puts its own in the place. Whoever may write the directory may ask.

mod place;
mod words;

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use watershed_runtime::{JobHandle, Wish};
use watershed_server::view::{LevelView, StateView};
use watershed_state::inexact_number;

use crate::job::state::wait;
pub(super) use place::Door;
pub(super) use words::{Answer, Asking, Changing, Granted, Request, Want};

/// How long a request may be, in bytes: the largest update as JSON, and a token.
pub(super) const REQUEST_BYTES_MAX: u64 = 1 << 20;
/// How long an answer may be, in bytes: the largest value as JSON.
pub(super) const ANSWER_BYTES_MAX: u64 = 64 << 20;
/// How many may wait for an answer at a time.
const WAITING_MAX: usize = 64;
/// How long somebody who has connected may take to ask, and to take in the answer.
const TALK_WITHIN: Duration = Duration::from_secs(5);
/// How long the end of a job waits for its last answers to be taken in: as long as whoever talks to it may take for both, so
/// that on a busy machine nobody is told that the job ended before it answered.
const FINISH_WITHIN: Duration = Duration::from_secs(10);

/// A thread that takes requests.
pub(super) struct Requests {
    directory: PathBuf,
    over: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Requests {
    /// Begins to take requests for a job. Called while its process holds the directory.
    pub(super) fn take(directory: &Path, job: JobHandle) -> io::Result<Self> {
        let listener = Door::of(directory)?.with(|path| {
            match std::fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
            let listener = UnixListener::bind(path)?;
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
            Ok(listener)
        })?;
        let over = Arc::new(AtomicBool::new(false));
        let ended = over.clone();
        let thread = std::thread::spawn(move || listen(&listener, &job, &ended));
        Ok(Requests { directory: directory.to_owned(), over, thread })
    }

    /// Takes no more, once the job is over, and lets the last answers be heard.
    pub(super) fn finish(self) {
        self.over.store(true, Ordering::Release);
        // The listener wakes at a connection. Where none can be made any more, it is left behind.
        let woken = Door::of(&self.directory).and_then(|door| door.with(|path| UnixStream::connect(path)));
        let until = Instant::now() + FINISH_WITHIN;
        while woken.is_ok() && !self.thread.is_finished() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

fn listen(listener: &UnixListener, job: &JobHandle, over: &AtomicBool) {
    let mut waiting: Vec<JoinHandle<()>> = Vec::new();
    for connection in listener.incoming() {
        if over.load(Ordering::Acquire) {
            break;
        }
        waiting.retain(|thread| !thread.is_finished());
        // Beyond the limit the connection is closed, which the asker is told as no answer.
        if let Ok(connection) = connection
            && waiting.len() < WAITING_MAX
        {
            let job = job.clone();
            waiting.push(std::thread::spawn(move || {
                // Somebody who has gone away meanwhile is not told.
                let _ = converse(&connection, &job);
            }));
        }
    }
    for thread in waiting {
        thread.join().expect("a thread that answers does not panic");
    }
}

/// Takes one request, and gives its answer when there is one.
fn converse(connection: &UnixStream, job: &JobHandle) -> io::Result<()> {
    connection.set_read_timeout(Some(TALK_WITHIN))?;
    connection.set_write_timeout(Some(TALK_WITHIN))?;
    let mut line = String::new();
    BufReader::new(connection.take(REQUEST_BYTES_MAX)).read_line(&mut line)?;
    let answer = match (inexact_number(&line), serde_json::from_str::<Request>(&line)) {
        (None, Ok(Request { want })) => perform(want, job),
        (Some(number), _) => Answer::Refused(format!("{number} has more than 64 bits")),
        (None, Err(error)) => Answer::Refused(format!("the request is not understood: {error}")),
    };
    let mut line = serde_json::to_string(&answer).expect("an answer is plain data");
    line.push('\n');
    (&*connection).write_all(line.as_bytes())
}

/// Has the job do what is wanted.
fn perform(want: Want, job: &JobHandle) -> Answer {
    let wish = |wish| Answer::granted(job.ask(wish).wait());
    match want {
        Want::Savepoint => wish(Wish::Savepoint),
        Want::Suspend => wish(Wish::Suspend),
        Want::Drain => wish(Wish::Drain),
        Want::Cancel => wish(Wish::Cancel),
        Want::Query(asking) => {
            let Asking { state, token, ask } = *asking;
            let found = ask.question(&state, token).map_err(Answer::Refused).and_then(|question| {
                let (key, level) = (question.key.clone(), LevelView::from(question.level));
                let found = wait(job.query(question)).map_err(Answer::Unanswered)?;
                StateView::new(&state, &key, Some(level), found).map_err(Answer::Refused)
            });
            found.map_or_else(|refused| refused, |view| Answer::Found(Box::new(view)))
        }
        Want::Update(changing) => {
            let Changing { state, token, change } = *changing;
            let made = change.update(&state, token).map_err(Answer::Refused).and_then(|update| {
                let key = update.key.clone();
                let found = wait(job.update(update)).map_err(Answer::Unanswered)?;
                StateView::new(&state, &key, None, found).map_err(Answer::Refused)
            });
            made.map_or_else(|refused| refused, |view| Answer::Found(Box::new(view)))
        }
    }
}
