//! Files: written aside, and moved into view as a whole.
//!
//! Mode F of two-phase commit. A record goes to a *draft*, a hidden file in the same file system. `prepare`
//! makes the draft durable and stages its name, length and hash; `commit` renames it to its place.
//!
//! ```text
//! write ──▶ draft ──prepare──▶ staged (durable, hidden) ──commit──▶ target (visible)
//!             │                    │
//!           crash                abort ──▶ removed
//!             └──▶ removed by the next job in the same place
//! ```

mod draft;
mod layout;
mod reached;
mod staged;
#[cfg(test)]
mod tests;
mod writer;

pub use staged::StagedFiles;
pub use writer::FilesWriter;

use std::fs;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use watershed_core::{Data, Sink, SinkError, SinkPlace};

#[cfg(feature = "parquet")]
use crate::sink::Parquet;
use crate::sink::claim::Claims;
use crate::sink::files::layout::Layout;
use crate::sink::{Csv, Encode, JsonLines, MessagePack};

/// Writes records to a file, or to a folder of parts.
///
/// `Files::csv("out/hourly.csv")` is the file `out/hourly.csv` where the sink has a single subtask,
/// nothing rolls, and the format lets records be appended, and otherwise, or where [in parts](Files::in_parts) is said, the folder `out/hourly` with
/// parts `part-SUBTASK-NUMBER.csv`, each with the header. Nothing else is ever seen there: what is being
/// written lies in `out/.inprogress`.
///
/// * **When it is seen.** At commits: in a job without checkpoints at its end, all at once.
///   With checkpoints, each adds its parts to the folder, or its records to the end of the one file; there, a
///   reader may see the last records before they are all there.
/// * **No records.** The file is there all the same, with the header where the format has one; of a
///   folder, so is one part. [`when_needed`](Files::when_needed) creates nothing before the first record.
/// * **An earlier job's output** in the same place, file or folder, is replaced when the first commit is made, and
///   until then stays. Numbers of parts go on from the highest that is there. Each subtask removes a share of
///   the old parts, so a reader should not look while the job is being committed.
/// * **Failures.** After a failed write nothing more is written: the subtask has to be opened anew. A job that
///   fails leaves nothing behind, directories that it has made included.
/// * **Two jobs at a time.** The second that would write the same path is refused; beside it, in the same directory,
///   both may write.
/// * **Checkpoints and parallelism.** A job that may go on at another parallelism says
///   [`in_parts`](Files::in_parts), so that its output lies in one place.
///
/// The directory of the path is created, and must be one file system with the folder of parts.
pub struct Files<T, E> {
    path: PathBuf,
    encoder: E,
    rolling: Rolling,
    in_parts: bool,
    when_needed: bool,
    claims: Claims,
    of: PhantomData<fn(T)>,
}

/// When a part is ended and another begun.
#[derive(Clone, Copy, Debug, Default)]
struct Rolling {
    bytes: Option<u64>,
    age: Option<Duration>,
}

impl<T: Serialize + DeserializeOwned> Files<T, Csv> {
    /// [Comma-separated values](Csv) with a header.
    pub fn csv(path: impl AsRef<Path>) -> Self {
        Files::encoded(path, Csv::default())
    }
}

impl<T: Data> Files<T, JsonLines> {
    /// One [line of JSON](JsonLines) for each record.
    pub fn json_lines(path: impl AsRef<Path>) -> Self {
        Files::encoded(path, JsonLines)
    }
}

impl<T: Data> Files<T, MessagePack> {
    /// [MessagePack](MessagePack) values, one behind the other.
    pub fn message_pack(path: impl AsRef<Path>) -> Self {
        Files::encoded(path, MessagePack)
    }
}

#[cfg(feature = "parquet")]
impl<T: Data> Files<T, Parquet> {
    /// [Parquet](Parquet), always in parts.
    pub fn parquet(path: impl AsRef<Path>) -> Self {
        Files::encoded(path, Parquet::default())
    }
}

impl<T, E: Encode<T>> Files<T, E> {
    /// Files in a format of your own.
    pub fn encoded(path: impl AsRef<Path>, encoder: E) -> Self {
        Files {
            path: path.as_ref().to_owned(),
            encoder,
            rolling: Rolling::default(),
            in_parts: false,
            when_needed: false,
            claims: Claims::default(),
            of: PhantomData,
        }
    }

    /// Begins another part when one has reached so many bytes. The last record may reach beyond.
    #[must_use]
    pub fn rolling_bytes(mut self, bytes: u64) -> Self {
        self.rolling.bytes = Some(bytes);
        self
    }

    /// Begins another part when one is so old, by the machine's clock. It is looked at when the stream pauses, and
    /// every so many records.
    #[must_use]
    pub fn rolling_after(mut self, age: Duration) -> Self {
        self.rolling.age = Some(age);
        self
    }

    /// Writes a folder of parts whatever the parallelism.
    #[must_use]
    pub fn in_parts(mut self) -> Self {
        self.in_parts = true;
        self
    }

    /// Creates nothing before the first record.
    #[must_use]
    pub fn when_needed(mut self) -> Self {
        self.when_needed = true;
        self
    }

    fn is_in_parts(&self, parallelism: u32) -> bool {
        self.in_parts
            || !self.encoder.appends()
            || parallelism > 1
            || self.rolling.bytes.is_some()
            || self.rolling.age.is_some()
    }
}

impl<T, E: Clone> Clone for Files<T, E> {
    fn clone(&self) -> Self {
        Files {
            path: self.path.clone(),
            encoder: self.encoder.clone(),
            claims: self.claims.clone(),
            of: PhantomData,
            ..*self
        }
    }
}

impl<T: Data, E: Encode<T>> Sink for Files<T, E> {
    type In = T;
    type Staged = StagedFiles;
    type Writer = FilesWriter<T, E>;

    fn open(&self, place: &SinkPlace) -> Result<FilesWriter<T, E>, SinkError> {
        let parallelism = place.parallelism;
        let layout = Layout::new(&self.path, self.encoder.extension())?;
        let unfit = |why| SinkError::new(self.path.display().to_string(), why);
        self.encoder.check().map_err(unfit)?;
        let in_parts = self.is_in_parts(parallelism);
        let (file, folder) = (layout.file(), layout.folder());
        if in_parts && folder.exists() && !folder.is_dir() {
            return Err(SinkError::new(
                folder.display().to_string(),
                "is a file, and has to be a folder of parts",
            ));
        }
        if !in_parts && file.is_dir() {
            return Err(SinkError::new(file.display().to_string(), "is a directory, and has to be a file"));
        }
        if !in_parts {
            refuse_special(&file)?;
        }
        // This tries the place out, too, now and not at the first record an hour later.
        let claim = self.claims.demand(layout.directory(), layout.name(), place)?;
        Ok(FilesWriter::new(self.clone(), (layout, claim), in_parts, place))
    }
}

/// Refuses to put a finished file in the place of a device, a pipe or a link: what is renamed to such a path
/// destroys it.
pub(super) fn refuse_special(file: &Path) -> Result<(), SinkError> {
    match fs::symlink_metadata(file) {
        Ok(there) if !there.is_file() => Err(SinkError::new(
            file.display().to_string(),
            "is a device, a pipe or a link, which the finished file would replace; name a regular file",
        )),
        Ok(_) | Err(_) => Ok(()),
    }
}
