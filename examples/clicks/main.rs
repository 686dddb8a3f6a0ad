//! Clicks per user and minute: a whole program in one file, and the first page's example.
//!
//! `cargo run --example clicks -- run clicks`
//!
//! Clicks come up to half a minute out of order, each with the time at which it was made. A window is told when the
//! watermark has passed its end, so each click counts in the minute in which it was made, and each minute once.

// README: clicks
use watershed::prelude::*;

#[derive(Clone, Serialize, Deserialize, Data)]
struct Click {
    user: String,
    at: EventTime,
}

fn clicks(pipeline: &Pipeline) -> Result<(), watershed::Error> {
    let clicks = source::JsonLines::<Click>::at("examples/data/clicks.jsonl");
    pipeline
        .source(clicks)
        .uid("clicks")
        .event_times(EventTimes::by(|click: &Click| click.at).out_of_order_by(Duration::from_secs(30)))
        .key_by(|click| click.user.clone())
        .window(Tumbling::of(Duration::from_secs(60)))
        .aggregate(aggregate::Count)
        .uid("per-minute")
        .sink(sink::Files::json_lines("out/clicks").in_parts())
        .uid("counts");
    Ok(())
}

fn main() -> std::process::ExitCode {
    watershed::main(App::new("clicks").pipeline(
        "clicks",
        "Counts the clicks of each user and minute",
        clicks,
    ))
}
// README: end

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::*;

    #[test]
    fn each_click_counts_in_the_minute_in_which_it_was_made() {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data/clicks.jsonl");
        let place = tempfile::tempdir().expect("a temporary directory can be made");
        std::fs::create_dir_all(place.path().join("examples/data")).expect("it is ours");
        std::fs::copy(&data, place.path().join("examples/data/clicks.jsonl")).expect("the data is there");
        // The program's paths are those of the first page; nothing else runs in this process.
        std::env::set_current_dir(place.path()).expect("it is there");

        let mut expected = BTreeMap::new();
        for line in std::fs::read_to_string(&data).expect("the data is there").lines() {
            let Click { user, at } = serde_json::from_str(line).expect("a line is a click");
            let minute = at.as_millis() / 60_000 * 60_000;
            *expected.entry((user, EventTime::from_millis(minute))).or_insert(0) += 1;
        }
        assert!(expected.len() > 10, "{expected:?}");

        Job::describe("clicks", clicks).expect("it can be described").parallelism(2).run().expect("it runs");
        let mut counted = BTreeMap::new();
        for part in std::fs::read_dir("out/clicks").expect("there are parts") {
            let part = std::fs::read_to_string(part.expect("it is ours").path()).expect("a part is text");
            for line in part.lines() {
                let count: Windowed<String, u64> = serde_json::from_str(line).expect("a line is a count");
                counted.insert((count.key, count.window.start), count.value);
            }
        }
        assert_eq!(counted, expected);
    }
}
