//! A look at the state of one key, for somebody outside the job.
//!
//! The looker has bytes and gets bytes: it brings a key as MessagePack, and takes what there is of it as MessagePack, structs
//! as maps by the names of their fields. It looks between two records, at what the operator would find; what has
//! [expired](crate::state#time-to-live) is not there. Nothing changes by a look, but for what is in memory of a state on
//! disk.

use serde::{Deserialize, Serialize};

use crate::state::Clock;
use crate::{Data, Key, KeyGroup, KeyGroups};

/// The most bytes that one look brings out.
pub const LOOK_BYTES_MAX: usize = 4 << 20;

/// What is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Glance<'a> {
    /// Which piece of the state, by its name, where it has several.
    pub piece: Option<&'a str>,
    /// The key as MessagePack.
    pub key: &'a [u8],
    /// What time it is.
    pub clock: Clock,
}

/// Why a look finds neither a value nor that there is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum LookError {
    /// This state has another order than that by keys.
    #[error("it is not kept by key alone, and cannot be looked at by key")]
    Opaque,
    /// The piece that is named is none of it, or one has to be named.
    #[error("name one of its pieces: {}", known.join(", "))]
    Piece {
        /// The pieces that there are.
        known: Vec<String>,
    },
    /// The bytes are no key of it.
    #[error("{reason}")]
    Key {
        /// What is wrong with them.
        reason: String,
    },
    /// There is more than a look brings out.
    #[error("there are more than {max} bytes of it")]
    Large {
        /// How many bytes may be brought out.
        max: usize,
    },
}

/// What a look finds: a value as MessagePack, or nothing of the key.
pub type Looked = Result<Option<Vec<u8>>, LookError>;

impl Glance<'_> {
    /// The key.
    ///
    /// # Errors
    ///
    /// Where the bytes are none.
    pub fn key<K: Key>(&self) -> Result<K, LookError> {
        read_key(self.key)
    }

    /// Refuses a piece that is named, of state that is one piece.
    ///
    /// # Errors
    ///
    /// Where one is.
    pub fn whole(&self) -> Result<(), LookError> {
        if self.piece.is_none() { Ok(()) } else { Err(LookError::Piece { known: Vec::new() }) }
    }
}

/// The key group of a key that comes as MessagePack.
///
/// # Errors
///
/// Where the bytes are no such key.
pub fn group_of<K: Key>(key: &[u8], groups: KeyGroups) -> Result<KeyGroup, LookError> {
    Ok(groups.of(&read_key::<K>(key)?))
}

/// What there is, as it is brought out.
pub(crate) fn show<V: Data>(value: Option<&V>) -> Looked {
    let bytes = value.map(|value| rmp_serde::to_vec_named(value).expect("Data can be written by serde"));
    match bytes {
        Some(bytes) if bytes.len() > LOOK_BYTES_MAX => Err(LookError::Large { max: LOOK_BYTES_MAX }),
        bytes => Ok(bytes),
    }
}

/// Gathers the elements of a key, which become one array or map.
#[derive(Debug)]
pub(super) struct Gathering {
    elements: Vec<u8>,
    count: u32,
    is_large: bool,
}

impl Gathering {
    pub(super) fn new() -> Self {
        Gathering { elements: Vec::new(), count: 0, is_large: false }
    }

