//! The entries of a piece, read without the type that wrote it.

use std::collections::BTreeMap;

use serde::Serialize;
use watershed_core::SubtaskId;

use crate::msgpack::{DEPTH_MAX, to_json, walk};

/// What is kept for one key, as far as the form of the bytes tells.
///
/// An array of pairs is taken for a map, pair by pair; so is one whose values are arrays of pairs in turn and
/// whose keys are numbers, as panes are: then `key` has two members, the start of the pane and the key. Where
/// a key comes twice in such an array, as the time of timers does, each pair is a key of its own without a
/// value. All other pieces are one entry without a key. So a map from numbers to lists of pairs looks like
/// panes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Entry {
    /// The uid of the stage.
    pub operator: String,
    /// The names of the parts, from the stage down.
    pub part: String,
    /// The key group; `None` where the piece is of the whole subtask.
    pub key_group: Option<u16>,
    /// Who saved it.
    #[serde(serialize_with = "printed")]
    pub subtask: SubtaskId,
    /// The key, from the outermost in.
    pub key: Vec<serde_json::Value>,
    /// The value.
    pub value: serde_json::Value,
}

fn printed<S: serde::Serializer>(subtask: &SubtaskId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(subtask)
}

/// MessagePack bytes of a key, from the outermost in, or of a value.
pub(super) type KeyBytes = Vec<Vec<u8>>;

/// The entries of a piece: the bytes of keys and values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Entries(pub(super) BTreeMap<KeyBytes, Vec<u8>>);

/// MessagePack's nil, the value of entries that are all key.
const NIL: &[u8] = &[0xc0];

impl Entries {
    /// The entries of a piece of a full layer.
    pub(super) fn of(piece: &[u8]) -> Result<Entries, String> {
        let malformed = |malformed: walk::Malformed| malformed.to_string();
        let Some(pairs) = pairs_of(piece).map_err(malformed)? else {
            return Ok(Entries(BTreeMap::from([(Vec::new(), piece.to_vec())])));
        };
        if pairs.iter().all(|(key, _)| is_number(key))
            && let Some(panes) = panes_of(&pairs).map_err(malformed)?
        {
            return Ok(Entries(panes));
        }
        let mut entries = BTreeMap::new();
        for (key, value) in &pairs {
            entries.insert(vec![key.to_vec()], value.to_vec());
        }
        if entries.len() < pairs.len() {
            let whole = |(key, value): &(&[u8], &[u8])| (vec![key.to_vec(), value.to_vec()], NIL.to_vec());
            entries = pairs.iter().map(whole).collect();
        }
        Ok(Entries(entries))
    }

    /// Applies a piece of a layer of changes: what it puts, and what it removes.
    pub(super) fn apply(&mut self, piece: &[u8]) -> Result<(), String> {
        let malformed = |malformed: walk::Malformed| malformed.to_string();
        let fields = walk::pairs(piece, DEPTH_MAX).map_err(malformed)?.unwrap_or_default();
        let field = |name: &str| {
            let named = |bytes: &[u8]| bytes.get(1..) == Some(name.as_bytes());
            let found = fields.iter().find(|(key, _)| named(key)).map(|(_, value)| *value);
            found.ok_or_else(|| format!("a piece of changes without {name:?}"))
        };
        let removed = walk::items(field("removed")?, DEPTH_MAX).map_err(malformed)?;
        for item in removed.ok_or("the removed keys of a piece of changes are no list")? {
            self.remove(item)?;
        }
        let put = Entries::of(field("put")?)?;
        let paired = put.0.keys().any(|key| key.len() == 2);
        if paired && self.0.keys().all(|key| key.len() == 1) {
            // Keys that come twice only now: the older entries are all key, too.
            self.0 = std::mem::take(&mut self.0)
                .into_iter()
                .map(|(mut key, value)| {
                    key.push(value);
                    (key, NIL.to_vec())
                })
                .collect();
        }
        self.0.extend(put.0);
        Ok(())
    }

    /// Takes out what an item of a removed list names: a key, an outer key with a list of inner ones, or a
    /// pair.
    fn remove(&mut self, item: &[u8]) -> Result<(), String> {
        if self.0.remove(&vec![item.to_vec()]).is_some() {
            return Ok(());
        }
        let parts = walk::items(item, DEPTH_MAX).map_err(|malformed| malformed.to_string())?;
        let Some([outer, inner]) = parts.as_deref() else { return Ok(()) };
        self.0.remove(&vec![outer.to_vec(), inner.to_vec()]);
        if self.0.get(&vec![outer.to_vec()]).is_some_and(|value| value == inner) {
            self.0.remove(&vec![outer.to_vec()]);
        }
        let keys = walk::items(inner, DEPTH_MAX).map_err(|malformed| malformed.to_string())?;
        for key in keys.unwrap_or_default() {
            self.0.remove(&vec![outer.to_vec(), key.to_vec()]);
        }
        Ok(())
    }

