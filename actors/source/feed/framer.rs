//! Cuts a stream of bytes into rows.

use std::io::{self, Read};
use std::sync::Arc;

use memchr::{memchr, memchr_iter};
use watershed_core::DeadLetter;

use super::{Chunk, Fed, Handover};
use crate::source::decode::without_terminator;

/// How much is read at once, in bytes.
const READ_BYTES: usize = 64 * 1024;
/// The bytes of a message's length.
const LENGTH_BYTES: usize = 4;

/// How rows follow each other in a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// Each ends in a newline.
    Lines,
    /// Each follows its length, four bytes, the highest first.
    Messages,
}

impl Framing {
    /// What a row is called.
    pub(super) fn noun(self) -> &'static str {
        match self {
            Framing::Lines => "line",
            Framing::Messages => "message",
        }
    }
}

/// The bytes of one peer that are not handed over yet.
///
/// Memory grows with what has arrived, never with what a length claims will.
pub(super) struct Framer {
    framing: Framing,
    row_bytes_max: usize,
    place: Arc<str>,
    rows_seen: u64,
    buffer: Vec<u8>,
    filled: usize,
    /// A line that is too long, while the rest of it is dropped.
    dropping: Option<Dropping>,
    /// Whether nothing that follows can be understood.
    broken: bool,
}

/// A line of which only the beginning is kept.
struct Dropping {
    beginning: Vec<u8>,
    /// How long it is, as far as it has been read.
    length: u64,
}

/// Why [`Framer::pump`] came back.
#[derive(Debug)]
pub(super) enum Pumped {
    /// The peer has closed the stream, or broken it.
    Closed,
    /// Nobody takes the rows any more.
    Stopped,
    /// The stream cannot be read.
    Failed(io::Error),
}

impl Framer {
    /// The framer of a peer's stream; an empty peer has no name.
    pub(super) fn new(framing: Framing, row_bytes_max: usize, peer: &str) -> Self {
        Framer {
            framing,
            row_bytes_max,
            place: format!("{peer} {}", framing.noun()).trim_start().into(),
            rows_seen: 0,
            buffer: vec![0; READ_BYTES],
            filled: 0,
            dropping: None,
            broken: false,
        }
    }

    /// How many rows the stream has had.
    pub(super) fn rows_seen(&self) -> u64 {
        self.rows_seen
    }

