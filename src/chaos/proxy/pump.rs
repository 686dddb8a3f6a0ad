//! Passes frames on from one end of a connection to the other, and does to them what is ordered.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use super::frames::{Frames, Raw};
use super::way::{Once, Taken, Trouble, Way};

/// How much may wait to be passed on before nothing more is read.
const WAITING_BYTES_MAX: usize = 256 << 10;

/// How often it is looked whether a way has become open, or blocked.
const LOOK: Duration = Duration::from_millis(20);

/// How long a frame must wait for that to be felt: less is what the machine takes anyway.
const FELT_FROM: Duration = Duration::from_millis(10);

/// How long the sender's end of a connection stays open that is gone for its receiver: longer than any silence is borne.
const GONE_FOR: Duration = Duration::from_secs(30);

/// Passes on what one node sends over one connection.
pub(super) struct Pump {
    from: TcpStream,
    to: TcpStream,
    way: Arc<Way>,
    frames: Frames,
    /// What is to be written, and since when. When it may go is asked of the way each time, so that nothing waits any
    /// more for a trouble that is over.
    waiting: VecDeque<(Instant, Vec<u8>)>,
    waiting_bytes: usize,
    /// Since when a narrow way has room for the next frame.
    free_since: Instant,
    /// A frame that waits to be overtaken, until when, and by which order.
    overtaken: Option<(Raw, Instant, Taken)>,
    /// How the connection ends behind what waits, where it was ordered to.
    end: Option<End>,
    /// Whether the other direction of the connection is to keep from its receiver that it has ended.
    is_secret: Arc<AtomicBool>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// For both.
    Both,
    /// For the one that receives.
    Receiver,
}

impl Pump {
    /// For one direction of a connection; both have the same secret.
    pub(super) fn new(
        from: TcpStream,
        to: TcpStream,
        way: Arc<Way>,
        frames: Frames,
        is_secret: Arc<AtomicBool>,
    ) -> Self {
        let (waiting, waiting_bytes, free_since) = (VecDeque::new(), 0, Instant::now());
        Pump {
            from,
            to,
            way,
            frames,
            waiting,
            waiting_bytes,
            free_since,
            overtaken: None,
            end: None,
            is_secret,
        }
    }

    /// Passes on until one of the ends closes the connection.
    pub(super) fn run(mut self) {
        let worked = self.work();
        if let Some((_, _, taken)) = self.overtaken {
            self.way.give_back(taken);
        }
        if worked.is_err() && !self.is_secret.load(Relaxed) {
            // One that has gone is gone for the other as well.
            let _ = self.from.shutdown(Shutdown::Both);
            let _ = self.to.shutdown(Shutdown::Both);
        }
    }

