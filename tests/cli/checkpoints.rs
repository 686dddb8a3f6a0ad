//! Looking at checkpoints and at saved state by the command line.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use watershed_core::checkpoint::Vote;
use watershed_state::inspect::{Offline, Which};

use crate::lasting::{Flights, ended, newest};
use crate::place::{Ended, Place, refused};

/// A job that was suspended in its middle.
fn suspended() -> Flights {
    let flights = Flights::new();
    let child = flights.under_way(3);
    let asked = flights.0.run(&["cancel", "state", "--with-savepoint"]);
    assert_eq!(asked.code, Some(0), "{asked:?}");
    assert_eq!(ended(child).code, Some(0));
    flights
}

fn looked(flights: &Flights, arguments: &[&str]) -> Ended {
    let ended = flights.0.run(arguments);
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{arguments:?}: {ended:?}");
    ended
}

#[test]
fn checkpoints_are_listed_shown_proved_and_compared_as_text_and_as_json() {
    let flights = suspended();
    let listing = looked(&flights, &["checkpoint", "list", "state", "--json"]).json();
    let last = newest(&listing).expect("one is the newest");
    let epochs: Vec<u64> =
        listing["checkpoints"].as_array().unwrap().iter().filter_map(|one| one["epoch"].as_u64()).collect();
    assert!(epochs.len() >= 2, "{listing}");
    let text = looked(&flights, &["checkpoint", "list", "state"]).out;
    assert!(text.starts_with("job flight-delays: ") && text.contains("savepoint"), "{text}");

    let shown = looked(&flights, &["checkpoint", "show", "state"]).out;
    assert!(shown.starts_with(&format!("checkpoint {last} of job flight-delays: newest\n")), "{shown}");
    let first = epochs[0].to_string();
    let json = looked(&flights, &["checkpoint", "show", "state", &first, "--json"]).json();
    assert_eq!(json["summary"]["epoch"], epochs[0]);

    let proved = looked(&flights, &["checkpoint", "verify", "state", "--json"]).json();
    assert_eq!(proved["sound"], true);
    assert_eq!(proved["checkpoints"].as_array().unwrap().len(), epochs.len());
    let one = looked(&flights, &["checkpoint", "verify", "state", &first]).out;
    assert!(one.starts_with(&format!("checkpoint {first}: sound, ")) && one.lines().count() == 1, "{one}");

    let diff = looked(&flights, &["checkpoint", "diff", "state", &first, "--keys", "1"]).out;
    assert!(diff.starts_with(&format!("from checkpoint {first} to {last}: ")), "{diff}");
    let json = looked(&flights, &["checkpoint", "diff", "state", &first, "--json"]).json();
    assert_eq!(json["to"], last);
}

#[test]
fn a_cut_is_explained_rule_by_rule_and_a_broken_one_by_the_channel_that_breaks_it() {
    let flights = suspended();
    let told = looked(&flights, &["checkpoint", "verify", "state", "--explain"]).out;
    let of_newest: Vec<&str> = told.lines().skip_while(|line| !line.starts_with("checkpoint ")).collect();
    let of_newest = &of_newest[of_newest.len() - 6..];
    assert!(of_newest[0].starts_with("checkpoint ") && of_newest[0].contains(": sound, "), "{told}");
    let rules = [
        "K1 channels: ",
        "K2 causality: nothing",
        "K3 shared state: nothing",
        "K4 identity: ",
        "K5 sources: ",
    ];
    for (line, rule) in of_newest[1..].iter().zip(rules) {
        assert!(line.starts_with(&format!("  {rule}")), "{line} in {told}");
    }
    let json = looked(&flights, &["checkpoint", "verify", "state", "--explain", "--json"]).json();
    let rules = json["checkpoints"][0]["rules"].as_array().expect("the rules are told");
    assert!(rules.len() == 5 && rules[0]["checked"]["channels"].as_u64() > Some(0), "{json}");
    assert_eq!(
        looked(&flights, &["checkpoint", "verify", "state", "--json"]).json()["checkpoints"][0].get("rules"),
        None
    );

    let forged = forge(&flights, |votes| {
        let cuts = votes.iter_mut().flat_map(|vote| &mut vote.received);
        cuts.into_iter().next().expect("something is received").records += 1;
    });
    let told = flights.0.run(&["checkpoint", "verify", "state", &forged, "--explain"]);
    assert_eq!(told.code, Some(1), "{told:?}");
    let mut broken =
        told.out.lines().skip_while(|line| !line.starts_with("  K1 channels is broken: channel "));
    let line = broken.next().unwrap_or_else(|| panic!("the channel is named: {told:?}"));
    assert!(line.contains(": records sent "), "{line}");
    assert!(broken.next().is_some_and(|line| line.starts_with("    it says: what was sent ")), "{told:?}");
    assert!(broken.next().is_some_and(|line| line.starts_with("    vertex ")), "{told:?}");
    let json = flights.0.run(&["checkpoint", "verify", "state", &forged, "--explain", "--json"]).json();
    assert_eq!(json["checkpoints"][0]["rules"][0]["checked"], Value::Null, "{json}");
    assert!(json["checkpoints"][0]["rules"][0]["violation"].is_string(), "{json}");
}

