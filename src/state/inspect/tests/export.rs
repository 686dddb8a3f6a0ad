//! State, without the pipeline's code.

use watershed_core::KeyGroup;
use watershed_core::state::{Changed, LayerKind, Sections};

use super::{meta, two};
use crate::CheckpointStore;
use crate::fixture::{self, counts, header, subtask, vote};
use crate::inspect::{Offline, Wanted, Which};

#[tokio::test]
async fn state_is_exported_as_lines_of_json() {
    let store = CheckpointStore::memory();
    let (meta, _) = two(&store).await;
    let mut out = Vec::new();
    assert_eq!(Offline::of(store, Some(meta)).export(Which::Newest, &mut out).await.unwrap(), 4);
    let line = |part: &str, group: &str, key: &str, value: &str| {
        format!(
            r#"{{"operator":"counts","part":"{part}","key_group":{group},"subtask":"1.0","key":[{key}],"value":{value}}}"#
        )
    };
    let expected = [
        line("state", "3", r#""EWR""#, "1"),
        line("state", "3", r#""HPN""#, "1"),
        line("state", "90", r#""JFK""#, "7"),
        line("watermark", "null", "", "1000"),
    ];
    assert_eq!(String::from_utf8(out).unwrap().lines().collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn a_key_is_found_as_json_and_as_text() {
    let store = CheckpointStore::memory();
    let (meta, _) = two(&store).await;
    let offline = Offline::of(store, Some(meta));
    for key in ["JFK", "\"JFK\"", "[\"JFK\"]"] {
        let found = offline.get(Which::Newest, &Wanted::of(key)).await.unwrap();
        assert_eq!(found.len(), 1, "{key}");
        assert_eq!((found[0].key_group, &found[0].value), (Some(90), &7.into()));
    }
    assert_eq!(offline.get(Which::Newest, &Wanted::of("LGA")).await.unwrap(), []);
}

#[tokio::test]
async fn layers_are_laid_over_each_other_before_they_are_shown() {
    let store = CheckpointStore::memory();
    let mut manifest = fixture::manifest(2, 1, None);
    let header = header(&manifest, subtask(1, 0));
    let full = counts(&[(3, &[("EWR", 1), ("LGA", 5)]), (90, &[("JFK", 2)])]);
    let mut changes = counts(&[]);
    changes.kind = LayerKind::Changes;
    let state = changes.stages.get_mut("counts").unwrap().part("state");
    *state = Sections::default();
    state.begin_changes();
    state.put_changes(KeyGroup(3), &Changed { put: vec![("EWR", 9)], removed: vec!["LGA"] });
    state.put_changes(KeyGroup(7), &Changed { put: vec![("HPN", 1)], removed: Vec::<&str>::new() });
    let mut counted = vote(subtask(1, 0));
    for layer in [full, changes] {
        counted.snapshot.push(store.put_layer(header.clone(), layer).await.unwrap());
    }
    manifest.votes = vec![counted];
    let pointer = store.put_manifest(&manifest).await.unwrap();
    let offline = Offline::of(store, Some(meta(&pointer)));
    let mut out = Vec::new();
    offline.export(Which::Newest, &mut out).await.unwrap();
    let state: Vec<_> = String::from_utf8(out)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|entry| format!("{} {} {}", entry["key_group"], entry["key"], entry["value"]))
        .collect();
    assert_eq!(state, [r#"3 ["EWR"] 9"#, r#"7 ["HPN"] 1"#, r#"90 ["JFK"] 2"#, "null [] 1000"]);
}
