//! Writes the files of one subtask.

use std::fs;
use std::sync::Arc;

use watershed_core::{Data, Epoch, EventTime, Lineage, Run, SinkError, SinkPlace, Writer};

use crate::sink::claim::Claim;
use crate::sink::files::Files;
use crate::sink::files::draft::{Draft, sync_directory};
use crate::sink::files::layout::{Layout, Target};
use crate::sink::files::reached::Reached;
use crate::sink::files::staged::{Replaced, StagedFile, StagedFiles, remove};
use crate::sink::{Encode, failure};

/// After how many records the age of a part is looked at.
const AGE_RECORDS: u32 = 1024;

/// Writes [`Files`] for one subtask.
pub struct FilesWriter<T, E> {
    sink: Files<T, E>,
    layout: Layout,
    claim: Arc<Claim>,
    in_parts: bool,
    subtask: u32,
    run: Run,
    lineage: Lineage,
    parallelism: u32,
    /// How far the checkpoint reaches that the job goes on from, until it does.
    reached: Reached,
    resumed: bool,
    /// Whether the place has been looked at.
    begun: bool,
    /// Whether a file has been staged, so that an epoch without records needs none.
    staged_any: bool,
    /// Set at the first failure: what the draft holds is no longer known.
    broken: Option<String>,
    draft: Option<(Draft, String)>,
    ended: Vec<StagedFile>,
    replaced: Vec<Replaced>,
    next_draft: u32,
    next_part: u32,
    /// Where the next draft belongs in the one file.
    offset: u64,
    until_aged: u32,
}

impl<T: Data, E: Encode<T>> FilesWriter<T, E> {
    pub(super) fn new(
        sink: Files<T, E>,
        (layout, claim): (Layout, Arc<Claim>),
        in_parts: bool,
        place: &SinkPlace,
    ) -> Self {
        FilesWriter {
            sink,
            layout,
            claim,
            in_parts,
            subtask: place.subtask.index,
            run: place.run,
            lineage: place.lineage,
            parallelism: place.parallelism,
            reached: Reached::default(),
            resumed: false,
            begun: false,
            staged_any: false,
            broken: None,
            draft: None,
            ended: Vec::new(),
            replaced: Vec::new(),
            next_draft: 0,
            next_part: 0,
            offset: 0,
            until_aged: AGE_RECORDS,
        }
    }

    /// Looks at what lies in the place, once, behind the commits of a checkpoint and before the first record.
    fn begin(&mut self) -> Result<(), SinkError> {
        // Nobody will commit these drafts: where the job goes on, all subtasks have committed by now what the
        // checkpoint names, also that of subtasks which are no more.
        for (subtask, _, name) in self.layout.drafts()? {
            if self.is_mine(subtask) {
                remove(&self.layout.draft(&name)?)?;
            }
        }
        let parts = self.layout.parts()?;
        let mine = parts.iter().filter(|(subtask, ..)| *subtask == self.subtask);
        self.next_part = mine.map(|(_, number, _)| number + 1).max().unwrap_or(0);
        if self.resumed {
            let file = self.layout.file();
            if !self.in_parts && file.exists() {
                self.offset = fs::metadata(&file).map_err(failure::at(&file))?.len();
            }
        } else {
            let old = parts.into_iter().filter(|(subtask, ..)| self.is_mine(*subtask));
            let old = old.map(|(.., name)| Target::Part(name));
            let file = (self.subtask == 0 && self.layout.file().is_file()).then_some(Target::File);
            let old = old.chain(file).map(|target| Replaced::at(target, &self.layout));
            self.replaced = old.collect::<Result<_, _>>()?;
        }
        self.begun = true;
        Ok(())
    }

    /// Whether the traces that an earlier job's subtask left are for this one to remove.
    fn is_mine(&self, subtask: u32) -> bool {
        subtask % self.parallelism == self.subtask
    }

    /// The draft to write to.
    fn draft(&mut self) -> Result<&mut Draft, SinkError> {
        if !self.begun {
            self.begin()?;
        }
        if self.draft.is_none() {
            let (draft, number) = Draft::create(&self.layout, self.subtask, self.run, self.next_draft)?;
            self.next_draft = number + 1;
            self.sink.encoder.begin(self.offset > 0);
            self.draft = Some((draft, self.layout.draft_name(self.subtask, self.run, number)));
        }
        let (draft, _) = self.draft.as_mut().expect("it has just been made");
        Ok(draft)
    }

