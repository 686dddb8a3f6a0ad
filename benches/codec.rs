//! `codec`: what it costs to write and read the batches that leave a process, beside `rmp-serde` row by row.
//!
//! The two take turns on the same records, so that the ratio of one run says something on a busy machine too.

use std::hint::black_box;
use std::time::{Duration, Instant};

use clap::Args;
use compact_str::format_compact;
use serde::{Deserialize, Serialize};
use watershed_core::columns::BatchCodec;
use watershed_core::{AnyBatch, Batch, Data, EventTime, Record};

use crate::workload::splitmix64;

/// How much is written and read.
#[derive(Clone, Debug, Args)]
pub(crate) struct Arguments {
    /// Records in a batch
    #[arg(long, default_value_t = 1_024, value_parser = clap::value_parser!(u64).range(1..))]
    batch: u64,
    /// Batches that are written and read in one turn
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(1..))]
    batches: u64,
    /// Turns; the median of each figure counts
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u64).range(1..))]
    turns: u64,
}

/// A bid in an auction, as the Nexmark queries have it.
#[derive(Clone, Serialize, Deserialize, Data)]
struct Bid {
    auction: u64,
    bidder: u64,
    price: u64,
    channel: String,
    url: String,
    at: EventTime,
}

/// A record that holds another, and something that may be missing.
#[derive(Clone, Serialize, Deserialize, Data)]
struct Nested {
    place: (f64, f64),
    reading: Option<Reading>,
    is_last: bool,
}

#[derive(Clone, Serialize, Deserialize, Data)]
struct Reading {
    sensor: u32,
    value: f64,
}

/// An enum, which goes by rows.
#[derive(Clone, Serialize, Deserialize, Data)]
enum Event {
    Read { sensor: u32, values: Vec<f64> },
    Lost,
}

/// What one way to write and read costs for a record.
#[derive(Clone, Copy, Default)]
struct Cost {
    write_ns: f64,
    read_ns: f64,
    bytes: f64,
}

/// Writes and reads batches of several record types, and prints a line for each.
pub(crate) fn codec(arguments: &Arguments) {
    println!("{:<22} {:>23}   {:>23}   {:>13}", "", "columns", "rows of rmp-serde", "times faster");
    let head = format!("{:>7} {:>7} {:>7}", "bytes", "write", "read");
    println!("{:<22} {head}   {head}   {:>6} {:>6}", "ns and bytes a record", "write", "read");
    compare(arguments, "(u64, u64)", |n| (n, n >> 7));
    compare(arguments, "three u64", |n| (n, n >> 7, n >> 9));
    compare(arguments, "String", |n| format!("word{}", n % 10_000));
    compare(arguments, "CompactString", |n| format_compact!("word{}", n % 10_000));
    compare(arguments, "(u64, String)", |n| (n, format!("word{}", n % 10_000)));
    compare(arguments, "bid", |n| Bid {
        auction: n,
        bidder: n >> 7,
        price: n % 10_000,
        channel: format!("channel-{}", n % 100),
        url: format!("https://www.nexmark.example/{n:x}/item.htm?query=1&channel_id={}", n % 1_000),
        at: EventTime::from_millis((n >> 20) as i64),
    });
    compare(arguments, "nested, optional", |n| Nested {
        place: (n as f64, -(n as f64)),
        reading: (!n.is_multiple_of(3)).then_some(Reading { sensor: n as u32, value: n as f64 }),
        is_last: n.is_multiple_of(2),
    });
    compare(arguments, "enum, by rows in both", |n| match n % 4 {
        0 => Event::Lost,
        _ => Event::Read { sensor: n as u32, values: vec![n as f64; (n % 4) as usize] },
    });
}

fn compare<T: Data>(arguments: &Arguments, name: &str, value: impl Fn(u64) -> T) {
    let record = |n: u64| Record::new(value(splitmix64(n)), EventTime::from_millis(n as i64));
    let records: Vec<Record<T>> = (0..arguments.batch).map(record).collect();
    let (mut columns, mut rows) = (Vec::new(), Vec::new());
    for _ in 0..arguments.turns {
        columns.push(by_columns(&records, arguments.batches));
        rows.push(by_rows(&records, arguments.batches));
    }
    let (columns, rows) = (median(&columns), median(&rows));
    let told = |cost: Cost| format!("{:>7.1} {:>7.2} {:>7.2}", cost.bytes, cost.write_ns, cost.read_ns);
    let faster = (rows.write_ns / columns.write_ns, rows.read_ns / columns.read_ns);
    println!("{name:<22} {}   {}   {:>6.1} {:>6.1}", told(columns), told(rows), faster.0, faster.1);
}

/// As batches leave a process: columns, into a batch that is used again.
fn by_columns<T: Data>(records: &[Record<T>], batches: u64) -> Cost {
    let codec = BatchCodec::of::<T>();
    let batch = AnyBatch::new(Box::new(records.iter().cloned().collect::<Batch<T>>()));
    let mut bytes = Vec::new();
    let written = timed(batches, || {
        bytes.clear();
        codec.encode(black_box(&batch), &mut bytes);
    });
    let mut read = Some(codec.empty());
    let taken = timed(batches, || {
        let into = read.take().expect("it is put back each time");
        read = Some(codec.decode(black_box(&bytes), into).expect("it has just been written"));
    });
    cost(written, taken, bytes.len(), batches, records.len())
}

/// As a program without columns would do it: each record with its time, one behind the other.
fn by_rows<T: Data>(records: &[Record<T>], batches: u64) -> Cost {
    let mut bytes = Vec::new();
    let written = timed(batches, || {
        bytes.clear();
        for record in black_box(records) {
            rmp_serde::encode::write(&mut bytes, record).expect("records can be written");
        }
    });
    let mut read: Vec<Record<T>> = Vec::new();
    let taken = timed(batches, || {
        read.clear();
        let mut rows = rmp_serde::Deserializer::from_read_ref(black_box(&bytes[..]));
        for _ in records {
            read.push(Record::deserialize(&mut rows).expect("it has just been written"));
        }
    });
    cost(written, taken, bytes.len(), batches, records.len())
}

fn timed(batches: u64, mut once: impl FnMut()) -> Duration {
    once();
    let begin = Instant::now();
    for _ in 0..batches {
        once();
    }
    begin.elapsed()
}

fn cost(written: Duration, read: Duration, bytes: usize, batches: u64, records: usize) -> Cost {
    let each = |taken: Duration| taken.as_secs_f64() * 1e9 / (batches as f64 * records as f64);
    Cost { write_ns: each(written), read_ns: each(read), bytes: bytes as f64 / records as f64 }
}

/// The median of each figure by itself.
fn median(costs: &[Cost]) -> Cost {
    let of = |figure: fn(&Cost) -> f64| {
        let mut figures: Vec<f64> = costs.iter().map(figure).collect();
        figures.sort_by(f64::total_cmp);
        figures[figures.len() / 2]
    };
    Cost {
        write_ns: of(|cost| cost.write_ns),
        read_ns: of(|cost| cost.read_ns),
        bytes: of(|cost| cost.bytes),
    }
}
