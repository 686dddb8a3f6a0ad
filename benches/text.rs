//! The word file of `word-count`: made once, kept between runs, read in blocks.
//!
//! 100,000 different words of 3 to 10 letters, drawn with Zipf's law (exponent 1.1) from a fixed seed, twelve to
//! a line. The same size in bytes always gives the same file. A word is a run of bytes above the space.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::workload::{Parameters, splitmix64};

const WORDS: usize = 100_000;
const EXPONENT: f64 = 1.1;
const WORDS_PER_LINE: u64 = 12;
const SEED: u64 = 2;

/// Size of the blocks in which a file is read; no word may be longer.
pub(crate) const BLOCK_BYTES_MAX: usize = 64 << 10;

/// The word file: the one that is named, or one of about the given size beside this binary, made if it is not there.
pub(crate) fn path(parameters: &Parameters) -> Result<PathBuf, Error> {
    if let Some(path) = &parameters.text {
        return Ok(path.clone());
    }
    let bytes = parameters.bytes;
    let binary =
        std::env::current_exe().map_err(|source| Error::Text { path: PathBuf::from("words"), source })?;
    let path = binary.with_file_name(format!("words-{bytes}.txt"));
    if !path.exists() {
        // A file that was cut short by Ctrl-C must not be taken for the whole.
        let part = path.with_extension("part");
        write_words(&part, bytes)
            .and_then(|()| fs::rename(&part, &path))
            .map_err(|source| Error::Text { path: path.clone(), source })?;
    }
    Ok(path)
}

fn write_words(path: &Path, bytes: u64) -> io::Result<()> {
    let (words, limits) = (words(), zipf_limits());
    let mut file = BufWriter::with_capacity(BLOCK_BYTES_MAX, File::create(path)?);
    let (mut written, mut drawn) = (0, 0);
    while written < bytes {
        let point = splitmix64(splitmix64(SEED) ^ drawn);
        let word = &words[limits.partition_point(|limit| *limit < point).min(WORDS - 1)];
        drawn += 1;
        file.write_all(word.as_bytes())?;
        file.write_all(if drawn % WORDS_PER_LINE == 0 { b"\n" } else { b" " })?;
        written += word.len() as u64 + 1;
    }
    file.into_inner()?.sync_all()
}

/// The words by rank, all different.
fn words() -> Vec<String> {
    let mut known = HashSet::new();
    let word = |number: u64| {
        let mut bits = splitmix64(splitmix64(SEED + 1) ^ number);
        let letters = 3 + bits % 8;
        let letter = |_| {
            bits = splitmix64(bits);
            char::from(b"abcdefghijklmnopqrstuvwxyz"[usize::try_from(bits % 26).expect("26 fits")])
        };
        (0..letters).map(letter).collect::<String>()
    };
    (0..).map(word).filter(|word| known.insert(word.clone())).take(WORDS).collect()
}

/// For each rank, the share of draws that fall on it or a lower rank, as a fraction of 2^64.
fn zipf_limits() -> Vec<u64> {
    let weights = || (1..=WORDS).map(|rank| (rank as f64).powf(-EXPONENT));
    let total: f64 = weights().sum();
    let below = weights().scan(0.0, |sum, weight| {
        *sum += weight;
        Some(*sum / total)
    });
    below.map(|share| (share * 2f64.powi(64)) as u64).collect()
}

/// Reads one part of a file in blocks that begin and end between words.
#[derive(Debug)]
pub(crate) struct Blocks {
    file: File,
    path: PathBuf,
    at: u64,
    end: u64,
    buffer: Vec<u8>,
}

impl Blocks {
    /// Opens part `part` of the `parts` of about equal size; each word is in exactly one of them.
    pub(crate) fn open(path: &Path, part: usize, parts: usize) -> Result<Self, Error> {
        let open = || {
            let file = File::open(path)?;
            let bytes = file.metadata()?.len();
            let limit = |part: usize| gap_at(&file, bytes * part as u64 / parts as u64, bytes);
            let (at, end) = (limit(part)?, limit(part + 1)?);
            Ok(Self { file, path: path.into(), at, end, buffer: vec![0; BLOCK_BYTES_MAX] })
        };
        open().map_err(|source| Error::Text { path: path.into(), source })
    }

