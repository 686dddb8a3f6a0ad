//! What waits to be written to a peer.
//!
//! Any thread puts frames in; one task takes all of them out at once and writes them together, as many buffers a system
//! call as it takes. So the more there is to write, the fewer calls it costs, and the task is woken only where it has
//! run out of work: a thread that sends much wakes it once.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard};

use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::Notify;

use crate::error::LinkDown;
use crate::traffic::Traffic;

/// How many buffers one system call takes.
const SLICES: usize = 64;

/// Up to this size, a frame is appended to the buffer before it instead of getting its own.
const SMALL_BYTES: usize = 4 << 10;

/// How large a buffer gets by that.
const SHARED_BYTES: usize = 64 << 10;

/// How large a buffer may be to be kept for the next frames.
const SPARE_BYTES_MAX: usize = 4 << 20;

/// Frames on their way to one connection.
#[derive(Debug)]
pub(crate) struct Queue {
    inner: Mutex<Inner>,
    /// Wakes the task that writes.
    filled: Notify,
    /// What has been put in and not been written, in bytes.
    waiting: AtomicUsize,
    bytes_max: usize,
    spare_max: usize,
}

#[derive(Debug)]
struct Inner {
    buffers: VecDeque<Vec<u8>>,
    spare: Vec<Vec<u8>>,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Open,
    /// Nothing more comes; what is there is written.
    Finishing,
    Closed,
}

/// What became of frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Put {
    Taken,
    /// They are too much: the link is to be broken.
    TooMuch {
        waiting: usize,
    },
}

impl Queue {
    pub(crate) fn new(bytes_max: usize, spare_max: usize) -> Self {
        let inner = Inner { buffers: VecDeque::new(), spare: Vec::new(), stage: Stage::Open };
        let (inner, filled, waiting) = (Mutex::new(inner), Notify::new(), AtomicUsize::new(0));
        Queue { inner, filled, waiting, bytes_max, spare_max }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no thread panics while it holds the queue")
    }

    /// An empty buffer, one that was used before where there is one.
    pub(crate) fn buffer(&self) -> Vec<u8> {
        self.inner().spare.pop().unwrap_or_default()
    }

    /// Puts whole frames in.
    pub(crate) fn put(&self, frames: Vec<u8>) -> Result<Put, LinkDown> {
        let bytes = frames.len();
        let mut inner = self.inner();
        if inner.stage != Stage::Open {
            return Err(LinkDown);
        }
        if bytes == 0 {
            return Ok(Put::Taken);
        }
        let waiting = self.waiting.load(Relaxed) + bytes;
        if waiting > self.bytes_max {
            return Ok(Put::TooMuch { waiting });
        }
        self.waiting.fetch_add(bytes, Relaxed);
        let had_none = inner.buffers.is_empty();
        match inner.buffers.back_mut() {
            Some(last) if bytes <= SMALL_BYTES && last.len() + bytes <= SHARED_BYTES => {
                last.extend_from_slice(&frames);
                self.keep(&mut inner, frames);
            }
            Some(_) | None => inner.buffers.push_back(frames),
        }
        drop(inner);
        if had_none {
            self.filled.notify_one();
        }
        Ok(Put::Taken)
    }

    /// Takes nothing more in, and ends the writing when what is there has been written.
    pub(crate) fn finish(&self) {
        let mut inner = self.inner();
        if inner.stage == Stage::Open {
            inner.stage = Stage::Finishing;
        }
        drop(inner);
        self.filled.notify_one();
    }

    /// Takes nothing more in, and forgets what is there.
    pub(crate) fn close(&self) {
        let mut inner = self.inner();
        inner.stage = Stage::Closed;
        inner.buffers.clear();
        inner.spare.clear();
    }

    /// How much has been put in and not been written, in bytes.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Relaxed)
    }

    fn keep(&self, inner: &mut Inner, mut buffer: Vec<u8>) {
        let of_use = (1..=SPARE_BYTES_MAX).contains(&buffer.capacity());
        if of_use && inner.spare.len() < self.spare_max && inner.stage == Stage::Open {
            buffer.clear();
            inner.spare.push(buffer);
        }
    }

    /// Takes out all there is. Whether more may come.
    fn take(&self, batch: &mut VecDeque<Vec<u8>>) -> bool {
        let mut inner = self.inner();
        std::mem::swap(&mut inner.buffers, batch);
        inner.stage == Stage::Open
    }

    /// Writes until the queue is finished, or the connection fails.
    pub(crate) async fn write_to(
        &self,
        writer: &mut (impl AsyncWrite + Unpin + ?Sized),
        traffic: &Traffic,
    ) -> io::Result<()> {
        let mut batch = VecDeque::new();
        loop {
            let open = self.take(&mut batch);
            if !batch.is_empty() {
                self.write_batch(&mut batch, writer, traffic).await?;
                continue;
            }
            writer.flush().await?;
            if !open {
                return writer.shutdown().await;
            }
            self.filled.notified().await;
        }
    }

    async fn write_batch(
        &self,
        batch: &mut VecDeque<Vec<u8>>,
        writer: &mut (impl AsyncWrite + Unpin + ?Sized),
        traffic: &Traffic,
    ) -> io::Result<()> {
        // How much of the first buffer has been written.
        let mut begun = 0;
        while !batch.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let mut count = 0;
            for (slice, buffer) in slices.iter_mut().zip(batch.iter()) {
                *slice = IoSlice::new(if count == 0 { &buffer[begun..] } else { buffer });
                count += 1;
            }
            let mut written = writer.write_vectored(&slices[..count]).await?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            traffic.wrote(written);
            self.waiting.fetch_sub(written, Relaxed);
            written += begun;
            while let Some(first) = batch.front()
                && written >= first.len()
            {
                written -= first.len();
                let buffer = batch.pop_front().expect("it has a front");
                self.keep(&mut self.inner(), buffer);
            }
            begun = written;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_takes_no_more_than_its_limit() {
        let queue = Queue::new(10, 4);
        assert_eq!(queue.put(Vec::new()), Ok(Put::Taken));
        assert_eq!(queue.put(vec![0; 6]), Ok(Put::Taken));
        assert_eq!(queue.put(vec![0; 5]), Ok(Put::TooMuch { waiting: 11 }));
        queue.close();
        assert_eq!(queue.put(vec![0; 1]), Err(LinkDown));
    }

    #[actix_rt::test]
    async fn all_is_written_in_order_before_a_finished_queue_ends() {
        let queue = Queue::new(4 << 20, 4);
        let mut expected = Vec::new();
        for number in 0..300_u32 {
            let frames = number.to_be_bytes().repeat(1 + number as usize * 8);
            expected.extend_from_slice(&frames);
            assert_eq!(queue.put(frames), Ok(Put::Taken));
        }
        queue.finish();
        assert_eq!(queue.put(vec![0]), Err(LinkDown));
        let mut written = Vec::new();
        queue.write_to(&mut written, &Traffic::new()).await.unwrap();
        assert_eq!(written, expected);
        assert_eq!(queue.waiting(), 0);
    }
}
