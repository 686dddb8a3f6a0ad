//! A disk that is full, and objects that are no longer what was written.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;
use watershed::core::Epoch;
use watershed::core::checkpoint::Payload;

use crate::ledger::{Ledger, RATE_BEHIND, RATES};
use crate::process::Process;
use crate::state::{newest, newest_if_any};
use crate::{need, state};

/// A memory file system of 1 MiB; unmounted when dropped.
struct SmallDisk(TempDir);

impl SmallDisk {
    /// Mounts one. Where that is not permitted, says which test is skipped.
    fn mount(test: &str) -> Option<SmallDisk> {
        let directory = TempDir::new().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=1m", "watershed-test"]).arg(directory.path());
        match mount.stderr(Stdio::null()).status() {
            Ok(status) if status.success() => Some(SmallDisk(directory)),
            _ => {
                need::pass_over(test, "mount", "mounting a file system is not permitted");
                None
            }
        }
    }

    fn ballast(&self) -> PathBuf {
        self.0.path().join("ballast")
    }

    /// Takes all the room there is, also what has become free since the last time.
    fn fill(&self) {
        let mut ballast = OpenOptions::new().create(true).append(true).open(self.ballast()).unwrap();
        while ballast.write_all(&[0; 512]).is_ok() {}
    }

    /// Gives it back.
    fn make_room(&self) {
        fs::remove_file(self.ballast()).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Detached even where a file of it is still open.
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

/// A job that has a checkpoint, and finds no room for further ones: until there is some again, it cannot come to its end. Ever
/// slower ones are tried, until one lives long enough for its disk to be filled.
fn without_room(test: &str) -> Option<(SmallDisk, Ledger, Process)> {
    for rate in RATES {
        let disk = SmallDisk::mount(test)?;
        let mut ledger = Ledger::new().with_state(&disk.0.path().join("state"));
        (ledger.events, ledger.rate, ledger.interval) = (8000, rate, "100ms");
        let mut command = ledger.command("", 2);
        let mut process = Process::start(command.env("WATERSHED_CHECKPOINT_BACK_OFF", "100ms"));
        let lives = process.comes_to("a checkpoint", |_| newest_if_any(ledger.state()).is_some())
            && process.comes_to("the want of room", |process| {
                disk.fill();
                process.said().contains("no room for ")
            });
        if lives {
            ledger.rate = RATE_BEHIND;
            return Some((disk, ledger, process));
        }
    }
    panic!("the job was over before its disk was full, however long it was");
}

#[test]
fn a_full_disk_declines_checkpoints_and_the_job_goes_on_when_there_is_room() {
    let Some((disk, ledger, mut process)) = without_room("a full disk") else { return };
    // What follows is declined, too, and by more than one subtask.
    process.wait_until("further checkpoints are given up", |process| {
        disk.fill();
        process.said().matches("a checkpoint was given up").count() >= 3
    });
    disk.make_room();
    let ended = process.end();
    ended.expect_done("there is room again");
    assert!(ended.said.contains("a checkpoint was given up"), "{ended:?}");
    assert!(ended.said.contains("no room for "), "the reason is told: {ended:?}");
    ledger.judge("behind a full disk");
}

#[test]
fn a_job_whose_disk_is_full_when_it_is_killed_goes_back_to_what_was_decided() {
    let Some((disk, ledger, process)) = without_room("a full disk, and a kill") else { return };
    assert!(process.kill(), "a full disk has ended the job");
    // What it was at has made room.
    disk.fill();
    let full = ledger.book("", 2);
    assert!(matches!(full.code, Some(1 | 2)) && full.said.contains("no room for "), "{full:?}");
    disk.make_room();
    ledger.book("", 2).expect_done("there is room again");
    ledger.judge("behind a full disk and a kill");
}

/// A job that was killed when its third checkpoint was decided, and not carried out; it names a manifest, snapshots and staged
/// rows.
fn decided() -> Ledger {
    let ledger = Ledger::harmed(|ledger| {
        ledger.dies("coordinator::after_decision=2*off->return(kill)", 2)
            && objects(ledger.state()).len() >= 4
    });
    ledger.expect("a third checkpoint is decided before the last")
}

/// The objects that the job goes on from: the manifest, and what it names.
fn objects(state: &Path) -> Vec<String> {
    let (manifest, content) = newest(state);
    let mut objects = vec![manifest];
    for vote in content.votes {
        objects.extend(vote.snapshot.into_iter().map(|object| object.path));
        objects.extend(vote.staged.into_iter().filter_map(|staged| match staged.payload {
            Payload::Inline(_) => None,
            Payload::Object(object) => Some(object.path),
        }));
    }
    objects
}

/// Harms each object in turn and demands that the job names it, shows nothing, and goes on once it is whole again.
fn each_object(harm: impl Fn(&Path, u64)) {
    let ledger = decided();
    let state = ledger.state().to_owned();
    let parts = || fs::read_dir(ledger.output().join("ledger")).unwrap().count();
    let before = parts();
    for (number, object) in objects(&state).into_iter().enumerate() {
        let path = state.join(&object);
        let whole = fs::read(&path).unwrap();
        harm(&path, number as u64);
        let ended = ledger.book("", 2);
        assert_eq!(ended.code, Some(1), "{object}: {ended:?}");
        assert!(ended.said.contains(&object), "{object} is named: {ended:?}");
        assert!(ended.said.contains("bring it back from a copy"), "what to do is told: {ended:?}");
        // What was decided may be committed by those who have all that they need. Nothing begins anew.
        assert!(parts() <= before + 2, "{object}: more was written than was decided");
        fs::write(&path, whole).unwrap();
    }
    ledger.book("", 2).expect_done("all is whole again");
    ledger.judge("behind damaged objects");
}

#[test]
fn an_object_that_was_cut_short_is_named_and_never_loaded() {
    each_object(|path, number| {
        let bytes = fs::metadata(path).unwrap().len();
        let left = bytes * (number + 1) / 7 % bytes;
        OpenOptions::new().write(true).open(path).unwrap().set_len(left).unwrap();
    });
}

#[test]
fn an_object_with_one_bit_changed_is_named_and_never_loaded() {
    each_object(|path, number| {
        let mut bytes = fs::read(path).unwrap();
        let at = bytes.len() * (number as usize + 1) / 7 % bytes.len();
        bytes[at] ^= 1 << (number % 8);
        fs::write(path, bytes).unwrap();
    });
}

#[test]
fn an_object_that_is_gone_is_named_and_the_job_does_not_begin_from_nothing() {
    each_object(|path, _| fs::remove_file(path).unwrap());
}

/// Harms a file of the directory itself, and returns what the job says, which must not have run.
fn refused(ledger: &Ledger, file: &str, harm: impl FnOnce(&Path)) -> String {
    let path = ledger.state().join(file);
    let whole = fs::read(&path).unwrap();
    harm(&path);
    let ended = ledger.book("", 2);
    assert_eq!(ended.code, Some(2), "{file}: {ended:?}");
    fs::write(&path, whole).unwrap();
    ended.said
}

#[test]
fn a_decision_log_from_which_decisions_are_missing_is_refused() {
    let ledger = decided();
    let path = ledger.state().join("meta.log");
    let whole = fs::read(&path).unwrap();
    // Three checkpoints were decided. The end of the log is cut off, with two of them.
    fs::write(&path, &whole[..whole.len() * 7 / 10]).unwrap();
    let ended = ledger.book("", 2);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.said.contains("the decision log ended within a record"), "{ended:?}");
    assert!(ended.said.contains("meta.log is damaged: decisions are missing at its end"), "{ended:?}");
    fs::write(&path, whole).unwrap();
    ledger.book("", 2).expect_done("all is whole again");
    ledger.judge("behind a log that was cut short");
}

#[test]
fn a_decision_log_from_which_the_last_decision_is_missing_is_refused() {
    // Each of the four sinks has committed three checkpoints, and no fourth one is decided.
    let ledger = Ledger::harmed(|ledger| {
        ledger.dies("coordinator::after_commit=11*off->return(kill)", 2)
            && state::decided(ledger.state()) == Some(Epoch(3))
    });
    let ledger = ledger.expect("a third checkpoint is committed before the last");
    let path = ledger.state().join("meta.log");
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 10]).unwrap();
    // Nothing in the directory says that a third was decided. The sinks have committed it, and know.
    let ended = ledger.book("", 2);
    assert_eq!(ended.code, Some(1), "what was committed is committed once more: {ended:?}");
    assert!(ended.said.contains("the decision log has lost its end"), "{ended:?}");
    fs::write(&path, whole).unwrap();
    ledger.book("", 2).expect_done("all is whole again");
    ledger.judge("behind a log that has lost its last decision");
}

#[test]
fn a_decision_log_or_an_identity_that_is_damaged_or_gone_is_refused() {
    let ledger = decided();
    for nth in 1..8 {
        let said = refused(&ledger, "meta.log", |path| {
            let mut bytes = fs::read(path).unwrap();
            let at = bytes.len() * nth / 8;
            bytes[at] ^= 4;
            fs::write(path, bytes).unwrap();
        });
        assert!(said.contains("meta.log is damaged"), "{said}");
    }
    let gone = |path: &Path| fs::remove_file(path).unwrap();
    assert!(refused(&ledger, "meta.log", gone).contains("its decision log meta.log is gone"));
    assert!(
        refused(&ledger, "watershed.json", gone).contains("watershed.json that says whose they are is gone")
    );
    ledger.book("", 2).expect_done("all is whole again");
    ledger.judge("behind a damaged directory");
}
