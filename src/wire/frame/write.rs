//! Writes frames.

use super::{FIELDS, Header, PROTOCOL};

/// A frame under way: its header is written, its body is being appended to the same buffer.
///
/// The body is written where it will be sent from, so that it is written once.
#[derive(Debug)]
#[must_use = "a frame is nothing before it is finished"]
pub struct Draft {
    begin: usize,
    body: usize,
}

impl Draft {
    /// Begins a frame at the end of a buffer. Whatever is appended until [`Draft::finish`] is its body.
    pub fn begin(header: &Header, out: &mut Vec<u8>) -> Self {
        let begin = out.len();
        out.push(0x90 | FIELDS);
        out.push(PROTOCOL);
        let Header { job, run, channel, sequence, epoch, kind, records } = *header;
        put_uint(out, u64::from(job));
        put_uint(out, u64::from(run.0));
        put_uint(out, u64::from(channel));
        put_uint(out, sequence.0);
        put_uint(out, epoch.0);
        out.push(kind as u8);
        out.push(0xc0);
        put_uint(out, u64::from(records));
        // Of a fixed width, since the length is known only at the end.
        out.extend([0xc6, 0, 0, 0, 0]);
        Draft { begin, body: out.len() }
    }

    /// How many bytes the body has so far.
    pub fn body_bytes(&self, out: &[u8]) -> usize {
        out.len() - self.body
    }

    /// Ends the frame; its checksum.
    ///
    /// # Panics
    ///
    /// Where the body has 4 GiB and more: whoever wrote it has not kept to its [`Limits`](super::Limits).
    pub fn finish(self, out: &mut Vec<u8>) -> u32 {
        let length = u32::try_from(out.len() - self.body).expect("a body keeps to its limit");
        out[self.body - 4..self.body].copy_from_slice(&length.to_be_bytes());
        let checksum = crc32c::crc32c(&out[self.begin..]);
        out.push(0xce);
        out.extend(checksum.to_be_bytes());
        checksum
    }

    /// Appends a whole frame to a buffer; its checksum.
    pub fn write(header: &Header, body: &[u8], out: &mut Vec<u8>) -> u32 {
        let draft = Draft::begin(header, out);
        out.extend_from_slice(body);
        draft.finish(out)
    }
}

/// Appends an unsigned integer in the shortest form.
fn put_uint(out: &mut Vec<u8>, value: u64) {
    match value {
        0..=0x7f => out.push(value as u8),
        0x80..=0xff => out.extend([0xcc, value as u8]),
        0x100..=0xffff => {
            out.push(0xcd);
            out.extend((value as u16).to_be_bytes());
        }
        0x1_0000..=0xffff_ffff => {
            out.push(0xce);
            out.extend((value as u32).to_be_bytes());
        }
        _ => {
            out.push(0xcf);
            out.extend(value.to_be_bytes());
        }
    }
}
