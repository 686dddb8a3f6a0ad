//! Reads the rows of one split of a file.

use std::fs::File;
use std::io::Read;

use memchr::memchr_iter;
use watershed_core::{DeadLetter, Polled, Position, Reader, SourceError, SourceOutput};

use super::cut::FileRange;
use super::rows::Rows;
use crate::source::decode::{Decode, Refusal, without_terminator};
use crate::source::pace::Pace;

/// How often one poll reads from the file: about 4 MiB, a few milliseconds.
const READS_PER_POLL_MAX: usize = 16;
/// Up to which offset lines are counted, to name the line of a dead letter; behind it the byte is named.
const COUNTED_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// Reads the rows of one split.
#[derive(Debug)]
pub struct FileReader<D> {
    decoder: D,
    range: FileRange,
    row_bytes_max: usize,
    rows: Rows,
    at: At,
    position: u64,
    lines: LineCount,
    pace: Option<Pace>,
}

/// What the next bytes of the file are.
#[derive(Debug)]
enum At {
    /// Rows.
    Rows,
    /// So many bytes that were read before the restart.
    Read(u64),
    /// The rest of a row that began in the split before this one.
    Foreign,
    /// The rest of a row that is too long, of which `beginning` was kept and `length` bytes have been read.
    TooLong { beginning: Vec<u8>, length: u64 },
}

/// How many lines lie before the next row.
#[derive(Debug)]
struct LineCount {
    /// Lines before `from`, once they have been counted.
    before: Option<u64>,
    /// Where the counting of `since` began.
    from: u64,
    since: u64,
}

impl<D: Decode> FileReader<D> {
    pub(super) fn open(
        range: &FileRange,
        from: Option<Position>,
        mut decoder: D,
        row_bytes_max: usize,
        pace: Option<Pace>,
    ) -> Result<Self, SourceError> {
        let mut rows = Rows::open(&range.path, range.gzip)?;
        rows.skip_mark()?;
        let header_lines = if decoder.wants_header() {
            read_header(&mut decoder, &mut rows, &range.path, row_bytes_max)?
        } else {
            0
        };
        let body = rows.offset();
        let position = from.map_or(range.start, |position| position.0).max(body);
        let mut at = At::Rows;
        let mut before = (position == body).then_some(header_lines);
        if position > body {
            rows = Rows::open(&range.path, range.gzip)?;
            // A split's first byte may lie within a row; what was saved as a position never does.
            let aligned = position > range.start;
            let left = rows.seek(if aligned { position } else { position - 1 })?;
            at = match left {
                0 if aligned => At::Rows,
                0 => At::Foreign,
                left => At::Read(left),
            };
            before = (left > 0).then_some(0);
        }
        Ok(FileReader {
            decoder,
            range: range.clone(),
            row_bytes_max,
            rows,
            at,
            position,
            lines: LineCount { before, from: position, since: 0 },
            pace,
        })
    }

    /// Emits or refuses the row of `len` bytes at the front of the buffer; returns how many records it made.
    #[inline]
    fn take_row(&mut self, len: usize, out: &mut impl SourceOutput<D::Out>) -> usize {
        let row = &self.rows.bytes()[..len];
        if len > self.row_bytes_max {
            let (beginning, length) = beginning_of(row);
            self.refuse_long(&beginning, length, out);
            self.advance(len);
            return 1;
        }
        let mut emitted = 0;
        let decoded = self.decoder.decode(without_terminator(row), &mut |value| {
            emitted += 1;
            out.emit(value);
        });
        match decoded {
            Ok(()) => {
                if out.has_refused() {
                    self.place_refused(len, out);
                }
                self.advance(len);
            }
            Err(refusal) => self.refuse(len, &refusal, out),
        }
        emitted.max(1)
    }

    #[cold]
    fn place_refused(&mut self, len: usize, out: &mut impl SourceOutput<D::Out>) {
        let place = self.lines.place(&self.range.path, self.position);
        out.place_refused(&place, without_terminator(&self.rows.bytes()[..len]));
    }

    #[cold]
    fn refuse(&mut self, len: usize, refusal: &Refusal, out: &mut impl SourceOutput<D::Out>) {
        let bytes = self.rows.bytes();
        let len = if refusal.is_torn() { first_line(&bytes[..len]) } else { len };
        let place = self.lines.place(&self.range.path, self.position);
        out.dead_letter(&place, &refusal.to_string(), without_terminator(&bytes[..len]));
        self.advance(len);
    }

    #[cold]
    fn refuse_long(&mut self, beginning: &[u8], length: u64, out: &mut impl SourceOutput<D::Out>) {
        let place = self.lines.place(&self.range.path, self.position);
        let reason = format!("longer than the limit of {} bytes for a row", self.row_bytes_max);
        out.set_aside(DeadLetter::beginning(place, reason, beginning, length));
    }

    /// Has done with a row.
    #[inline]
    fn advance(&mut self, len: usize) {
        self.lines.since += if self.decoder.rows_are_lines() {
            1
        } else {
            memchr_iter(b'\n', &self.rows.bytes()[..len]).count() as u64
        };
        self.rows.consume(len);
        self.position = self.rows.offset();
    }

    /// A row has no end within the limit: sets its first line aside, or begins to drop it.
    #[cold]
    fn give_up_row(&mut self, out: &mut impl SourceOutput<D::Out>) {
        let bytes = self.rows.bytes();
        let line = first_line(bytes);
        if line < bytes.len() || bytes.ends_with(b"\n") {
            let (beginning, length) = beginning_of(&bytes[..line]);
            self.refuse_long(&beginning, length, out);
            self.advance(line);
        } else {
            let (beginning, _) = beginning_of(bytes);
            self.at = At::TooLong { beginning, length: line as u64 };
            self.rows.consume(line);
        }
    }

