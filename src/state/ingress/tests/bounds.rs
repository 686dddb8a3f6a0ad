//! What is let go of, what is kept, and what a checkpoint is told whose part is gone.

use super::*;

/// Segments of about one entry of [`ROW`].
fn small(directory: &Path) -> IngressLog {
    let limits = IngressLimits {
        segment_bytes: 100,
        log_bytes_max: 1 << 20,
        commit_within: Duration::ZERO,
        ..IngressLimits::default()
    };
    log_within(directory, limits)
}

const ROW: &str = "a row of some sixty bytes, of which one fits into a segment";

fn filled(log: &IngressLog, rows: u64) -> OpenLog {
    let opened = open(log, 0);
    (0..rows).for_each(|_| put(&opened, 1, ROW));
    opened
}

#[test]
fn a_log_is_read_across_its_segments() {
    let directory = tempfile::tempdir().unwrap();
    let log = small(directory.path());
    let mut opened = filled(&log, 5);
    assert_eq!(segments(&log).len(), 5);
    let firsts = |taken: Vec<(u64, String)>| taken.into_iter().map(|(first, _)| first).collect::<Vec<_>>();
    assert_eq!(firsts(take(&mut opened).unwrap()), [0, 1, 2, 3, 4]);
    put(&opened, 1, ROW);
    assert_eq!(firsts(take(&mut opened).unwrap()), [5]);
    drop(opened);
    assert_eq!(firsts(take(&mut open(&log, 3)).unwrap()), [3, 4, 5]);
}

#[test]
fn segments_go_that_lie_wholly_before_what_is_needed_and_the_newest_stays() {
    let directory = tempfile::tempdir().unwrap();
    let log = small(directory.path());
    let mut opened = filled(&log, 5);
    opened.output.forget(Position(3));
    wait_until("letting go", || segments(&log).len() == 2);
    assert_eq!(segments(&log)[0], format!("{:020}.log", 3));
    opened.output.forget(Position(5));
    wait_until("letting go", || segments(&log).len() == 1);
    put(&opened, 1, ROW);
    drop(opened);
    assert_eq!(take(&mut open(&log, 5)).unwrap(), said(&[(5, ROW)]), "it goes on behind what is gone");
}

#[test]
fn a_checkpoint_whose_part_of_the_log_is_gone_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let log = small(directory.path());
    let mut opened = filled(&log, 5);
    opened.output.forget(Position(3));
    wait_until("letting go", || segments(&log).len() == 2);
    drop(opened);
    let gone = refusal(&log, 2).err().expect("its rows are gone");
    let says = "reaches back to position 3, and the checkpoint goes on from position 2";
    assert!(gone.is_permanent() && gone.to_string().contains(says), "{gone}");
    let short = refusal(&log, 6).err().expect("nothing has been there");
    assert!(short.to_string().contains("ends at position 5"), "{short}");
}

#[test]
fn a_log_that_is_not_there_is_begun_at_a_checkpoint_only_where_somebody_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let log = log(directory.path());
    let missing = refusal(&log, 7).err().expect("there is none");
    assert!(missing.to_string().contains("make this an empty folder"), "{missing}");
    assert!(!log.path().exists(), "nothing was made");
    std::fs::create_dir_all(log.path()).unwrap();
    let mut opened = open(&log, 7);
    put(&opened, 1, "on");
    assert_eq!(take(&mut opened).unwrap(), said(&[(7, "on")]));
}

#[test]
fn a_full_log_holds_its_senders_back_until_a_checkpoint_lets_it_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let limits = IngressLimits {
        log_bytes_max: 400,
        segment_bytes: 1 << 20,
        commit_bytes: 100,
        commit_within: Duration::ZERO,
    };
    let log = log_within(directory.path(), limits);
    let mut opened = open(&log, 0);
    let input = Arc::clone(&opened.input);
    let taken = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&taken);
    let sender = std::thread::spawn(move || {
        while counter.load(Ordering::SeqCst) < 40 && input.append(1, ROW.into()).is_some() {
            counter.fetch_add(1, Ordering::SeqCst);
        }
    });
    // It is held back: what it has appended stands still while a while passes.
    std::thread::sleep(Duration::from_millis(300));
    let held = taken.load(Ordering::SeqCst);
    assert!(held < 20, "{held} rows were taken by a log of 400 bytes");
    let mut read = 0;
    while read < 40 {
        read += take(&mut opened).unwrap().len() as u64;
        opened.output.forget(Position(read));
    }
    sender.join().unwrap();
    assert_eq!(take(&mut opened).unwrap(), []);
}

#[test]
fn an_entry_that_is_too_large_ends_the_log_with_the_reason() {
    let directory = tempfile::tempdir().unwrap();
    let mut opened = open(&log(directory.path()), 0);
    assert_eq!(opened.input.append(1, vec![0; (64 << 20) + 1]), None);
    let error = opened.output.next().unwrap_err();
    assert!(error.is_lost() && error.to_string().contains("takes 67108864"), "{error}");
}