    /// Adds an element, of one part or of a key and a value. Whether there is room for more.
    pub(super) fn add(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> bool {
        write(&mut self.elements);
        self.count += 1;
        self.is_large = self.elements.len() > LOOK_BYTES_MAX;
        !self.is_large
    }

    /// The elements behind a head that tells how many they are; nothing where there are none.
    pub(super) fn done(self, head: impl FnOnce(&mut Vec<u8>, u32)) -> Looked {
        if self.is_large {
            return Err(LookError::Large { max: LOOK_BYTES_MAX });
        }
        let mut bytes = Vec::with_capacity(self.elements.len() + 5);
        head(&mut bytes, self.count);
        bytes.extend(self.elements);
        Ok((self.count > 0).then_some(bytes))
    }
}

/// Writes a part of an element.
pub(super) fn put<V: Data>(bytes: &mut Vec<u8>, value: &V) {
    rmp_serde::encode::write_named(bytes, value).expect("Data can be written by serde");
}

/// The heads of an array and of a map of 32 bits, whatever their length.
pub(super) fn array(bytes: &mut Vec<u8>, count: u32) {
    bytes.push(0xdd);
    bytes.extend(count.to_be_bytes());
}

pub(super) fn map(bytes: &mut Vec<u8>, count: u32) {
    bytes.push(0xdf);
    bytes.extend(count.to_be_bytes());
}

fn read_key<K: Key>(key: &[u8]) -> Result<K, LookError> {
    crate::shared::msgpack::decode(key).map_err(|reason| LookError::Key { reason })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::*;
    use crate::state::{Current, Room};
    use crate::state::{
        KeyedMap, ListState, MapState, Panes, ReducingState, Sections, State, TimeToLive, Tiny, ValueState,
    };
    use crate::{EventTime, KeyedState, ProcessingTime};

    #[derive(Default, KeyedState)]
    struct Visits {
        pages: MapState<u64, String, u32>,
        latest: ListState<u64, String>,
        first: ValueState<u64, String>,
        spent: ReducingState<u64, u64>,
    }

    const KEY: u64 = 7;

    fn clock(reached: i64) -> Clock {
        let time = EventTime::from_millis(reached);
        Clock { time, reached: time, now: ProcessingTime::from_millis(0) }
    }

    fn visited(visits: &mut Visits) {
        let current = Current::new(&KEY, clock(0));
        visits.pages.of(current).insert("a".to_owned(), 1);
        visits.pages.of(current).insert("b".to_owned(), 2);
        visits.latest.of(current).push("x".to_owned());
        visits.latest.of(current).push("y".to_owned());
        visits.first.of(current).set("z".to_owned());
        visits.spent.of(current).add(5, |sum, more| *sum += more);
    }

    fn pack<T: Serialize>(value: T) -> Vec<u8> {
        rmp_serde::to_vec_named(&value).unwrap()
    }

    fn look<S: State>(state: &mut S, piece: Option<&str>, key: &[u8], reached: i64) -> Looked {
        state.look(Glance { piece, key, clock: clock(reached) })
    }

    fn read<T: serde::de::DeserializeOwned>(looked: Looked) -> Option<T> {
        looked.unwrap().map(|bytes| rmp_serde::from_slice(&bytes).unwrap())
    }

    #[test]
    fn each_kind_of_state_shows_what_a_key_has_of_it_in_memory_and_on_disk() {
        for backend in [None, Some(std::sync::Arc::new(Tiny) as std::sync::Arc<dyn crate::state::Backend>)] {
            let mut visits = Visits::default();
            visits.open(&Room { key_groups: KeyGroups::default(), backend }).unwrap();
            visited(&mut visits);
            let (key, other) = (pack(KEY), pack(8_u64));
            let pages = BTreeMap::from([("a".to_owned(), 1_u32), ("b".to_owned(), 2)]);
            assert_eq!(read(look(&mut visits, Some("pages"), &key, 0)), Some(pages));
            let latest = vec!["x".to_owned(), "y".to_owned()];
            assert_eq!(read(look(&mut visits, Some("latest"), &key, 0)), Some(latest));
            assert_eq!(read(look(&mut visits, Some("first"), &key, 0)), Some("z".to_owned()));
            assert_eq!(read(look(&mut visits, Some("spent"), &key, 0)), Some(5_u64));
            for piece in ["pages", "latest", "first", "spent"] {
                assert_eq!(look(&mut visits, Some(piece), &other, 0), Ok(None), "{piece}");
                let refused = look(&mut visits, Some(piece), &pack("a text"), 0);
                assert!(matches!(refused, Err(LookError::Key { .. })), "{piece}: {refused:?}");
            }
            let known = ["pages", "latest", "first", "spent"].map(str::to_owned).to_vec();
            for piece in [None, Some("page")] {
                assert_eq!(look(&mut visits, piece, &key, 0), Err(LookError::Piece { known: known.clone() }));
            }
        }
    }

    #[test]
    fn panes_show_what_their_open_slices_have_of_a_key() {
        let mut panes = Panes::<u64, u32>::default();
        for (start, count) in [(0, 3), (60, 4)] {
            panes.pane(EventTime::from_millis(start)).insert(KEY, count);
        }
        panes.pane(EventTime::from_millis(120)).insert(8, 1);
        let open = BTreeMap::from([(0_i64, 3_u32), (60, 4)]);
        assert_eq!(read(look(&mut panes, None, &pack(KEY), 0)), Some(open));
        assert_eq!(look(&mut panes, None, &pack(9_u64), 0), Ok(None));
    }

    #[test]
    fn what_has_expired_is_not_seen() {
        let mut visits = Visits::default();
        visits.first.expire_by(TimeToLive::after(Duration::from_millis(10)));
        visits.pages.expire_by(TimeToLive::after(Duration::from_millis(10)));
        visited(&mut visits);
        for piece in ["first", "pages"] {
            assert!(look(&mut visits, Some(piece), &pack(KEY), 9).unwrap().is_some(), "{piece}");
            assert_eq!(look(&mut visits, Some(piece), &pack(KEY), 10), Ok(None), "{piece}");
        }
    }

    #[test]
    fn a_look_changes_nothing_that_is_saved() {
        let mut counts = KeyedMap::<u64, u64>::default();
        counts.insert(KEY, 3);
        let save = |counts: &mut KeyedMap<u64, u64>, kind| -> Sections {
            let mut saving = crate::state::Saving::new(KeyGroups::default(), kind);
            counts.save(&mut saving);
            saving.encode()
        };
        let _ = save(&mut counts, crate::state::LayerKind::Full);
        assert_eq!(read(look(&mut counts, None, &pack(KEY), 0)), Some(3_u64));
        let changes = save(&mut counts, crate::state::LayerKind::Changes);
        assert_eq!(changes.change_bytes().count(), 0, "no key was noted as changed");
    }

    #[test]
    fn more_than_a_look_brings_out_is_refused() {
        let mut visits = Visits::default();
        let current = Current::new(&KEY, clock(0));
        for n in 0..5 {
            visits.latest.of(current).push(format!("{n}{}", "x".repeat(1 << 20)));
        }
        let large = Err(LookError::Large { max: LOOK_BYTES_MAX });
        assert_eq!(look(&mut visits, Some("latest"), &pack(KEY), 0), large);
    }
}