    /// Passes over bytes that are no rows of this split, as far as they have been read.
    fn pass_over(&mut self, out: &mut impl SourceOutput<D::Out>) {
        match &mut self.at {
            At::Rows => {}
            At::Read(left) => {
                let bytes = self.rows.bytes();
                let passed = bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                let newlines = memchr_iter(b'\n', &bytes[..passed]).count() as u64;
                self.lines.before = self.lines.before.map(|lines| lines + newlines);
                self.rows.consume(passed);
                *left -= passed as u64;
                if *left == 0 {
                    self.at = At::Rows;
                }
            }
            At::Foreign => {
                if let (_, true) = self.rows.drop_line() {
                    self.at = At::Rows;
                    self.position = self.rows.offset();
                    self.lines.from = self.position;
                }
            }
            At::TooLong { beginning, length } => {
                let (dropped, done) = self.rows.drop_line();
                *length += dropped as u64;
                if done {
                    let (beginning, length) = (std::mem::take(beginning), *length);
                    self.refuse_long(&beginning, length, out);
                    self.at = At::Rows;
                    self.position = self.rows.offset();
                    self.lines.since += 1;
                }
            }
        }
    }

    /// Reads until so many records have been emitted; returns how many, and whether the split has ended.
    #[inline]
    fn read(
        &mut self,
        records: usize,
        out: &mut impl SourceOutput<D::Out>,
    ) -> Result<(usize, bool), SourceError> {
        let end = self.range.end.unwrap_or(u64::MAX);
        let (mut done, mut reads) = (0, 0);
        while done < records {
            if !matches!(self.at, At::Rows) {
                self.pass_over(out);
            }
            if matches!(self.at, At::Rows) {
                if self.position >= end {
                    return Ok((done, true));
                }
                if let Some(len) = self.decoder.row_end(self.rows.bytes()) {
                    done += self.take_row(len, out);
                    continue;
                }
                let unread = self.rows.bytes().len();
                if unread > self.row_bytes_max {
                    self.give_up_row(out);
                    done += 1;
                    continue;
                }
                if self.rows.ended() {
                    if unread == 0 {
                        return Ok((done, true));
                    }
                    done += self.take_row(unread, out);
                    continue;
                }
            } else if self.rows.ended() {
                return Err(self.rows.shorter());
            }
            if reads == READS_PER_POLL_MAX {
                break;
            }
            self.rows.refill()?;
            reads += 1;
        }
        Ok((done, false))
    }
}

impl<D: Decode> Reader for FileReader<D> {
    type Out = D::Out;

    #[inline]
    fn poll(&mut self, out: &mut impl SourceOutput<D::Out>) -> Result<Polled, SourceError> {
        let (budget, now) = (out.budget(), out.now());
        let due = self.pace.as_mut().map_or(usize::MAX, |pace| pace.due(now));
        let (done, ended) = self.read(budget.min(due), out)?;
        if ended {
            // A job may read more files than it may hold open.
            self.rows.close();
        }
        Ok(match &mut self.pace {
            _ if ended => Polled::End,
            Some(pace) if matches!(self.at, At::Rows) => {
                let polled = pace.released(done as u64, now);
                if due > budget { Polled::More } else { polled }
            }
            _ => Polled::More,
        })
    }

    /// The offset of the next row.
    fn position(&self) -> Position {
        Position(self.position)
    }
}

impl LineCount {
    /// The name of the line at which a row begins.
    fn place(&mut self, path: &str, position: u64) -> String {
        if self.before.is_none() && self.from <= COUNTED_BYTES_MAX {
            self.before = count_lines(path, self.from);
        }
        match self.before {
            Some(before) => format!("line {}", before + self.since + 1),
            None => format!("byte {position}"),
        }
    }
}

/// What is kept of a row that is too long, and how long it is without its terminator.
fn beginning_of(row: &[u8]) -> (Vec<u8>, u64) {
    let row = without_terminator(row);
    (row[..row.len().min(DeadLetter::BYTES_MAX)].to_vec(), row.len() as u64)
}

/// Counts the lines of a plain file before an offset; none where it cannot be read.
fn count_lines(path: &str, before: u64) -> Option<u64> {
    let mut file = File::open(path).ok()?.take(before);
    let mut buffer = vec![0; 256 * 1024];
    let mut lines = 0;
    loop {
        match file.read(&mut buffer).ok()? {
            0 => return Some(lines),
            read => lines += memchr_iter(b'\n', &buffer[..read]).count() as u64,
        }
    }
}

/// Where the first line of some bytes ends.
fn first_line(bytes: &[u8]) -> usize {
    memchr::memchr(b'\n', bytes).map_or(bytes.len(), |newline| newline + 1)
}

/// Gives the file's first row to the decoder; returns how many lines it has.
fn read_header<D: Decode>(
    decoder: &mut D,
    rows: &mut Rows,
    path: &str,
    row_bytes_max: usize,
) -> Result<u64, SourceError> {
    loop {
        let found = decoder.row_end(rows.bytes());
        let len = match found {
            None if rows.ended() => rows.bytes().len(),
            None if rows.bytes().len() <= row_bytes_max => {
                rows.refill()?;
                continue;
            }
            None => usize::MAX,
            Some(len) => len,
        };
        let header = format!("{path} line 1");
        if len > row_bytes_max {
            return Err(SourceError::new(header, "the header is longer than the limit for a row"));
        }
        let row = without_terminator(&rows.bytes()[..len]);
        decoder.header(row).map_err(|refusal| SourceError::new(header, refusal))?;
        let lines = memchr_iter(b'\n', &rows.bytes()[..len]).count() as u64;
        rows.consume(len);
        return Ok(lines);
    }
}