    fn work(&mut self) -> io::Result<()> {
        let mut piece = vec![0; 64 << 10];
        let mut is_over = false;
        loop {
            if !self.way.wait_open(LOOK) {
                continue;
            }
            self.let_go_overtaken(is_over);
            self.write_due()?;
            if self.waiting.is_empty() && self.overtaken.is_none() {
                match self.end {
                    Some(End::Both) => return Err(ErrorKind::ConnectionAborted.into()),
                    Some(End::Receiver) => return self.abandon(),
                    None if is_over && self.is_secret.load(Relaxed) => return Ok(()),
                    None if is_over => return self.to.shutdown(Shutdown::Write),
                    None => {}
                }
            }
            if is_over || self.end.is_some() || self.waiting_bytes > WAITING_BYTES_MAX {
                std::thread::sleep(self.pause());
                continue;
            }
            self.from.set_read_timeout(Some(self.pause()))?;
            match self.from.read(&mut piece) {
                Ok(0) => is_over = true,
                Ok(bytes) => self.take(&piece[..bytes])?,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes bytes in.
    fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.frames.push(bytes);
        while self.end.is_none()
            && let Some(raw) = self.frames.next().map_err(io::Error::other)?
        {
            match self.way.take_order(&raw) {
                None => self.pass(raw),
                Some(taken) => self.harm(taken, raw),
            }
        }
        Ok(())
    }

    /// Does what was ordered to one frame.
    fn harm(&mut self, taken: Taken, mut raw: Raw) {
        let kind = raw.header.kind;
        match taken.once {
            // It is harmed when it is overtaken.
            Once::Reorder(within) => {
                return self.overtaken = Some((raw, Instant::now() + within, taken));
            }
            Once::Duplicate => {
                self.pass(raw.clone());
                self.pass(raw);
            }
            Once::Truncate => {
                raw.bytes.truncate(raw.bytes.len() / 2);
                self.pass(raw);
                self.end = Some(End::Both);
            }
            Once::Flip(bit) => {
                let bit = bit % (raw.bytes.len() as u64 * 8);
                raw.bytes[(bit / 8) as usize] ^= 1 << (bit % 8);
                self.pass(raw);
            }
            Once::Cut => {
                self.pass(raw);
                self.end = Some(End::Receiver);
            }
        }
        self.way.has_harmed(taken, kind);
    }

    /// Puts a frame behind those that wait, and the one that it overtakes behind it.
    pub(super) fn pass(&mut self, raw: Raw) {
        let of = |raw: &Raw| (raw.header.kind, raw.header.channel);
        let overtakes = self.overtaken.as_ref().is_some_and(|(held, ..)| of(held) == of(&raw));
        self.queue(raw.bytes);
        if overtakes && let Some((held, _, taken)) = self.overtaken.take() {
            self.way.has_harmed(taken, held.header.kind);
            self.queue(held.bytes);
        }
    }

    fn queue(&mut self, bytes: Vec<u8>) {
        self.waiting_bytes += bytes.len();
        self.waiting.push_back((Instant::now(), bytes));
    }

    /// Lets a frame go that nothing has overtaken in time, or that nothing follows. Another is to be harmed in its place.
    fn let_go_overtaken(&mut self, at_once: bool) {
        let is_late = |(_, until, _): &mut (Raw, Instant, Taken)| at_once || Instant::now() >= *until;
        if let Some((held, _, taken)) = self.overtaken.take_if(is_late) {
            self.way.give_back(taken);
            self.queue(held.bytes);
        }
    }

    /// When the first frame that waits may go in such a trouble.
    fn due(&self, trouble: Option<Trouble>) -> Option<Instant> {
        let (since, bytes) = self.waiting.front()?;
        Some(match trouble {
            Some(Trouble::Late(by)) => *since + by,
            Some(Trouble::Narrow(in_a_second)) => {
                let takes = Duration::from_secs_f64(bytes.len() as f64 / in_a_second.max(1) as f64);
                self.free_since.max(*since) + takes
            }
            Some(Trouble::Blocked) | None => *since,
        })
    }

    fn write_due(&mut self) -> io::Result<()> {
        loop {
            let trouble = self.way.trouble_now();
            let Some(due) = self.due(trouble) else { return Ok(()) };
            if due > Instant::now() {
                let waits = self.waiting.front().map(|(since, _)| due.duration_since(*since));
                if let Some(trouble) = trouble.filter(|_| waits >= Some(FELT_FROM)) {
                    self.way.feel(trouble);
                }
                return Ok(());
            }
            let Some((_, bytes)) = self.waiting.pop_front() else { return Ok(()) };
            self.to.write_all(&bytes)?;
            self.waiting_bytes -= bytes.len();
            self.free_since = due;
        }
    }

    /// How long until there may be something to do.
    fn pause(&self) -> Duration {
        let due = self.due(self.way.trouble_now()).map(|due| due.saturating_duration_since(Instant::now()));
        due.unwrap_or(LOOK).clamp(Duration::from_millis(1), LOOK)
    }

    /// Lets the receiver's end go, and takes nothing more from the sender, as a machine does that is gone.
    fn abandon(&mut self) -> io::Result<()> {
        self.is_secret.store(true, Relaxed);
        self.to.shutdown(Shutdown::Both)?;
        std::thread::sleep(GONE_FOR);
        self.from.shutdown(Shutdown::Both)
    }
}