    /// Ends the draft, if there is one, and adds it to what will be staged.
    fn end_draft(&mut self) -> Result<(), SinkError> {
        let Some((draft, name)) = self.draft.take() else { return Ok(()) };
        let sealed = draft.seal(&mut self.sink.encoder)?;
        let target = if self.in_parts {
            let part = self.layout.part_name(self.subtask, self.next_part);
            self.next_part += 1;
            Target::Part(part)
        } else {
            Target::File
        };
        let (offset, length, hash) = (self.offset, sealed.length, sealed.hash);
        if !self.in_parts {
            self.offset += length;
        }
        self.ended.push(StagedFile { draft: name, target, offset, length, hash });
        Ok(())
    }

    fn put(&mut self, record: &T) -> Result<(), SinkError> {
        if self.draft.is_none() {
            self.draft()?;
        }
        let (draft, _) = self.draft.as_mut().expect("it is made before the first record");
        draft.write(record, &mut self.sink.encoder)?;
        if self.sink.rolling.bytes.is_some_and(|bytes| draft.length() >= bytes) {
            return self.end_draft();
        }
        self.until_aged -= 1;
        if self.until_aged == 0 {
            self.until_aged = AGE_RECORDS;
            return self.end_aged();
        }
        Ok(())
    }

    fn end_aged(&mut self) -> Result<(), SinkError> {
        let old = |draft: &Draft| self.sink.rolling.age.is_some_and(|age| draft.since().elapsed() >= age);
        if self.draft.as_ref().is_some_and(|(draft, _)| old(draft)) { self.end_draft() } else { Ok(()) }
    }

    fn stage(&mut self) -> Result<Option<StagedFiles>, SinkError> {
        self.claim.demand_held()?;
        if !self.begun {
            self.begin()?;
        }
        let wanted = !self.sink.when_needed && !self.resumed && !self.staged_any && self.subtask == 0;
        if wanted && self.ended.is_empty() {
            self.draft()?;
        }
        self.end_draft()?;
        if self.ended.is_empty() && self.replaced.is_empty() {
            return Ok(None);
        }
        if !self.ended.is_empty() {
            sync_directory(&self.layout.in_progress())?;
            sync_directory(self.layout.directory())?;
            self.claim.sync()?;
            self.staged_any = true;
        }
        let files = std::mem::take(&mut self.ended);
        Ok(Some(StagedFiles { files, replaced: self.replaced.clone(), lineage: Some(self.lineage) }))
    }

    /// Does something unless an earlier attempt has failed, and remembers if it does.
    fn unbroken<R>(&mut self, act: impl FnOnce(&mut Self) -> Result<R, SinkError>) -> Result<R, SinkError> {
        if let Some(why) = &self.broken {
            return Err(SinkError::new("a file that could not be written before", why));
        }
        act(self).inspect_err(|error| {
            self.broken = Some(error.to_string());
        })
    }
}

impl<T: Data, E: Encode<T>> Writer for FilesWriter<T, E> {
    type In = T;
    type Staged = StagedFiles;

    fn resume(&mut self) -> Result<(), SinkError> {
        self.resumed = true;
        self.reached.demand_last(&self.layout)
    }

    #[inline]
    fn write(&mut self, record: T, _time: EventTime) -> Result<(), SinkError> {
        self.unbroken(|writer| writer.put(&record))
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        self.unbroken(FilesWriter::end_aged)
    }

    fn prepare(&mut self, _epoch: Epoch) -> Result<Option<StagedFiles>, SinkError> {
        self.unbroken(FilesWriter::stage)
    }

    fn commit(&mut self, staged: StagedFiles) -> Result<(), SinkError> {
        staged.commit(&self.layout, self.in_parts)?;
        self.replaced.clear();
        if !self.resumed && !self.begun {
            self.reached.note(&staged, self.lineage, &self.layout);
        }
        Ok(())
    }

    fn abort(&mut self, staged: StagedFiles) -> Result<(), SinkError> {
        staged.abort(&self.layout)?;
        // The next draft takes the place in the one file that this one leaves.
        if let Some(first) = staged.files.first().filter(|file| file.target == Target::File && self.begun) {
            self.offset = self.offset.min(first.offset);
        }
        self.staged_any = false;
        Ok(())
    }
}

impl<T, E> Drop for FilesWriter<T, E> {
    /// Removes what has not been staged: nobody will commit it.
    fn drop(&mut self) {
        self.draft = None;
        for file in &self.ended {
            // What cannot be removed stays hidden, and is removed by the next job in the same place.
            let _ = self.layout.draft(&file.draft).and_then(|path| remove(&path));
        }
    }
}
