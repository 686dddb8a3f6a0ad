//! A whole history, in formats that checkers read.

use std::ffi::OsString;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{fs, io};

use serde_json::{Value, json};

use super::history::{Entry, Fate, Step};

/// All that was done and told, in its order.
pub(crate) struct Told(pub(crate) Vec<Entry>);

impl Told {
    /// How many transactions were done.
    pub(crate) fn done(&self) -> usize {
        self.0.iter().filter(|entry| entry.fate == Fate::Done).count()
    }

    /// Keeps it in files of both formats, whose names begin with `stem`.
    pub(crate) fn keep(&self, stem: &Path, run: u64) -> io::Result<()> {
        if let Some(folder) = stem.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(place(stem, run, "elle.json"), self.elle())?;
        fs::write(place(stem, run, "plume.txt"), self.plume())
    }

    /// As Elle reads it: one operation a line, `list-append`.
    pub(crate) fn elle(&self) -> String {
        let step = |step: &Step| match step {
            Step::Append { part, element } => json!(["append", part.number(), element]),
            Step::Read { part, elements } => json!(["r", part.number(), elements]),
        };
        let line = |(index, entry): (usize, &Entry)| {
            let fate = match entry.fate {
                Fate::Invoked => "invoke",
                Fate::Done => "ok",
                Fate::Failed => "fail",
                Fate::Open => "info",
            };
            let value: Vec<Value> = entry.steps.iter().map(step).collect();
            let process = entry.process;
            json!({ "index": index, "type": fate, "f": "txn", "process": process, "value": value })
                .to_string()
                + "\n"
        };
        self.0.iter().enumerate().map(line).collect()
    }

    /// As Plume reads it: `w(key,value,session,transaction)` and `r(..)`. A register of one value has the last element of
    /// the list, and 0 where there is none; what may have happened is written, and what has failed is written by the
    /// transaction -1.
    pub(crate) fn plume(&self) -> String {
        let mut text = String::new();
        for (number, Entry { fate, process, steps }) in self.0.iter().enumerate() {
            for step in steps {
                match (step, fate) {
                    (Step::Append { part, element }, Fate::Done | Fate::Open) => {
                        writeln!(text, "w({},{element},{process},{number})", part.number())
                            .expect("a text takes more");
                    }
                    (Step::Append { part, element }, Fate::Failed) => {
                        writeln!(text, "w({},{element},{process},-1)", part.number())
                            .expect("a text takes more");
                    }
                    (Step::Read { part, elements: Some(elements) }, Fate::Done) => {
                        let last = elements.last().copied().unwrap_or_default();
                        writeln!(text, "r({},{last},{process},{number})", part.number())
                            .expect("a text takes more");
                    }
                    (Step::Append { .. } | Step::Read { .. }, _) => {}
                }
            }
        }
        text
    }
}

/// Where a history of a run is kept, in either format.
fn place(stem: &Path, run: u64, format: &str) -> PathBuf {
    let mut place = OsString::from(stem);
    place.push(format!(".run-{run}.{format}"));
    place.into()
}

#[test]
fn a_history_is_told_in_both_formats() {
    let [one, other] = [0, 7].map(|writer| super::lists::List::of(1, 0, 8).part(writer));
    let history = super::history::History::default();
    let append = |element| vec![Step::Append { part: one, element }];
    let read = |told: bool| {
        let parts = [(one, vec![1]), (other, vec![])];
        parts.map(|(part, elements)| Step::Read { part, elements: told.then_some(elements) }).to_vec()
    };
    history.note(1, Fate::Invoked, append(1));
    history.note(1, Fate::Done, append(1));
    history.note(2, Fate::Invoked, read(false));
    history.note(2, Fate::Done, read(true));
    history.note(1, Fate::Failed, append(2));
    history.note(1, Fate::Open, append(3));
    let told = history.told(None);
    let lines: Vec<Value> = told.elle().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let read = json!([["r", 100_100, [1]], ["r", 100_107, []]]);
    let expected = json!({ "index": 3, "type": "ok", "f": "txn", "process": 2, "value": read });
    assert_eq!((lines.len(), &lines[3]), (6, &expected));
    assert_eq!(lines[2]["value"], json!([["r", 100_100, null], ["r", 100_107, null]]));
    let expected =
        ["w(100100,1,1,1)", "r(100100,1,2,3)", "r(100107,0,2,3)", "w(100100,2,1,-1)", "w(100100,3,1,5)"];
    assert_eq!(told.plume().lines().collect::<Vec<_>>(), expected);
    assert_eq!(told.done(), 2);
}
