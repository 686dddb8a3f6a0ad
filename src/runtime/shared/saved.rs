//! The objects in which a checkpoint keeps shared state.
//!
//! ```text
//! base: array 5    1, run, epoch, high water, [[name, saved table as bin], ..]     all lanes up to the epoch
//! log:  array 4    1, high water, [names by number], [update, ..]                  of one site, in its order
//! ```
//!
//! An update is an array of its stamp, its dependencies and `[number of the state, key as bin, delta as bin]`. What a
//! table saves is said in `watershed_core::shared`. Both are plain MessagePack.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use watershed_core::causal::HybridTime;
use watershed_core::{Epoch, Run};
use watershed_protocol::causal::Update;

use super::Operation;

/// The version of both formats.
const FORMAT: u8 = 1;

/// How deep what is read may nest.
const DEPTH_MAX: usize = 16;

/// All shared state of a job up to an epoch.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Base {
    format: u8,
    pub(super) run: Run,
    /// The lanes of the run up to this epoch are in it, and all of older runs.
    pub(super) epoch: Epoch,
    pub(super) high_water: HybridTime,
    pub(super) tables: Vec<SavedTable>,
}

/// A shared state in a [`Base`].
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SavedTable {
    pub(super) name: String,
    #[serde(with = "serde_bytes")]
    pub(super) bytes: Vec<u8>,
}

/// Updates of one site.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Log {
    format: u8,
    pub(super) high_water: HybridTime,
    /// What the states are called, by the numbers by which the updates name them.
    pub(super) names: Vec<String>,
    pub(super) updates: Vec<Update<Arc<Operation>>>,
}

/// Why an object cannot be read. It has arrived as it was written, since its hash was right.
#[derive(Debug, thiserror::Error)]
pub(super) enum SavedError {
    #[error("saved shared state cannot be read: {0}")]
    Malformed(#[from] rmp_serde::decode::Error),
    #[error("saved shared state is of format {0}, and this program reads format {FORMAT}")]
    Format(u8),
    #[error("something follows saved shared state")]
    Trailing,
    #[error("a saved update names the state {0}, which its log does not know")]
    Unnamed(u32),
}

impl Base {
    pub(super) fn new(run: Run, epoch: Epoch, high_water: HybridTime, tables: Vec<SavedTable>) -> Self {
        Base { format: FORMAT, run, epoch, high_water, tables }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, SavedError> {
        let base: Base = decode(bytes)?;
        if base.format == FORMAT { Ok(base) } else { Err(SavedError::Format(base.format)) }
    }
}

impl Log {
    pub(super) fn new(
        high_water: HybridTime,
        names: Vec<String>,
        updates: Vec<Update<Arc<Operation>>>,
    ) -> Self {
        Log { format: FORMAT, high_water, names, updates }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, SavedError> {
        let log: Log = decode(bytes)?;
        if log.format == FORMAT { Ok(log) } else { Err(SavedError::Format(log.format)) }
    }
}

/// The entries of a saved table, each a key and its state: for whoever does not know its types. The format is told in
/// `watershed_core::shared`.
pub(super) fn entries(table: &[u8]) -> Result<Vec<(Vec<u8>, Vec<u8>)>, SavedError> {
    let (_format, _name, entries): (u8, String, Vec<(ByteBuf, ByteBuf)>) = decode(table)?;
    Ok(entries.into_iter().map(|(key, state)| (key.into_vec(), state.into_vec())).collect())
}

fn encode(value: &impl Serialize) -> Vec<u8> {
    rmp_serde::to_vec(value).expect("plain data can be written to memory")
}

fn decode<T: for<'a> Deserialize<'a>>(mut bytes: &[u8]) -> Result<T, SavedError> {
    let mut reader = rmp_serde::Deserializer::new(&mut bytes);
    reader.set_max_depth(DEPTH_MAX);
    let value = T::deserialize(&mut reader)?;
    if bytes.is_empty() { Ok(value) } else { Err(SavedError::Trailing) }
}

#[cfg(test)]
mod tests {
    use watershed_core::causal::{Dot, Lane, VectorClock};
    use watershed_core::shared::Stamp;
    use watershed_core::{Counter, SharedId, Site, SubtaskId, VertexId};

    use super::*;

    const BASE: [u8; 12] = [0x95, 1, 2, 3, 4, 0x91, 0x92, 0xa1, b't', 0xc4, 1, 7];

    const LOG: [u8; 31] = [
        0x94, 1, 4, 0x91, 0xa1, b't', 0x91, 0x93, 0x93, 0x92, 0x93, 2, 3, 1, 5, 6, 0x92, 7, 8, 0x90, 0x93, 0,
        0xc4, 2, 9, 9, 0xc4, 3, 10, 10, 10,
    ];

    #[test]
    fn a_base_has_these_bytes_and_comes_back() {
        let tables = vec![SavedTable { name: "t".to_owned(), bytes: vec![7] }];
        let bytes = Base::new(Run(2), Epoch(3), HybridTime(4), tables).encode();
        assert_eq!(bytes, BASE);
        let base = Base::decode(&bytes).unwrap();
        assert_eq!((base.run, base.epoch, base.high_water), (Run(2), Epoch(3), HybridTime(4)));
        assert_eq!((base.tables[0].name.as_str(), &base.tables[0].bytes[..]), ("t", &[7][..]));
    }

    #[test]
    fn a_log_has_these_bytes_and_comes_back() {
        let lane = Lane { run: Run(2), epoch: Epoch(3), site: Site(1) };
        let stamp = Stamp {
            dot: Dot { lane, counter: Counter(5) },
            time: HybridTime(6),
            writer: SubtaskId { vertex: VertexId(7), index: 8 },
        };
        let operation = Operation { shared: SharedId(0), key: vec![9; 2], delta: vec![10; 3] };
        let update = Update { stamp, deps: VectorClock::new(), delta: Arc::new(operation) };
        let bytes = Log::new(HybridTime(4), vec!["t".to_owned()], vec![update.clone()]).encode();
        assert_eq!(bytes, LOG);
        let log = Log::decode(&bytes).unwrap();
        assert_eq!(
            (log.high_water, log.names, log.updates),
            (HybridTime(4), vec!["t".to_owned()], vec![update])
        );
    }

    #[test]
    fn what_is_no_saved_state_is_refused() {
        assert!(matches!(Log::decode(&[&LOG[..], &[0]].concat()), Err(SavedError::Trailing)));
        assert!(matches!(Base::decode(&BASE[..11]), Err(SavedError::Malformed(_))));
        let mut later = BASE;
        later[1] = 2;
        assert!(matches!(Base::decode(&later), Err(SavedError::Format(2))));
    }
}