/// Writes a checkpoint that is the newest one but for a lie, and returns its number.
fn forge(flights: &Flights, lie: impl FnOnce(&mut [Vote])) -> String {
    let state = flights.0.path().join("state");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime starts");
    runtime.block_on(async {
        let offline = Offline::open(&state).expect("the directory is ours");
        let (_, mut manifest) = offline.manifest(Which::Newest).await.expect("a checkpoint is complete");
        manifest.base = Some(manifest.epoch);
        manifest.epoch.0 += 1;
        lie(&mut manifest.votes);
        offline.store().put_manifest(&manifest).await.expect("the directory is ours");
        manifest.epoch.to_string()
    })
}

#[test]
fn state_is_exported_and_found_by_its_key() {
    let flights = suspended();
    let export = looked(&flights, &["state", "export", "state"]).out;
    let entries: Vec<Value> =
        export.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect();
    let keyed =
        |entry: &&Value| entry["key_group"].is_u64() && entry["key"].as_array().is_some_and(|k| k.len() == 1);
    let entry = entries.iter().find(keyed).expect("flights have keyed state");
    let (key, operator) = (entry["key"][0].to_string(), entry["operator"].as_str().unwrap());
    let found = looked(&flights, &["state", "get", "state", &key, "--operator", operator, "--json"]).json();
    assert!(found["entries"].as_array().unwrap().contains(entry), "{entry} in {found}");
    let text = looked(&flights, &["state", "get", "state", &key, "--operator", operator]).out;
    assert!(text.starts_with(&format!("{operator} ")), "{text}");
    let none = looked(&flights, &["state", "get", "state", "no such key"]).out;
    assert_eq!(none, "nothing is kept for no such key\n");
}

/// All files below a folder.
fn files(folder: PathBuf) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(folder).expect("it is a folder").map(|entry| entry.expect("it is there").path());
    entries.flat_map(|path| if path.is_dir() { files(path) } else { vec![path] }).collect()
}

#[test]
fn a_damaged_object_and_a_lost_one_are_found_and_named() {
    let flights = suspended();
    // How much state there is depends on how far the job has come: a manifest may be larger than any of it.
    let is_manifest = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"manifest."))
    };
    let mut objects = files(flights.0.path().join("state/ck"));
    objects.retain(|path| !is_manifest(path));
    let largest = objects.iter().max_by_key(|path| fs::metadata(path).expect("it is there").len());
    let largest = largest.expect("there are objects");
    let whole = fs::read(largest).expect("it can be read");
    let mut bytes = whole.clone();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::remove_file(largest).expect("the directory is ours");
    fs::write(largest, &bytes).expect("the directory is ours");
    let name = largest.file_name().unwrap().to_str().unwrap();
    let found = flights.0.run(&["checkpoint", "verify", "state"]);
    assert_eq!((found.code, found.err.as_str()), (Some(1), ""), "{found:?}");
    assert!(found.out.contains(name) && found.out.contains("problem"), "{found:?}");
    let json = flights.0.run(&["checkpoint", "verify", "state", "--json"]);
    assert_eq!((json.code, &json.json()["sound"]), (Some(1), &false.into()));
    fs::remove_file(largest).expect("the directory is ours");
    let found = flights.0.run(&["checkpoint", "verify", "state"]);
    assert_eq!(found.code, Some(1), "{found:?}");
    fs::write(largest, &whole).expect("the directory is ours");
    assert_eq!(flights.0.run(&["checkpoint", "verify", "state"]).code, Some(0));
}

#[test]
fn what_is_no_state_directory_is_a_matter_of_usage() {
    let place = Place::new();
    let told = refused(&place, &["checkpoint", "list", "none"]);
    assert!(told.contains("none: there is no such directory"), "{told}");
    fs::create_dir(place.path().join("empty")).unwrap();
    for look in [["checkpoint", "list"], ["checkpoint", "verify"], ["state", "export"]] {
        let told = refused(&place, &[look[0], look[1], "empty"]);
        assert!(told.contains("empty: this is no state directory"), "{told}");
    }
    assert_eq!(fs::read_dir(place.path().join("empty")).unwrap().count(), 0, "looking makes nothing");
    assert_eq!(place.run(&["run", "hello", "--quiet", "--state-dir", "done"]).code, Some(0));
    let told = refused(&place, &["checkpoint", "show", "done", "77"]);
    assert!(told.starts_with("error: there is no checkpoint 77; those that there are: "), "{told}");
    let dry = place.run(&["checkpoint", "migrate", "hello", "--state-dir", "done"]);
    assert!(dry.code == Some(2) && dry.err.contains("--dry-run"), "{dry:?}");
}

#[test]
fn a_dry_run_compares_a_pipeline_with_what_is_saved() {
    let place = Place::new();
    assert_eq!(place.run(&["run", "hello", "--quiet", "--state-dir", "done"]).code, Some(0));
    let migrate = ["checkpoint", "migrate", "--dry-run", "hello", "--state-dir", "done"];
    let same = place.run(&migrate);
    assert_eq!(same.code, Some(0), "{same:?}");
    assert!(same.out.ends_with("the plan is the one it was taken of\n"), "{same:?}");
    let fewer = [("WATERSHED_KEY_GROUPS", "16")];
    let other = place.run_with(&fewer, &migrate);
    assert_eq!(other.code, Some(1), "{other:?}");
    assert!(
        other.out.contains("the checkpoint has 128 key groups and the plan 16: set key_groups to 128"),
        "{other:?}"
    );
    let json = place.run_with(&fewer, &[migrate.as_slice(), &["--json"]].concat()).json();
    assert_eq!(json["obstacles"].as_array().map(Vec::len), Some(1), "{json}");
}