    /// How many bytes keys and values have.
    pub(super) fn bytes(&self) -> u64 {
        let key = |key: &KeyBytes| key.iter().map(Vec::len).sum::<usize>();
        self.0.iter().map(|(path, value)| (key(path) + value.len()) as u64).sum()
    }
}

/// The pairs of an array of pairs; `None` where it is something else.
fn pairs_of(piece: &[u8]) -> Result<Option<Vec<(&[u8], &[u8])>>, walk::Malformed> {
    let Some(items) = walk::items(piece, DEPTH_MAX)? else { return Ok(None) };
    let mut pairs = Vec::with_capacity(items.len());
    for item in items {
        match walk::head(item, 0)?.0 {
            walk::Head::Array { items: 2 } => {}
            _ => return Ok(None),
        }
        let parts = walk::items(item, DEPTH_MAX)?.unwrap_or_default();
        pairs.push((parts[0], parts[1]));
    }
    Ok(Some(pairs))
}

/// The entries of panes; `None` where a value is no array of pairs, or all are empty.
fn panes_of(pairs: &[(&[u8], &[u8])]) -> Result<Option<BTreeMap<KeyBytes, Vec<u8>>>, walk::Malformed> {
    let mut entries = BTreeMap::new();
    for (start, pane) in pairs {
        let Some(inner) = pairs_of(pane)? else { return Ok(None) };
        for (key, value) in inner {
            entries.insert(vec![start.to_vec(), key.to_vec()], value.to_vec());
        }
    }
    Ok((!entries.is_empty()).then_some(entries))
}

fn is_number(value: &[u8]) -> bool {
    matches!(value.first(), Some(0x00..=0x7f | 0xe0..=0xff | 0xcc..=0xcf | 0xd0..=0xd3))
}

/// A key as JSON.
pub(super) fn json_of(key: &KeyBytes) -> Result<Vec<serde_json::Value>, String> {
    key.iter().map(|part| to_json(part)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pack(value: impl Serialize) -> Vec<u8> {
        rmp_serde::to_vec_named(&value).unwrap()
    }

    fn of(piece: impl Serialize) -> Vec<String> {
        text(&Entries::of(&pack(piece)).unwrap())
    }

    fn text(entries: &Entries) -> Vec<String> {
        let json = |bytes: &Vec<u8>| to_json(bytes).unwrap().to_string();
        let line = |(key, value): (&KeyBytes, &Vec<u8>)| {
            format!("{} = {}", key.iter().map(json).collect::<Vec<_>>().join(" / "), json(value))
        };
        entries.0.iter().map(line).collect()
    }

    #[test]
    fn pieces_are_read_by_their_form() {
        assert_eq!(of([("EWR", 1), ("JFK", 2)]), [r#""EWR" = 1"#, r#""JFK" = 2"#]);
        assert_eq!(
            of([(60, vec![("EWR", 1)]), (0, vec![("EWR", 2)])]),
            [r#"0 / "EWR" = 2"#, r#"60 / "EWR" = 1"#]
        );
        assert_eq!(of([(10, "EWR"), (10, "JFK")]), [r#"10 / "EWR" = null"#, r#"10 / "JFK" = null"#]);
        assert_eq!(of([("EWR", vec![(1, 2)])]), [r#""EWR" = [[1,2]]"#]);
        assert_eq!(of(7), [" = 7"]);
        assert_eq!(of([1, 2, 3]), [" = [1,2,3]"]);
        assert_eq!(of(Vec::<(u8, u8)>::new()), [] as [&str; 0]);
    }

    #[test]
    fn changes_put_and_remove() {
        #[derive(Serialize)]
        struct Changes<P, R> {
            put: P,
            removed: R,
        }
        let mut keys = Entries::of(&pack([("a", 1), ("b", 2), ("c", 3)])).unwrap();
        keys.apply(&pack(Changes { put: [("b", 5), ("d", 4)], removed: ["a", "x"] })).unwrap();
        assert_eq!(text(&keys), [r#""b" = 5"#, r#""c" = 3"#, r#""d" = 4"#]);

        let mut panes = Entries::of(&pack([(0, [("a", 1), ("b", 2)]), (60, [("a", 3), ("b", 4)])])).unwrap();
        panes.apply(&pack(Changes { put: [(60, [("a", 9)])], removed: [(0, ["a", "b"])] })).unwrap();
        assert_eq!(text(&panes), [r#"60 / "a" = 9"#, r#"60 / "b" = 4"#]);

        let mut timers = Entries::of(&pack([(10, "a"), (20, "b")])).unwrap();
        timers.apply(&pack(Changes { put: [(30, "a"), (30, "b")], removed: [(10, "a")] })).unwrap();
        assert_eq!(text(&timers), [r#"20 / "b" = null"#, r#"30 / "a" = null"#, r#"30 / "b" = null"#]);
        assert!(timers.apply(&pack([1, 2])).is_err());
    }
}
