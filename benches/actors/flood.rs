//! Frames without actors: how many megabytes of them cross a link each second.

use std::env;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use actix::prelude::*;
use watershed_core::{Epoch, Run, Sequence};
use watershed_link::{Intake, LinkConfig, Links, NodeName};
use watershed_wire::{Draft, Frame, Header, Kind};

use crate::error::Error;
use crate::second::{Second, say};
use crate::system::System;
use crate::system::watershed::{Arrived, find, open, open_to};

/// How long the body of a frame is, in bytes.
const BODY_BYTES: usize = 64 << 10;

/// How many frames are sent before it is asked how much of them waits.
const FRAMES: u64 = 64;

/// How much may wait to be written, in bytes.
const WAITING_BYTES_MAX: u64 = 16 << 20;

/// How long the last frames may take.
const COUNTED_WITHIN: Duration = Duration::from_secs(10);

/// The name of the actor that says how much has arrived.
const NAME: &str = "counter";

/// The job of the frames.
const JOB: u32 = 1;

/// Arguments of the sending process.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Arguments {
    /// How many bytes are sent.
    #[arg(long)]
    bytes: u64,
}

/// Counts the bytes of what arrives.
#[derive(Clone, Default)]
struct Counter {
    bytes: Arc<AtomicU64>,
}

impl Intake for Counter {
    fn frame(&self, _: &NodeName, frame: Frame) -> Result<(), String> {
        self.bytes.fetch_add(frame.body.len() as u64, Relaxed);
        Ok(())
    }
}

impl Actor for Counter {
    type Context = Context<Self>;
}

impl Handler<Arrived> for Counter {
    type Result = u64;

    fn handle(&mut self, _: Arrived, _: &mut Context<Self>) -> u64 {
        self.bytes.load(Relaxed)
    }
}

/// Sends frames in two fresh processes.
pub(crate) fn run(bytes: u64) -> Result<(), Error> {
    let start = |source| Error::Start { system: System::Frames, source };
    let status = Command::new(env::current_exe().map_err(start)?)
        .args(["flood".to_owned(), format!("--bytes={bytes}")])
        .status()
        .map_err(start)?;
    let failed = || Error::Run { system: System::Frames, status: status.to_string() };
    status.success().then_some(()).ok_or_else(failed)
}

/// Sends frames to a second process, and prints how many megabytes arrived each second.
pub(crate) fn flood(arguments: &Arguments) -> Result<(), Error> {
    let second = Second::start(System::Frames)?;
    let sent = actix::System::new().block_on(async {
        let links = open_to(&second.place, LinkConfig::default()).await?;
        send(&links, arguments.bytes).await
    });
    let (bytes, seconds) = sent.map_err(|why| Error::System { system: System::Frames, why })?;
    println!("frames of {BODY_BYTES} bytes: {:.0} MB/s", bytes as f64 / 1e6 / seconds);
    Ok(())
}

/// Counts frames for ever.
pub(crate) fn answer() -> Result<(), String> {
    actix::System::new().block_on(async {
        let links = open("second", LinkConfig::default()).await?;
        count(&links);
        say(&links.address().to_string())?;
        std::future::pending().await
    })
}

/// Counts frames from now on.
fn count(links: &Links) {
    let counter = Counter::default();
    links.take_frames(JOB, Run(1), Arc::new(counter.clone()));
    let registered = links.register::<Arrived>(NAME, counter.start().recipient());
    assert!(registered, "there is room for one name");
}

/// Sends frames, and waits until they have arrived; how many bytes, and how many seconds it took.
async fn send(links: &Links, bytes: u64) -> Result<(u64, f64), String> {
    let counter = find::<Arrived>(links, NAME).await?;
    let frames = links.frames(counter.node()).ok_or("the link is down")?;
    let body = vec![7; BODY_BYTES];
    let (begun, mut sent) = (Instant::now(), 0);
    while sent < bytes {
        for _ in 0..FRAMES {
            let mut out = frames.buffer();
            Draft::write(&header(sent / BODY_BYTES as u64), &body, &mut out);
            frames.send(out).map_err(|error| error.to_string())?;
            sent += BODY_BYTES as u64;
        }
        while links.peers().iter().any(|peer| peer.waiting_bytes > WAITING_BYTES_MAX) {
            actix_rt::time::sleep(Duration::from_millis(1)).await;
        }
    }
    let waited = Instant::now();
    loop {
        let arrived = counter.ask(Arrived).await.map_err(|error| error.to_string())?;
        if arrived == sent {
            return Ok((sent, begun.elapsed().as_secs_f64()));
        }
        if arrived > sent || waited.elapsed() > COUNTED_WITHIN {
            return Err(format!("{sent} bytes were sent, and {arrived} have arrived"));
        }
    }
}

fn header(sequence: u64) -> Header {
    let sequence = Sequence(sequence);
    Header { job: JOB, run: Run(1), channel: 0, sequence, epoch: Epoch(1), kind: Kind::Records, records: 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[actix_rt::test]
    async fn all_frames_arrive_and_are_counted() {
        let second = open("second", LinkConfig::default()).await.unwrap();
        count(&second);
        let first = open_to(&second.address().to_string(), LinkConfig::default()).await.unwrap();
        let (bytes, seconds) = send(&first, 10 << 20).await.unwrap();
        assert!(bytes >= 10 << 20 && seconds > 0.0);
        let counter = find::<Arrived>(&first, NAME).await.unwrap();
        assert_eq!(counter.ask(Arrived).await, Ok(bytes));
    }
}
