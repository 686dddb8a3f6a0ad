//! Pins sheets of readings to a board, each exactly once: a sink of your own.
//!
//! The board is a folder, a sheet is a text file, and readers look at the folder whenever they like. They must
//! never see half a sheet, nor one that a failure and a restart have written twice. No sink can promise that
//! with `write` alone, so a [`Sink`] has the three verbs of two-phase commit beside it:
//!
//! ```text
//! write ──▶ .draft-S ──prepare──▶ .staged-E-S (durable, hidden) ──commit──▶ sheet-E-S.txt (visible)
//!              │                       └──────abort──▶ removed
//!              └── begun anew by the next writer                      S: subtask, E: epoch
//! ```
//!
//! * **`prepare` makes durable.** It is called at each checkpoint, and returns what anybody would need to finish
//!   the job: here the epoch and subtask, from which the names follow. That value is saved in the checkpoint.
//! * **`commit` makes visible.** It is called when *all* subtasks of the job have prepared. If the answer is
//!   lost, it is called again, perhaps after a restart and by another writer that knows only the saved value.
//!   So twice must be the same as once: a sheet that hangs already is as good as done.
//! * **`abort` takes back** what will never be committed.
//!
//! A job without checkpoints prepares and commits once, at its end. Where your place has transactions, a
//! table of the epochs that it has seen, or ids for requests, the three verbs are the same and the file names
//! are not. A new job begins with epoch 1 again: give it a board of its own, or do as [`sink::Files`] does and
//! replace what an earlier job has left.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use watershed::prelude::*;

/// The sink: where the board is. It is cloned to every subtask.
#[derive(Clone)]
struct Board {
    folder: PathBuf,
}

impl Sink for Board {
    type In = String;
    type Staged = Sheet;
    type Writer = BoardWriter;

    fn open(&self, place: &SinkPlace) -> Result<BoardWriter, SinkError> {
        fs::create_dir_all(&self.folder).map_err(|why| failed(&self.folder, why))?;
        Ok(BoardWriter { board: self.clone(), subtask: place.subtask.index, draft: None })
    }
}

/// A staged sheet, as a checkpoint saves it.
#[derive(Clone, Serialize, Deserialize, Data)]
struct Sheet {
    epoch: u64,
    subtask: u32,
}

impl Board {
    fn draft(&self, subtask: u32) -> PathBuf {
        self.folder.join(format!(".draft-{subtask}"))
    }

    fn staged(&self, sheet: &Sheet) -> PathBuf {
        self.folder.join(format!(".staged-{}-{}", sheet.epoch, sheet.subtask))
    }

    fn visible(&self, sheet: &Sheet) -> PathBuf {
        self.folder.join(format!("sheet-{}-{}.txt", sheet.epoch, sheet.subtask))
    }

    /// Makes the names of files as durable as their contents.
    fn sync(&self) -> io::Result<()> {
        File::open(&self.folder)?.sync_all()
    }
}

/// Writes for one subtask.
struct BoardWriter {
    board: Board,
    subtask: u32,
    /// What was written since the last `prepare`.
    draft: Option<BufWriter<File>>,
}

impl Writer for BoardWriter {
    type In = String;
    type Staged = Sheet;

    fn write(&mut self, line: String, _time: EventTime) -> Result<(), SinkError> {
        let path = self.board.draft(self.subtask);
        let written = match &mut self.draft {
            Some(draft) => writeln!(draft, "{line}"),
            None => File::create(&path)
                .and_then(|file| writeln!(self.draft.insert(BufWriter::new(file)), "{line}")),
        };
        written.map_err(|why| failed(&path, why))
    }

    fn prepare(&mut self, epoch: Epoch) -> Result<Option<Sheet>, SinkError> {
        let Some(draft) = self.draft.take() else { return Ok(None) };
        let sheet = Sheet { epoch: epoch.0, subtask: self.subtask };
        let staged = self.board.staged(&sheet);
        draft
            .into_inner()
            .map_err(io::IntoInnerError::into_error)
            .and_then(|file| file.sync_all())
            .and_then(|()| fs::rename(self.board.draft(self.subtask), &staged))
            .and_then(|()| self.board.sync())
            .map_err(|why| failed(&staged, why))?;
        Ok(Some(sheet))
    }

    fn commit(&mut self, sheet: Sheet) -> Result<(), SinkError> {
        let (staged, visible) = (self.board.staged(&sheet), self.board.visible(&sheet));
        match fs::rename(&staged, &visible) {
            Err(why) if why.kind() == io::ErrorKind::NotFound && visible.exists() => Ok(()),
            renamed => renamed.and_then(|()| self.board.sync()),
        }
        .map_err(|why| failed(&visible, why))
    }

    fn abort(&mut self, sheet: Sheet) -> Result<(), SinkError> {
        let staged = self.board.staged(&sheet);
        match fs::remove_file(&staged) {
            Err(why) if why.kind() != io::ErrorKind::NotFound => Err(failed(&staged, why)),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

fn failed(path: &Path, why: io::Error) -> SinkError {
    SinkError::new(path.display().to_string(), why)
}

/// What can be set from outside.
#[derive(Serialize, Deserialize)]
#[serde(default)]
struct Parameters {
    /// Readings to generate.
    readings: u64,
    /// The folder to pin sheets to.
    output: PathBuf,
}

impl Default for Parameters {
    fn default() -> Self {
        Parameters { readings: 1000, output: PathBuf::from("out/board") }
    }
}

fn custom_sink(pipeline: &Pipeline, parameters: Parameters) -> Result<(), watershed::Error> {
    pipeline
        .source(Generator::new(3, |n, dice| (n, dice.normal())).take(parameters.readings))
        .uid("readings")
        .map(|(n, level)| format!("reading {n}: {:.2} m", 2.0 + 0.1 * level))
        .sink(Board { folder: parameters.output })
        .uid("board");
    Ok(())
}

/// Registers the pipeline.
pub(crate) fn register(app: App) -> App {
    app.pipeline("custom-sink", "Pins sheets of readings to a folder, exactly once", custom_sink)
}

/// [`verify_sink`] prepares, commits, aborts, repeats and crashes in every order that matters.
///
/// [`verify_sink`]: watershed::core::testing::verify_sink
#[cfg(test)]
mod tests {
    use watershed::core::testing::{SinkHarness, verify_sink};

    use super::*;

    /// The lines of all visible sheets.
    fn lines(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let sheets = entries.filter(|path| path.extension().is_some_and(|extension| extension == "txt"));
        sheets
            .flat_map(|sheet| {
                fs::read_to_string(sheet).unwrap().lines().map(str::to_owned).collect::<Vec<_>>()
            })
            .collect()
    }

    #[test]
    fn it_keeps_the_contract_of_sinks() {
        let records: Vec<_> = (0..6).map(|n| Record::new(format!("line {n}"), EventTime::MIN)).collect();
        let fresh = || {
            let folder = tempfile::tempdir().unwrap();
            (Board { folder: folder.path().to_owned() }, move || lines(folder.path()))
        };
        verify_sink(fresh, &records);
    }

    #[test]
    fn a_sheet_that_somebody_removed_is_not_committed_in_silence() {
        let folder = tempfile::tempdir().unwrap();
        let mut harness = SinkHarness::new(Board { folder: folder.path().to_owned() });
        harness.write("a".to_owned(), 0);
        let staged = harness.prepare();
        fs::remove_file(folder.path().join(".staged-1-0")).unwrap();
        assert!(harness.try_commit(&staged).unwrap_err().to_string().contains("sheet-1-0.txt"));
    }
}
