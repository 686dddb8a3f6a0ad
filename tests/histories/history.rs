//! What clients did and were told, in its order, and in formats that checkers read.

use std::fmt::Write;
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

/// One step of a transaction.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Append {
        list: u64,
        element: u64,
    },
    /// None before it is known.
    Read {
        list: u64,
        elements: Option<Vec<u64>>,
    },
}

/// What became of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Invoked,
    Done,
    /// Nothing has happened.
    Failed,
    /// It may have happened, or may happen yet.
    Open,
}

struct Entry {
    fate: Fate,
    process: u64,
    steps: Vec<Step>,
}

/// The history of one run of the job.
#[derive(Default)]
pub(crate) struct History(Mutex<Vec<Entry>>);

impl History {
    /// Notes something at the moment at which it is called.
    pub(crate) fn note(&self, process: u64, fate: Fate, steps: Vec<Step>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Entry { fate, process, steps });
    }

    /// How many transactions were done.
    pub(crate) fn done(&self) -> usize {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.iter().filter(|entry| entry.fate == Fate::Done).count()
    }

    /// As Elle reads it: one operation a line, `list-append`.
    pub(crate) fn elle(&self) -> String {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let step = |step: &Step| match step {
            Step::Append { list, element } => json!(["append", list, element]),
            Step::Read { list, elements } => json!(["r", list, elements]),
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
        entries.iter().enumerate().map(line).collect()
    }

    /// As Plume reads it: `w(key,value,session,transaction)` and `r(..)`. A register of one value has the last element of the
    /// list; what may have happened is written, and what has failed is left out.
    pub(crate) fn plume(&self) -> String {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        for (number, entry) in entries.iter().enumerate() {
            let is_told = entry.fate == Fate::Done;
            let is_written = is_told || entry.fate == Fate::Open;
            for step in &entry.steps {
                match step {
                    Step::Append { list, element } if is_written => {
                        writeln!(text, "w({list},{element},{},{number})", entry.process).unwrap();
                    }
                    Step::Read { list, elements: Some(elements) } if is_told && !elements.is_empty() => {
                        let last = elements[elements.len() - 1];
                        writeln!(text, "r({list},{last},{},{number})", entry.process).unwrap();
                    }
                    Step::Append { .. } | Step::Read { .. } => {}
                }
            }
        }
        text
    }
}

#[test]
fn a_history_is_told_in_both_formats() {
    let history = History::default();
    let append = |element| vec![Step::Append { list: 7, element }];
    history.note(1, Fate::Invoked, append(1));
    history.note(1, Fate::Done, append(1));
    history.note(2, Fate::Invoked, vec![Step::Read { list: 7, elements: None }]);
    history.note(2, Fate::Done, vec![Step::Read { list: 7, elements: Some(vec![1]) }]);
    history.note(1, Fate::Failed, append(2));
    history.note(1, Fate::Open, append(3));
    let lines: Vec<Value> = history.elle().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let expected = json!({ "index": 3, "type": "ok", "f": "txn", "process": 2, "value": [["r", 7, [1]]] });
    assert_eq!((lines.len(), &lines[3]), (6, &expected));
    assert_eq!(lines[2]["value"], json!([["r", 7, null]]));
    assert_eq!(history.plume(), "w(7,1,1,1)\nr(7,1,2,3)\nw(7,3,1,5)\n");
    assert_eq!(history.done(), 2);
}
