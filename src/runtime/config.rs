//! Every limit of the runtime, by name.

use std::time::Duration;

use watershed_core::Guarantee;
use watershed_protocol::PoisonConfig;
use watershed_protocol::checkpoint::CheckpointConfig;
use watershed_protocol::placement::Strategy;
use watershed_state::IngressLimits;

/// How a job is run in this process.
#[derive(Clone, Debug)]
pub struct Config {
    /// How many arbiters (threads) subtasks live on. Default: one for each core.
    pub arbiters: usize,
    /// How the slots of a job are dealt out to the nodes of a cluster. Default: spread.
    pub placement: Strategy,
    /// How many subtasks a vertex has that does not say. Default: one for each arbiter.
    pub parallelism: u32,
    /// How many records make a batch that is handed over at once. Default: 4,096.
    ///
    /// Larger ones spread the cost of a message and its credit over more records, smaller ones stay in
    /// the first-level cache; on the `keyed-count` workload the rate is flat between 2,048 and 8,192.
    pub batch_records: usize,
    /// How many batches may be on their way on one channel or waiting at its end. Default: 8.
    pub credit_batches: u32,
    /// How many control elements (bare watermarks, barriers, ends) may be on their way on one channel,
    /// beside the batches. Default: 4.
    pub credit_control: u32,
    /// How long what is on its way on one channel may take its receiver, as far as the sender can tell: batches get
    /// smaller where it is slow. It bounds how long a job that is cancelled goes on. Default: 250 ms.
    pub in_flight: Duration,
    /// How long a record may wait in a batch that does not fill. Default: 1 ms.
    pub flush_after: Duration,
    /// How many records a source reads from a split before it looks at anything else. Default: 4,096.
    pub poll_records: usize,
    /// How many polls a source makes before it lets the other actors of its arbiter run. Default: 8.
    pub polls_per_turn: usize,
    /// How long a source reads before it lets the other actors of its arbiter run, and hears what it is told. Where
    /// records are slow to pass, it makes fewer and smaller polls. Default: 20 ms.
    pub turn_within: Duration,
    /// How many splits a source's subtask has open at a time. Default: 64.
    pub open_splits: usize,
    /// How often a source with nothing to read tells how far the wall clock has come. Default: 100 ms.
    pub idle_tick: Duration,
    /// How long a source waits that is far ahead of another subtask's, before it looks again. Default: 1 ms.
    pub convoy_tick: Duration,
    /// How long at most an arbiter without work looks out for a message before its thread sleeps. Default: 100
    /// microseconds, which is what it costs to wake it.
    pub vigil: Duration,
    /// When checkpoints are taken, and how long they may take, of a job whose storage lasts. See
    /// [`CheckpointConfig`].
    pub checkpoints: CheckpointConfig,
    /// How records are treated that make their subtask panic, in a job whose storage lasts. See [`PoisonConfig`].
    pub poison: PoisonConfig,
    /// What is asked of every source of a job whose storage lasts; see [`demand`](crate::guarantee::demand). Default:
    /// exactly once.
    pub guarantee: Guarantee,
    /// The bounds of the logs of sources that cannot ask for their input again.
    pub ingress: IngressLimits,
    /// How long the end of a job waits for operators' code to return. Default: 5 s.
    pub stop_within: Duration,
}

impl Default for Config {
    fn default() -> Self {
        let arbiters = std::thread::available_parallelism().map_or(1, usize::from);
        Config {
            arbiters,
            placement: Strategy::default(),
            parallelism: arbiters as u32,
            batch_records: 4096,
            credit_batches: 8,
            credit_control: 4,
            in_flight: Duration::from_millis(250),
            flush_after: Duration::from_millis(1),
            poll_records: 4096,
            polls_per_turn: 8,
            turn_within: Duration::from_millis(20),
            open_splits: 64,
            idle_tick: Duration::from_millis(100),
            convoy_tick: Duration::from_millis(1),
            checkpoints: CheckpointConfig::default(),
            poison: PoisonConfig::default(),
            guarantee: Guarantee::default(),
            ingress: IngressLimits::default(),
            vigil: Duration::from_micros(100),
            stop_within: Duration::from_secs(5),
        }
    }
}
