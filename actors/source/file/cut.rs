//! Cuts files into splits.

use std::fmt;

use serde::{Deserialize, Serialize};
use watershed_core::Data;

use super::find::Found;

/// Files below this size are not cut unless told, in bytes: a split costs an open file and a buffer.
const CUT_BYTES_MIN: u64 = 8 * 1024 * 1024;

/// A file, or the part of one in which the rows of a split begin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Data)]
pub struct FileRange {
    pub(super) path: String,
    pub(super) gzip: bool,
    /// The first byte.
    pub(super) start: u64,
    /// The byte behind the last; a split that reaches the end of the file has none.
    pub(super) end: Option<u64>,
    /// Which part of the source's rate is for it, where that has one: 0 to 1. The rate itself is not saved with the
    /// range: a job that is started again with another one goes on at that.
    pub(super) share: f64,
    /// About how many bytes there are to read.
    weight: u64,
}

impl fmt::Display for FileRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.end {
            None if self.start == 0 => f.write_str(&self.path),
            None => write!(f, "{} from byte {}", self.path, self.start),
            Some(end) => write!(f, "{} from byte {} to {end}", self.path, self.start),
        }
    }
}

/// Adds the ranges of a file: parts of `part` bytes, or as many as there are subtasks.
pub(super) fn cut(file: Found, part: Option<u64>, parallelism: u32, ranges: &mut Vec<FileRange>) {
    let part = part.unwrap_or_else(|| file.bytes.div_ceil(u64::from(parallelism)).max(CUT_BYTES_MIN));
    let mut start = 0_u64;
    loop {
        let end = start.saturating_add(part);
        let last = file.gzip || end >= file.bytes;
        ranges.push(FileRange {
            path: file.path.clone(),
            gzip: file.gzip,
            start,
            end: (!last).then_some(end),
            share: 1.0,
            weight: end.min(file.bytes) - start,
        });
        if last {
            return;
        }
        start = end;
    }
}

/// Deals the source's rate out to the ranges in the measure of their size, so that all of them end together.
pub(super) fn share_out(ranges: &mut [FileRange]) {
    let total: f64 = ranges.iter().map(|range| range.weight.max(1) as f64).sum();
    for range in ranges {
        range.share = range.weight.max(1) as f64 / total;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(bytes: u64, gzip: bool, part: Option<u64>, parallelism: u32) -> Vec<(u64, Option<u64>)> {
        let mut ranges = Vec::new();
        cut(Found { path: "f".to_owned(), bytes, gzip }, part, parallelism, &mut ranges);
        ranges.iter().map(|range| (range.start, range.end)).collect()
    }

    #[test]
    fn ranges_cover_the_file_and_the_last_is_open() {
        assert_eq!(ranges(25, false, Some(10), 1), [(0, Some(10)), (10, Some(20)), (20, None)]);
        assert_eq!(ranges(20, false, Some(10), 1), [(0, Some(10)), (10, None)]);
        assert_eq!(ranges(0, false, Some(10), 1), [(0, None)]);
    }

    #[test]
    fn large_plain_files_are_dealt_out_to_the_subtasks_and_small_or_compressed_ones_are_not() {
        let size = 4 * CUT_BYTES_MIN;
        assert_eq!(ranges(size, false, None, 2), [(0, Some(size / 2)), (size / 2, None)]);
        assert_eq!(ranges(CUT_BYTES_MIN, false, None, 2), [(0, None)]);
        assert_eq!(ranges(size, true, None, 2), [(0, None)]);
        assert_eq!(ranges(size, true, Some(10), 2), [(0, None)]);
    }

    #[test]
    fn the_shares_of_a_rate_add_up() {
        let mut ranges = Vec::new();
        cut(Found { path: "f".to_owned(), bytes: 25, gzip: false }, Some(10), 1, &mut ranges);
        share_out(&mut ranges);
        let shares: Vec<f64> = ranges.iter().map(|range| range.share).collect();
        assert_eq!(shares, [0.4, 0.4, 0.2]);
    }
}
