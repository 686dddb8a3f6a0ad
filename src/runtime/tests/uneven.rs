//! A source whose splits end at very different times.

use std::sync::mpsc;

use watershed_core::{Position, Source, SourceError};

use super::*;

/// As many splits as there are limits, each with the numbers below its own.
#[derive(Clone)]
struct Uneven(Vec<u64>);

impl Source for Uneven {
    type Out = u64;
    type Split = u64;
    type Reader = <Numbers as Source>::Reader;

    fn splits(&self, _: u32) -> Result<Vec<u64>, SourceError> {
        Ok(self.0.clone())
    }

    fn open(&self, limit: &u64, from: Option<Position>) -> Result<Self::Reader, SourceError> {
        Numbers::up_to(*limit).open(&(), from)
    }

    fn gives_times(&self) -> bool {
        true
    }

    fn describe(&self, limit: &u64) -> String {
        format!("numbers below {limit}")
    }
}

#[test]
fn a_subtask_that_has_read_everything_holds_nobody_up() {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let (pipeline, keep) = (pipeline(), Keep::new());
        // The second goes on far beyond the lead that it may have before the first.
        pipeline.source(Uneven(vec![500, 50_000])).rebalance().sink(keep.clone());
        let summary = run(&pipeline, &config(2, 64)).expect("nothing fails");
        // Nobody listens any more where it comes too late.
        let _ = tell.send((summary.end, keep.sorted().len()));
    });
    assert_eq!(told.recv_timeout(Duration::from_secs(120)), Ok((JobEnd::Complete, 50_500)));
}