    /// The next block, or nothing at the end of the part.
    pub(crate) fn next(&mut self) -> Result<Option<&[u8]>, Error> {
        if self.at == self.end {
            return Ok(None);
        }
        let bytes = BLOCK_BYTES_MAX.min(usize::try_from(self.end - self.at).unwrap_or(BLOCK_BYTES_MAX));
        let block = &mut self.buffer[..bytes];
        let whole = self.file.read_exact_at(block, self.at).and_then(|()| {
            if self.at + bytes as u64 == self.end {
                return Ok(bytes);
            }
            let gap = block.iter().rposition(|byte| *byte <= b' ');
            gap.map(|gap| gap + 1)
                .ok_or_else(|| io::Error::other(format!("a word is longer than {bytes} bytes")))
        });
        let bytes = whole.map_err(|source| Error::Text { path: self.path.clone(), source })?;
        self.at += bytes as u64;
        Ok(Some(&self.buffer[..bytes]))
    }

    /// The next block as text; an error if it is not UTF-8.
    pub(crate) fn next_text(&mut self) -> Result<Option<&str>, Error> {
        let path = self.path.clone();
        let block = self.next()?.map(str::from_utf8).transpose();
        block.map_err(|source| Error::Text {
            path,
            source: io::Error::new(io::ErrorKind::InvalidData, source),
        })
    }
}

/// The first place at or after `at` where a cut goes through no word and separates those that begin before it.
fn gap_at(file: &File, at: u64, bytes: u64) -> io::Result<u64> {
    if at == 0 || at >= bytes {
        return Ok(at.min(bytes));
    }
    let mut block = vec![0; BLOCK_BYTES_MAX];
    let read = file.read_at(&mut block, at - 1)?;
    let gap = block[..read].iter().position(|byte| *byte <= b' ');
    Ok(gap.map_or(bytes, |gap| at - 1 + gap as u64))
}

/// The words of a block.
pub(crate) fn words_of(block: &[u8]) -> impl Iterator<Item = &[u8]> {
    block.split(|byte| *byte <= b' ').filter(|word| !word.is_empty())
}

/// The number under which a word goes into the tally.
pub(crate) fn key_of_word(word: &[u8]) -> u64 {
    word.chunks(8).fold(word.len() as u64, |key, chunk| {
        let mut bytes = [0; 8];
        bytes[..chunk.len()].copy_from_slice(chunk);
        splitmix64(key ^ u64::from_le_bytes(bytes))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words_by_part(text: &str, parts: usize) -> Vec<String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        let mut words = Vec::new();
        for part in 0..parts {
            let mut blocks = Blocks::open(file.path(), part, parts).unwrap();
            while let Some(block) = blocks.next().unwrap() {
                words.extend(words_of(block).map(|word| String::from_utf8(word.to_vec()).unwrap()));
            }
        }
        words
    }

    #[test]
    fn each_word_is_in_one_part_wherever_the_cut_falls() {
        for parts in 1..12 {
            assert_eq!(
                words_by_part(" a bcd  efghi\nj kl", parts),
                ["a", "bcd", "efghi", "j", "kl"],
                "{parts} parts"
            );
        }
    }

    #[test]
    fn words_across_blocks_stay_whole() {
        let text = "word ".repeat(BLOCK_BYTES_MAX);
        let words = words_by_part(&text, 2);
        assert_eq!(words.len(), BLOCK_BYTES_MAX);
        assert!(words.iter().all(|word| word == "word"));
    }

    #[test]
    fn the_last_word_needs_no_gap_behind_it() {
        assert_eq!(words_by_part("one two", 1), ["one", "two"]);
    }

    #[test]
    fn a_file_is_made_of_known_words_with_the_commonest_drawn_most() {
        let file = tempfile::NamedTempFile::new().unwrap();
        write_words(file.path(), 100_000).unwrap();
        let (text, known) = (fs::read_to_string(file.path()).unwrap(), words());
        let drawn = |word: &String| text.split_whitespace().filter(|drawn| drawn == word).count();
        let set: HashSet<&str> = known.iter().map(String::as_str).collect();
        assert!(text.split_whitespace().all(|word| set.contains(word)));
        assert!(drawn(&known[0]) > drawn(&known[1]) && drawn(&known[1]) > drawn(&known[9]));
    }
}
