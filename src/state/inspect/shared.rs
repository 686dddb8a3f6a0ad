//! Shared state: its keys as JSON, and what changed in it.
//!
//! What a key of shared state comes to is known to its resolver alone, so its entries come from whoever has a program that
//! may know it; here they are written and compared.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::inspect::diff::Keys;
use crate::inspect::export::Wanted;

/// What is kept for one key of shared state.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SharedEntry {
    /// The name of the shared state.
    pub shared: String,
    /// The key.
    pub key: Value,
    /// What there is of it.
    #[serde(flatten)]
    pub held: Held,
}

/// What is kept for a key: its value where the program knows how to read it, and what was saved where it does not.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Held {
    /// What would be read of it.
    Value {
        /// The value.
        value: Value,
    },
    /// What its resolver would make a value of.
    Saved {
        /// Its state, up to where all was written in one piece; null where it had none.
        state: Value,
        /// What was changed since, each after all that it depends on.
        updates: Vec<Value>,
    },
}

/// What changed in a shared state from one checkpoint to another.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SharedDiff {
    /// Its name.
    pub shared: String,
    /// Whether values were compared. Where the program does not know how to read them, what was saved was: then a key of which
    /// nothing changed is named too, if it was written in one piece meanwhile.
    pub values: bool,
    /// Keys that were not there.
    pub added: Keys,
    /// Keys that are not there any more.
    pub removed: Keys,
    /// Keys of which there is something else.
    pub changed: Keys,
}

impl SharedEntry {
    /// Whether it is what is kept for a key: its own, or one that has it for a member.
    pub fn is_of(&self, wanted: &Wanted) -> bool {
        let is_member = |members: &Vec<Value>| members.iter().any(|member| wanted.is(member));
        wanted.is(&self.key) || self.key.as_array().is_some_and(is_member)
    }
}

impl SharedDiff {
    /// Compares what two checkpoints have of shared state, and names up to `keys_max` keys of each kind. States that did
    /// not change are left out.
    pub fn between(before: &[SharedEntry], after: &[SharedEntry], keys_max: usize) -> Vec<SharedDiff> {
        let mut states: BTreeMap<&str, [BTreeMap<String, &SharedEntry>; 2]> = BTreeMap::new();
        for (side, entries) in [before, after].into_iter().enumerate() {
            for entry in entries {
                states.entry(&entry.shared).or_default()[side].insert(entry.key.to_string(), entry);
            }
        }
        let diffs =
            states.into_iter().map(|(name, [before, after])| compare(name, &before, &after, keys_max));
        diffs.filter(|diff| diff.added.count + diff.removed.count + diff.changed.count > 0).collect()
    }
}

/// Compares the keys of one shared state, each named by its JSON.
fn compare(
    name: &str,
    before: &BTreeMap<String, &SharedEntry>,
    after: &BTreeMap<String, &SharedEntry>,
    keys_max: usize,
) -> SharedDiff {
    let mut diff = SharedDiff {
        shared: name.to_owned(),
        values: before.values().chain(after.values()).all(|entry| matches!(entry.held, Held::Value { .. })),
        added: Keys::default(),
        removed: Keys::default(),
        changed: Keys::default(),
    };
    for (key, entry) in after {
        let named = || vec![entry.key.clone()];
        match before.get(key) {
            None => diff.added.count_in(named, keys_max),
            Some(old) if old.held != entry.held => diff.changed.count_in(named, keys_max),
            Some(_) => {}
        }
    }
    for (_, entry) in before.iter().filter(|(key, _)| !after.contains_key(*key)) {
        diff.removed.count_in(|| vec![entry.key.clone()], keys_max);
    }
    diff
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn value(shared: &str, key: Value, value: Value) -> SharedEntry {
        SharedEntry { shared: shared.to_owned(), key, held: Held::Value { value } }
    }

    fn named(keys: &Keys) -> Vec<Value> {
        keys.first.iter().map(|key| Value::from(key.clone())).collect()
    }

    #[test]
    fn an_entry_says_its_value_or_what_was_saved() {
        let saved = Held::Saved { state: json!(null), updates: vec![json!({ "at": 3 })] };
        let raw = SharedEntry { shared: "rules".to_owned(), key: json!("EWR"), held: saved };
        let read = value("rules", json!("EWR"), json!(7));
        let written = [read, raw].map(|entry| serde_json::to_string(&entry).unwrap());
        assert_eq!(written[0], r#"{"shared":"rules","key":"EWR","value":7}"#);
        assert_eq!(written[1], r#"{"shared":"rules","key":"EWR","state":null,"updates":[{"at":3}]}"#);
    }

    #[test]
    fn a_key_is_found_by_itself_and_by_its_members() {
        let entry = |key| value("rules", key, json!(1));
        assert!(entry(json!("EWR")).is_of(&Wanted::of("EWR")));
        assert!(entry(json!(7)).is_of(&Wanted::of("7")) && entry(json!("7")).is_of(&Wanted::of("7")));
        assert!(entry(json!(["EWR", 7])).is_of(&Wanted::of("7")));
        assert!(!entry(json!(["EWR", [7]])).is_of(&Wanted::of("7")));
    }

    #[test]
    fn what_changed_is_told_by_name_and_key() {
        let before =
            [value("a", json!(1), json!(1)), value("a", json!(2), json!(1)), value("b", json!(1), json!(1))];
        let after =
            [value("a", json!(2), json!(2)), value("a", json!(3), json!(1)), value("b", json!(1), json!(1))];
        let diffs = SharedDiff::between(&before, &after, 9);
        let [diff] = &diffs[..] else { panic!("{diffs:?}") };
        let named = [&diff.added, &diff.removed, &diff.changed].map(named);
        assert_eq!((diff.shared.as_str(), diff.values), ("a", true));
        assert_eq!(named, [[json!([3])], [json!([1])], [json!([2])]]);
    }

    #[test]
    fn what_was_saved_is_no_value() {
        let held = |state| Held::Saved { state, updates: Vec::new() };
        let entry = |state| SharedEntry { shared: "a".to_owned(), key: json!(1), held: held(state) };
        let diffs = SharedDiff::between(&[entry(json!(1))], &[entry(json!(2))], 0);
        assert_eq!((diffs[0].values, diffs[0].changed.count, diffs[0].changed.first.len()), (false, 1, 0));
    }
}
