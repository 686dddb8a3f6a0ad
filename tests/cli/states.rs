//! The state of a job in one process, asked for and changed by its state directory.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::lasting::{Flights, WITHIN, ended};
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
        let until = Instant::now() + WITHIN;
        // Before there is a directory, `state` is taken for a job of a cluster, which is asked for again for a while.
        let lives = || self.place.path().join("state").exists();
        while !lives() || self.ask(&["query", "state", "stock", "7"]).code != Some(0) {
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

    /// What a command answers that has to succeed, however long that takes.
    fn told(&self, arguments: &[&str]) -> String {
        let waits = matches!(arguments[0], "query" | "update") && !arguments.contains(&"--wait");
        let wait: &[&str] = if waits { &["--wait", "60s"] } else { &[] };
        let ended = self.ask(&[arguments, wait].concat());
        assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{arguments:?}: {ended:?}");
        ended.out
    }

    /// As [`told`](Inventory::told), where the answer is JSON.
    fn told_json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.told(arguments)).expect("the answer is JSON")
    }
}

#[test]
fn a_key_is_changed_and_read_by_the_state_directory() {
    let mut inventory = Inventory::start();
    let about = ["state", "stock", "1000000", "--token-file", "seen"];
    let told = inventory.told(&[&["update"], &about[..], &["25"]].concat());
    assert!(told.starts_with("1000000 of stock is updated in run "), "{told}");
    assert_eq!(inventory.told(&[&["query"], &about[..]].concat()), "25\n");
    let told = inventory.told(&[&["update"], &about[..], &["-5", "--durable", "--wait", "60s"]].concat());
    assert!(told.ends_with("; no failure undoes it\n"), "{told}");
    let read = inventory.told_json(&[&["query"], &about[..], &["--json"]].concat());
    let expected = (&json!(20), &json!("stock"), &json!(1_000_000), &json!("causal"), &json!(""));
    assert_eq!((&read["value"], &read["state"], &read["key"], &read["level"], &read["node"]), expected);
    let saved = inventory.told_json(&[&["query"], &about[..], &["--as-of", "latest", "--json"]].concat());
    assert_eq!((&saved["value"], &saved["level"]), (&json!(20), &json!("as-of")), "{saved}");
    assert!(saved["checkpoint"].is_u64(), "{saved}");
    let kept = std::fs::read_to_string(inventory.place.path().join("seen")).expect("the token is kept");
    assert_eq!(saved["token"], kept.trim(), "what was read last is part of what was seen");
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
fn what_a_checkpoint_has_of_shared_state_is_shown_exported_and_compared() {
    let mut inventory = Inventory::start();
    // Of checkpoints, a savepoint alone is kept for as long as the test takes.
    let newest = |inventory: &Inventory| {
        let told = inventory.told(&["savepoint", "state"]);
        let epoch = told.split(' ').nth(1).expect("it has a number").to_owned();
        let read = ["query", "state", "stock", "1000000", "--as-of", &epoch, "--json"];
        assert_eq!(inventory.told_json(&read)["checkpoint"].to_string(), epoch);
        epoch
    };
    let update = |inventory: &Inventory, by: &str| {
        inventory.told(&["update", "state", "stock", "1000000", by, "--durable", "--wait", "60s"]);
    };
    update(&inventory, "25");
    // The example's own come and go: none may be open at the moment of a checkpoint.
    let reserve =
        ["update", "state", "reservations", "1000000", r#"{"Add":5}"#, "--durable", "--wait", "60s"];
    inventory.told(&reserve);
    inventory.told(&["savepoint", "state"]);
    let first = inventory.ask(&["checkpoint", "list", "state", "--json"]).json();
    let saved = first["checkpoints"].as_array().expect("there are some").iter();
    let mut first = saved.filter(|one| one["savepoint"] == true).map(|one| one["epoch"].to_string());
    let first = first.next_back().expect("a savepoint is kept");
    update(&inventory, "-5");
    let last = newest(&inventory);
    inventory.told(&["cancel", "state"]);
    assert_eq!(inventory.end().code, Some(0));

    let of = |epoch: &str| inventory.told(&["state", "get", "state", "1000000", "--checkpoint", epoch]);
    assert_eq!(of(&first), "reservations shared: 1000000 = [5]\nstock shared: 1000000 = 25\n");
    let both = "reservations shared: 1000000 = [5]\nstock shared: 1000000 = 20\n";
    assert_eq!(inventory.told(&["state", "get", "state", "1000000"]), both);
    let get = ["state", "get", "state", "1000000", "--operator", "report"];
    assert_eq!(inventory.told(&get), "nothing is kept for 1000000\n");
    let json = inventory.ask(&["state", "get", "state", "1000000", "--json"]).json();
    let entry = json!({ "shared": "stock", "key": 1_000_000, "value": 20 });
    let reserved = json!({ "shared": "reservations", "key": 1_000_000, "value": [5] });
    assert_eq!(json, json!({ "entries": [], "shared": [reserved, entry], "unresolved": {} }));
    let export = inventory.told(&["state", "export", "state"]);
    let lines: Vec<Value> = export.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert!(lines.contains(&entry) && lines.contains(&reserved), "{export}");

    let diff = inventory.told(&["checkpoint", "diff", "state", &first, &last, "--keys", "10000"]);
    let of_stock = diff.lines().skip_while(|line| *line != "shared state stock");
    let of_stock: Vec<&str> = of_stock.skip(1).take_while(|line| line.starts_with(' ')).collect();
    assert!(of_stock.contains(&"    ~ 1000000"), "{diff}");
    let json = inventory.ask(&["checkpoint", "diff", "state", &first, &last, "--json"]).json();
    let stock = json["shared"].as_array().expect("some").iter().find(|one| one["shared"] == "stock");
    assert_eq!(stock.expect("it changed")["values"], true, "{json}");
    let same = inventory.ask(&["checkpoint", "diff", "state", &last, &last, "--json"]).json();
    assert_eq!(same["shared"], json!([]), "{same}");
}

#[test]
fn shared_state_that_the_program_has_otherwise_is_shown_as_it_was_saved() {
    let place = Place::new();
    let run = ["run", "sensor-consensus", "--state-dir", "state", "--set", "rule=mean", "--set", "rounds=10"];
    assert_eq!(place.run(&run).code, Some(0));
    let about = ["state", "get", "state", "3", "--operator", "votes"];
    let raw = place.run(&about);
    assert_eq!(raw.code, Some(0), "{raw:?}");
    assert!(raw.out.starts_with("votes shared, as it was saved: 3 = "), "{raw:?}");
    assert_eq!(raw.err.lines().count(), 1, "{raw:?}");
    assert!(
        raw.err.starts_with("the shared state votes is told as it was saved: it was saved as "),
        "{raw:?}"
    );
    let json = place.run(&[&about[..], &["--json"]].concat()).json();
    assert!(json["unresolved"]["votes"].is_string() && json["shared"][0]["value"].is_null(), "{json}");
    let read = place.run(&[&about[..], &["--set", "rule=mean"]].concat());
    assert_eq!((read.code, read.err.as_str()), (Some(0), ""), "{read:?}");
    assert!(read.out.starts_with("votes shared: 3 = "), "{read:?}");
}

#[test]
fn the_sessions_of_a_key_are_seen_while_they_last_and_in_a_checkpoint() {
    let flights = Flights::new();
    // The first flight of the month; at this rate, its aircraft does not fly again for more than an hour.
    let about = ["query", "state", "rotations", "N14228", "--json"];
    let slow = ["--state-dir", "state", "--checkpoint-interval", "100ms", "--set", "rate=1", "--quiet"];
    let mut child = flights.command(&slow).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect(STARTS);
    let until = Instant::now() + WITHIN;
    let ask = |more: &[&str]| loop {
        let ended = flights.0.run(&[&about[..], more].concat());
        if ended.code == Some(0) && !ended.json()["value"].is_null() {
            return ended.json()["value"].clone();
        }
        assert!(Instant::now() < until, "it never flew: {ended:?}");
        std::thread::sleep(Duration::from_millis(50));
    };
    let live = ask(&[]);
    assert_eq!(live.as_array().map(Vec::len), Some(1), "{live}");
    assert_eq!((&live[0]["closed"], &live[0]["kept"]), (&json!(false), &json!([1, 1400])), "{live}");
    assert_eq!(ask(&["--as-of", "latest"]), live);
    child.kill().expect("it runs");
    child.wait().expect("it was killed");
    let saved =
        flights.0.run(&["state", "get", "state", "N14228", "--operator", "rotations", "--json"]).json();
    assert!(saved["entries"].as_array().is_some_and(|entries| entries[0]["value"] == live), "{saved}");
}

/// What a server answers for a path, head and body.
fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    answer
}

#[test]
fn a_job_in_one_process_tells_what_is_counted() {
    let place = Place::new();
    let run =
        ["run", "inventory", "--metrics", "127.0.0.1:0", "--set", "orders=10_000_000", "--set", "rate=200"];
    let child = place.command(&run).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect(STARTS);
    let mut inventory = Inventory { place, child: Some(child) };
    let told = inventory.child.as_mut().and_then(|child| child.stderr.take()).expect("it is piped");
    let mut lines = BufReader::new(told).lines().map_while(Result::ok);
    let address = lines.find_map(|line| {
        let address = line.strip_prefix("what is counted is told at http://")?.strip_suffix("/metrics")?;
        Some(address.to_owned())
    });
    let address = address.expect("it says where");
    let until = Instant::now() + WITHIN;
    loop {
        let text = get(&address, "/metrics");
        assert!(text.starts_with("HTTP/1.1 200 "), "{text}");
        let of =
            |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok());
        let made = of("watershed_shared_made_total{job=\"inventory\"} ");
        if made > Some(0.0) && text.contains("\nwatershed_records_in_total{job=\"inventory\",vertex=\"0\",") {
            break;
        }
        assert!(Instant::now() < until, "nothing was ever counted: {text}");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(get(&address, "/healthz").starts_with("HTTP/1.1 200 "));
    assert!(get(&address, "/api/v1/jobs").starts_with("HTTP/1.1 404 "));
    let wrong = refused(&inventory.place, &["run", "inventory", "--metrics", "0.0.0.0:0"]);
    assert!(wrong.contains("write a loopback address"), "{wrong}");
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
