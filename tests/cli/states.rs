//! The state of a job in one process, asked for and changed by its state directory.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::lasting::ended;
use crate::place::{Ended, Place, STARTS, refused};

/// `inventory` in a directory of its own, for longer than a test takes.
struct Inventory {
    place: Place,
    child: Option<Child>,
}

impl Drop for Inventory {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // One that has ended needs not be killed.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Inventory {
    fn start() -> Self {
        let mut inventory = Inventory { place: Place::new(), child: None };
        inventory.go_on();
        inventory
    }

    fn go_on(&mut self) {
        let run = ["run", "inventory", "--state-dir", "state", "--checkpoint-interval", "100ms", "--quiet"];
        let sets = ["--parallelism", "2", "--set", "orders=10_000_000", "--set", "rate=200"];
        let mut command = self.place.command(&[&run[..], &sets].concat());
        let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect(STARTS);
        self.child = Some(child);
        let until = Instant::now() + Duration::from_secs(60);
        while self.ask(&["query", "state", "stock", "7"]).code != Some(0) {
            assert!(Instant::now() < until, "the job never answered");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn end(&mut self) -> Ended {
        let child = self.child.take().expect("it runs");
        ended(child)
    }

    fn ask(&self, arguments: &[&str]) -> Ended {
        self.place.run(arguments)
    }

    /// What a command answers that has to succeed.
    fn told(&self, arguments: &[&str]) -> String {
        let ended = self.ask(arguments);
        assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{arguments:?}: {ended:?}");
        ended.out
    }
}

#[test]
fn a_key_is_changed_and_read_by_the_state_directory() {
    let mut inventory = Inventory::start();
    let about = ["state", "stock", "1000000", "--token-file", "seen"];
    let told = inventory.told(&[&["update"], &about[..], &["25"]].concat());
    assert!(told.starts_with("1000000 of stock is updated in run "), "{told}");
    assert_eq!(inventory.told(&[&["query"], &about[..]].concat()), "25\n");
    let told = inventory.told(&[&["update"], &about[..], &["-5", "--durable", "--wait", "30s"]].concat());
    assert!(told.ends_with("; no failure undoes it\n"), "{told}");
    let read = inventory.ask(&[&["query"], &about[..], &["--json"]].concat()).json();
    let expected = (&json!(20), &json!("stock"), &json!(1_000_000), &json!("causal"), &json!(""));
    assert_eq!((&read["value"], &read["state"], &read["key"], &read["level"], &read["node"]), expected);
    let saved = inventory.ask(&[&["query"], &about[..], &["--as-of", "latest", "--json"]].concat()).json();
    assert_eq!((&saved["value"], &saved["level"]), (&json!(20), &json!("as-of")), "{saved}");
    assert!(saved["checkpoint"].is_u64(), "{saved}");
    let kept = std::fs::read_to_string(inventory.place.path().join("seen")).expect("the token is kept");
    assert_eq!(read["token"], kept.trim());
    assert_eq!(
        inventory.told(&["query", "state", "reservations", "1000000"]),
        "nothing is there for 1000000 in reservations\n"
    );

    inventory.told(&["cancel", "state"]);
    assert_eq!(inventory.end().code, Some(0));
    let gone = inventory.ask(&["query", "state", "stock", "7"]);
    assert_eq!(gone.code, Some(3));
    assert_eq!(gone.err, "error: no job runs on state: start one with --state-dir state\n");
    inventory.go_on();
    assert_eq!(inventory.told(&["query", "state", "stock", "1000000"]), "20\n");
}

#[test]
fn what_is_asked_of_a_state_wrongly_is_told_with_a_code() {
    let inventory = Inventory::start();
    let fails = |code: i32, arguments: &[&str]| {
        let ended = inventory.ask(arguments);
        assert_eq!((ended.code, ended.out.as_str()), (Some(code), ""), "{arguments:?}: {ended:?}");
        ended.err
    };
    assert!(fails(2, &["query", "state", "stocks", "7"]).contains("no state \"stocks\""));
    assert!(fails(2, &["query", "state", "stock", "EWR"]).starts_with("error: the key cannot be read"));
    assert!(fails(1, &["update", "state", "stock", "7", "many"]).contains("the update is not taken"));
    let coded = inventory.ask(&["query", "state", "stocks", "7", "--json"]);
    let told: Value = coded.json();
    assert_eq!((&told["code"], &told["exit_code"]), (&json!("no-state"), &json!(2)), "{told}");
    assert!(told["known"].as_array().is_some_and(|known| known.contains(&json!("stock"))), "{told}");

    let wrong = |arguments: &[&str]| refused(&inventory.place, arguments);
    assert!(wrong(&["query", "state", "stock", "{\"a\":"]).contains("is no JSON that can be taken"));
    assert!(wrong(&["query", "state", "stock", "18446744073709551616"]).contains("has more than 64 bits"));
    assert!(wrong(&["update", "state", "stock", "7", "{\"$float\":\"NaN\"}"]).contains("equals nothing"));
    assert!(wrong(&["query", "state", "stock", "7", "--wait", "2"]).contains("--wait"));
    assert!(
        wrong(&["query", "state", "stock", "7", "--level", "causal", "--as-of", "3"]).contains("as-of alone")
    );
    assert!(wrong(&["query", "./nowhere", "stock", "7"]).contains("there is no such directory"));
    inventory.place.write("seen", "two words\n");
    assert!(wrong(&["query", "state", "stock", "7", "--token-file", "seen"]).contains("cannot be read"));
}