    /// Reads the stream and hands its rows over, until one of the two ends.
    pub(super) fn pump(&mut self, input: &mut impl Read, to: &Handover) -> Pumped {
        loop {
            if self.buffer.len() < self.filled + READ_BYTES {
                self.buffer.resize(self.filled + READ_BYTES, 0);
            }
            match input.read(&mut self.buffer[self.filled..]) {
                Ok(0) => return Pumped::Closed,
                Ok(read) => {
                    self.filled += read;
                    while let Some(fed) = self.next() {
                        if !to.give(fed) {
                            return Pumped::Stopped;
                        }
                    }
                    if self.broken {
                        return Pumped::Closed;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Pumped::Failed(error),
            }
            if to.bell.is_stopped() {
                return Pumped::Stopped;
            }
        }
    }

    /// What is left when the stream has ended: `whole` where a last line needs no newline.
    pub(super) fn finish(&mut self, whole: bool) -> Option<Fed> {
        let bytes = self.buffer[..self.filled].to_vec();
        self.filled = 0;
        if let Some(mut line) = self.dropping.take() {
            line.length += bytes.len() as u64;
            return Some(self.refused_long(line));
        }
        if bytes.is_empty() || self.broken {
            return None;
        }
        if whole && self.framing == Framing::Lines {
            let rows = vec![(0, bytes.len())];
            return Some(self.chunk(bytes, rows));
        }
        let reason = format!("the stream ended within this {}", self.framing.noun());
        Some(self.refused(DeadLetter::new("", reason, &bytes)))
    }

    /// The next thing to be handed over.
    fn next(&mut self) -> Option<Fed> {
        match self.framing {
            Framing::Lines => self.next_lines(),
            Framing::Messages => self.next_messages(),
        }
    }

    fn next_lines(&mut self) -> Option<Fed> {
        if let Some(mut line) = self.dropping.take() {
            let Some(newline) = memchr(b'\n', &self.buffer[..self.filled]) else {
                line.length += self.filled as u64;
                self.filled = 0;
                self.dropping = Some(line);
                return None;
            };
            line.length += newline as u64;
            self.forget(newline + 1);
            return Some(self.refused_long(line));
        }
        let (mut rows, mut begin) = (Vec::new(), 0);
        for newline in memchr_iter(b'\n', &self.buffer[..self.filled]) {
            if newline - begin > self.row_bytes_max {
                return Some(self.rows_or_long(rows, begin, newline + 1));
            }
            rows.push((begin, newline + 1));
            begin = newline + 1;
        }
        if rows.is_empty() {
            if self.filled > self.row_bytes_max {
                self.dropping = Some(Dropping::of(&self.buffer[..self.filled]));
                self.filled = 0;
            }
            return None;
        }
        Some(self.take(rows, begin))
    }

    /// The rows before a line that is too long or, where there are none, that line.
    fn rows_or_long(&mut self, rows: Vec<(usize, usize)>, begin: usize, end: usize) -> Fed {
        if !rows.is_empty() {
            return self.take(rows, begin);
        }
        let line = Dropping::of(without_terminator(&self.buffer[begin..end]));
        self.forget(end);
        self.refused_long(line)
    }

    fn next_messages(&mut self) -> Option<Fed> {
        let (mut rows, mut begin) = (Vec::new(), 0);
        while !self.broken
            && let Some((length, rest)) = self.buffer[begin..self.filled].split_first_chunk::<LENGTH_BYTES>()
        {
            let length = u32::from_be_bytes(*length) as usize;
            if length > self.row_bytes_max {
                if !rows.is_empty() {
                    break;
                }
                self.broken = true;
                let limit = self.row_bytes_max;
                let reason = format!(
                    "a message of {length} bytes, where {limit} is the limit; the connection is closed"
                );
                return Some(self.refused(DeadLetter::beginning("", reason, rest, length as u64)));
            }
            if rest.len() < length {
                break;
            }
            let body = begin + LENGTH_BYTES;
            begin = body + length;
            rows.push((body, begin));
        }
        (!rows.is_empty()).then(|| self.take(rows, begin))
    }

    /// Takes rows out of the buffer, which reach up to `end`.
    fn take(&mut self, rows: Vec<(usize, usize)>, end: usize) -> Fed {
        let bytes = self.buffer[..end].to_vec();
        self.forget(end);
        self.chunk(bytes, rows)
    }

    fn chunk(&mut self, bytes: Vec<u8>, rows: Vec<(usize, usize)>) -> Fed {
        let first = self.rows_seen + 1;
        self.rows_seen += rows.len() as u64;
        Fed::Rows(Chunk { place: Arc::clone(&self.place), first, bytes, rows })
    }

    fn forget(&mut self, bytes: usize) {
        self.buffer.copy_within(bytes..self.filled, 0);
        self.filled -= bytes;
    }

    fn refused_long(&mut self, line: Dropping) -> Fed {
        let reason = format!("longer than the limit of {} bytes for a row", self.row_bytes_max);
        self.refused(DeadLetter::beginning("", reason, &line.beginning, line.length))
    }

    /// Hands a letter over, with the place of the row that comes next.
    fn refused(&mut self, letter: DeadLetter) -> Fed {
        self.rows_seen += 1;
        Fed::Refused(DeadLetter { origin: format!("{} {}", self.place, self.rows_seen), ..letter })
    }
}

impl Dropping {
    fn of(line: &[u8]) -> Self {
        let beginning = line[..line.len().min(DeadLetter::BYTES_MAX)].to_vec();
        Dropping { beginning, length: line.len() as u64 }
    }
}

#[cfg(test)]
mod tests {
    use super::super::queue;
    use super::*;

    /// Gives out its bytes a few at a time.
    struct Dribble<'a>(&'a [u8], usize);

    impl Read for Dribble<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let step = self.1.min(self.0.len()).min(into.len());
            into[..step].copy_from_slice(&self.0[..step]);
            self.0 = &self.0[step..];
            Ok(step)
        }
    }

    /// The rows of a stream, and what was refused in it.
    fn framed(framing: Framing, step: usize, bytes: &[u8], whole: bool) -> (Vec<Vec<u8>>, Vec<String>) {
        let (handover, feed) = queue();
        let mut framer = Framer::new(framing, 10, "peer");
        let thread = std::thread::spawn(move || feed.iter().map(|handed| handed.fed).collect::<Vec<Fed>>());
        assert!(matches!(framer.pump(&mut Dribble(bytes, step), &handover), Pumped::Closed));
        framer.finish(whole).into_iter().for_each(|fed| assert!(handover.give(fed)));
        drop(handover);
        let (mut rows, mut refused) = (Vec::new(), Vec::new());
        for fed in thread.join().unwrap() {
            match fed {
                Fed::Rows(chunk) => {
                    rows.extend(chunk.rows.iter().map(|row| chunk.bytes[row.0..row.1].to_vec()));
                }
                Fed::Refused(DeadLetter { origin, reason, bytes, .. }) => {
                    refused.push(format!("{origin}: {reason}: {}", String::from_utf8_lossy(&bytes)));
                }
                Fed::Failed { .. } | Fed::Ended => unreachable!("a framer hands over rows and refusals"),
            }
        }
        (rows, refused)
    }

    #[test]
    fn lines_are_cut_at_newlines_however_they_arrive() {
        for step in 1..20 {
            let (rows, refused) = framed(Framing::Lines, step, b"a\n\nbcd\r\nrest", true);
            assert_eq!(rows, [b"a\n".as_slice(), b"\n", b"bcd\r\n", b"rest"]);
            assert_eq!(refused, [] as [&str; 0]);
            let (rows, refused) = framed(Framing::Lines, step, b"a\nrest", false);
            assert_eq!(rows, [b"a\n"]);
            assert_eq!(refused, ["peer line 2: the stream ended within this line: rest"]);
        }
    }

    #[test]
    fn a_line_above_the_limit_is_dropped_and_the_next_is_read() {
        for step in [1, 3, 7, 100] {
            let (rows, refused) = framed(Framing::Lines, step, b"a\n0123456789abcdefghij\nb\n", true);
            assert_eq!(rows, [b"a\n", b"b\n"]);
            assert_eq!(refused.len(), 1);
            let wanted = "peer line 2: longer than the limit of 10 bytes for a row";
            assert!(refused[0].starts_with(wanted), "{}", refused[0]);
            let kept = refused[0].rsplit(": ").next().unwrap();
            assert!("0123456789abcdefghij".starts_with(kept) && kept.len() > 10, "{kept}");
            let cut = format!("; cut to the first {} of 20 bytes", kept.len());
            assert_eq!(refused[0].contains(&cut), kept.len() < 20, "{}", refused[0]);
        }
    }

    #[test]
    fn messages_are_cut_by_their_lengths_however_they_arrive() {
        let bytes =
            [&[0, 0, 0, 2][..], b"ab", &[0, 0, 0, 0], &[0, 0, 0, 10], b"0123456789", &[0, 0, 0, 3], b"x"];
        for step in 1..30 {
            let (rows, refused) = framed(Framing::Messages, step, &bytes.concat(), true);
            assert_eq!(rows, [b"ab".as_slice(), b"", b"0123456789"]);
            assert_eq!(refused, ["peer message 4: the stream ended within this message: \0\0\0\u{3}x"]);
        }
    }

    #[test]
    fn a_length_above_the_limit_breaks_the_stream_before_memory_is_spent() {
        let bytes = [&[0, 0, 0, 1][..], b"a", &[255, 255, 255, 255], &b"x".repeat(100)];
        let (rows, refused) = framed(Framing::Messages, 9, &bytes.concat(), true);
        assert_eq!(rows, [b"a"]);
        assert_eq!(refused.len(), 1);
        assert!(refused[0].contains("4294967295 bytes, where 10 is the limit"), "{}", refused[0]);
    }
}
