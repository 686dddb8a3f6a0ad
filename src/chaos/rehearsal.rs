//! A rehearsal from its begin to its end: what is asked for, and what it comes to.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::cluster::{Cluster, Common, Node};
use crate::disk::{Disk, copy};
use crate::drawing::draw;
use crate::error::ChaosError;
use crate::fault::Kind;
use crate::home::{Home, Wanted};
use crate::judge::{Outputs, Unjudged, Verdict, audited, prove};
use crate::play::{Played, play};
use crate::report::{Report, left_out, nothing_harmed, recovery};
use crate::schedule::{Draw, count_of, name_of};
use crate::undisturbed;

/// How many nodes there may be.
const NODES_MAX: usize = 9;

/// The parameter that says where a pipeline writes.
const OUTPUT: &str = "output";

/// The parameter that says how many records it reads a second.
const RATE: &str = "rate";

/// Where the checkpoints are, below the directory of everything, or below that of their disk.
const CHECKPOINTS: &str = "checkpoints";
const DISK: &str = "disk";

/// How many checkpoints of a job are kept, to be proved at the end.
const RETAIN: u32 = 5000;

/// What is to be rehearsed.
#[derive(Clone, Debug)]
pub struct Rehearsal {
    /// The program, which has the pipeline.
    pub binary: PathBuf,
    /// The pipeline.
    pub pipeline: String,
    /// The names of all its parameters.
    pub known: Vec<String>,
    /// Those that are set.
    pub parameters: BTreeMap<String, String>,
    /// The settings of the job, such as `checkpoint_interval`.
    pub settings: BTreeMap<String, String>,
    /// The pipeline that judges its output, where there is one, and the names of its parameters.
    pub audit: Option<(String, Vec<String>)>,
    /// How many subtasks an operator has that does not say.
    pub parallelism: u32,
    /// What is done, and when.
    pub draw: Draw,
    /// Where the nodes live.
    pub home: Home,
    /// The image of nodes that live in containers.
    pub image: String,
    /// Kinds of harm that were meant by `all` and cannot be done here, and why.
    pub left_out: BTreeMap<Kind, String>,
    /// Where everything is kept.
    pub directory: PathBuf,
    /// The command that does the same again.
    pub command: String,
    /// Set when somebody has had enough.
    pub interrupted: Arc<AtomicBool>,
}

/// By what an output is judged.
enum Judge {
    Lines,
    Audit(String),
}

impl Rehearsal {
    /// Refuses what makes no sense.
    ///
    /// # Errors
    ///
    /// Where it makes none.
    pub fn check(&self) -> Result<(), ChaosError> {
        let Draw { kinds, nodes, span, every, .. } = &self.draw;
        let asked = |why: String| Err(ChaosError::Asked(why));
        if !self.known.iter().any(|name| name == OUTPUT) {
            return asked(format!(
                "pipeline {} has no parameter `{OUTPUT}`: it must write where that says, to be compared",
                self.pipeline
            ));
        }
        if self.parameters.contains_key(OUTPUT) {
            return asked(format!(
                "--set {OUTPUT}: where the pipeline writes is decided here, below --directory"
            ));
        }
        if !(1..=NODES_MAX).contains(nodes) {
            return asked(format!("--nodes {nodes}: there can be 1 to {NODES_MAX}"));
        }
        for kind in kinds {
            if let Some(why) = self.home.hindrance(*kind, *nodes) {
                return asked(format!("`{kind}` with --nodes {nodes} --in {}: {why}", self.home));
            }
        }
        if span.is_zero() || every.is_zero() {
            return asked("--minutes and --every must be longer than nothing".to_owned());
        }
        Ok(())
    }

    /// Holds the rehearsal. `tell` is told how it gets on.
    ///
    /// # Errors
    ///
    /// Where it cannot be held. What it shows is in the report, be it good or bad.
    pub fn hold(&self, tell: &(dyn Fn(&str) + Sync)) -> Result<Report, ChaosError> {
        // A thread of its own can have mounts of its own, which go with it.
        let held = thread::scope(|scope| {
            let holder = thread::Builder::new().name("rehearsal".to_owned());
            let holder = holder.spawn_scoped(scope, || self.hold_here(tell));
            let what = "a thread".to_owned();
            Ok(holder.map_err(|error| ChaosError::Process { what, error })?.join())
        });
        held?.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    fn hold_here(&self, tell: &dyn Fn(&str)) -> Result<Report, ChaosError> {
        self.check()?;
        let begun = Instant::now();
        let directory = &self.directory;
        fs::create_dir_all(directory).map_err(ChaosError::at(directory))?;
        let directory = directory.canonicalize().map_err(ChaosError::at(directory))?;
        if fs::read_dir(&directory).map_err(ChaosError::at(&directory))?.next().is_some() {
            return Err(ChaosError::Asked(format!("{} is not empty: name another", directory.display())));
        }
        left_out(&self.left_out).iter().for_each(|line| tell(line));
        let kept = directory.join(CHECKPOINTS);
        let (disk, checkpoints) = self.lay_disk(&directory)?;
        let names: Vec<String> = (0..self.draw.nodes).map(name_of).collect();
        let quarters = self.home.open(&Wanted {
            names: &names,
            binary: &self.binary,
            directory: &directory,
            image: &self.image,
            kinds: &self.draw.kinds,
        })?;
        let expected = directory.join("undisturbed");
        let mut arguments = self.arguments(&self.pipeline, &self.known, &expected, &[RATE]);
        arguments.extend(["--parallelism".to_owned(), self.parallelism.to_string()]);
        let records = undisturbed::run(&self.binary, &directory, &arguments, &self.interrupted)?;
        let judge = self.judge(&directory, &expected)?;
        tell(&format!("undisturbed, in one process: {records} records in {:.1?}", begun.elapsed()));
        let interrupted = self.interrupted.clone();
        let common = Common {
            directory: directory.clone(),
            checkpoints: checkpoints.clone(),
            slots: self.parallelism.max(2),
        };
        let mut cluster = Cluster::start(quarters, &names, common, interrupted)?;
        cluster.disk = disk;
        tell(&format!("{} up, in {}", count_of(self.draw.nodes), self.home));
        let submit = |name: &str| self.submission(name, &directory.join(name), records);
        let played = play(&mut cluster, &self.draw, &directory, &submit, tell)?;
        let panics = cluster.nodes.iter().flat_map(Node::panics).collect();
        drop(cluster);
        if checkpoints != kept {
            // The disk goes with this thread.
            copy(&checkpoints, &kept).map_err(ChaosError::at(&kept))?;
        }
        let mut jobs = Vec::new();
        for job in &played.jobs {
            let mut verdict = Verdict { job: job.name.clone(), ..Verdict::default() };
            if job.is_finished {
                self.compare(&judge, &directory, &job.name, &mut verdict)?;
            } else {
                verdict.wrong.push(job.why.clone());
            }
            prove(&kept.join(format!("{}-{}", job.name, job.number)), &mut verdict);
            jobs.push(verdict);
        }
        Ok(self.report(played, jobs, panics, begun.elapsed()))
    }

    /// Where the checkpoints are kept while the cluster runs, and the disk that is mounted for them, if one is.
    fn lay_disk(&self, directory: &Path) -> Result<(Option<Disk>, PathBuf), ChaosError> {
        if !self.draw.kinds.contains(&Kind::FullDisk) {
            return Ok((None, directory.join(CHECKPOINTS)));
        }
        let place = directory.join(DISK);
        Ok((Some(Disk::mount(&place)?), place.join(CHECKPOINTS)))
    }

    /// The arguments with which a pipeline of this binary runs on an output, without those parameters.
    fn arguments(&self, pipeline: &str, known: &[String], output: &Path, without: &[&str]) -> Vec<String> {
        let mut arguments = vec![pipeline.to_owned()];
        let kept = |name: &String| known.contains(name) && !without.contains(&name.as_str());
        for (name, value) in self.parameters.iter().filter(|(name, _)| kept(name)) {
            arguments.extend(["--set".to_owned(), format!("{name}={value}")]);
        }
        arguments.extend(["--set".to_owned(), format!("{OUTPUT}={}", output.display())]);
        arguments
    }

    /// By what the outputs are judged.
    fn judge(&self, directory: &Path, expected: &Path) -> Result<Judge, ChaosError> {
        if self.audit.is_some() {
            let said = self.audited(directory, expected)?;
            return said.map(Judge::Audit).map_err(|why| ChaosError::Audit(why.to_string()));
        }
        let outputs = Outputs::read(expected)?;
        if outputs.is_empty() {
            return Err(ChaosError::Undisturbed("it has written nothing that could be compared".to_owned()));
        }
        Ok(Judge::Lines)
    }

    fn audited(&self, directory: &Path, output: &Path) -> Result<Result<String, Unjudged>, ChaosError> {
        let (audit, known) = self.audit.as_ref().expect("there is one");
        let arguments = self.arguments(audit, known, output, &[]);
        let (settings, errors) = (directory.join("undisturbed.toml"), output.with_extension("audit.log"));
        audited(&self.binary, &settings, &errors, &arguments, &self.interrupted)
    }

    /// What a cluster is asked to run.
    fn submission(&self, name: &str, output: &Path, records: u64) -> serde_json::Value {
        let mut parameters = self.parameters.clone();
        parameters.insert(OUTPUT.to_owned(), output.display().to_string());
        if self.known.iter().any(|known| known == RATE) && !parameters.contains_key(RATE) {
            let rate = records as f64 / self.draw.span.as_secs_f64();
            parameters.insert(RATE.to_owned(), format!("{:.1}", rate.max(0.1)));
        }
        let mut settings = self.settings.clone();
        settings.entry("checkpoint_retain".to_owned()).or_insert_with(|| RETAIN.to_string());
        json!({
            "name": name, "pipeline": self.pipeline, "parameters": parameters, "settings": settings,
            "parallelism": self.parallelism, "submitted_by": "chaos",
        })
    }

    /// Compares what a job has written with what it should have.
    fn compare(
        &self,
        judge: &Judge,
        directory: &Path,
        job: &str,
        verdict: &mut Verdict,
    ) -> Result<(), ChaosError> {
        let output = directory.join(job);
        match judge {
            Judge::Lines => {
                // Read anew, so that what is compared is what lies there.
                let right = Outputs::read(&directory.join("undisturbed"))?;
                let found = Outputs::read(&output)?;
                (verdict.by, verdict.compared) = ("its lines", found.extent());
                verdict.wrong.extend(found.against(&right));
            }
            Judge::Audit(expected) => {
                let found = self.audited(directory, &output)?;
                verdict.by = "its audit";
                compare_audits(expected, found, verdict);
            }
        }
        Ok(())
    }

    fn report(&self, played: Played, jobs: Vec<Verdict>, panics: Vec<String>, elapsed: Duration) -> Report {
        let Played { faults, planned: faults_planned, jobs: ran, deaths, mut wrong, samples } = played;
        wrong.extend(
            jobs.iter().flat_map(|job| job.wrong.iter().map(move |what| format!("{}: {what}", job.job))),
        );
        wrong.extend(panics.iter().map(|panic| format!("a panic that nobody caught: {panic}")));
        wrong.extend(nothing_harmed(&faults, faults_planned));
        let completed = ran.iter().zip(&jobs).map(|(ran, job)| ran.completed.max(job.checkpoints_proved));
        Report {
            pipeline: self.pipeline.clone(),
            nodes: self.draw.nodes,
            home: self.home,
            left_out: self.left_out.clone(),
            seed: self.draw.seed,
            held: wrong.is_empty(),
            command: self.command.clone(),
            elapsed_seconds: elapsed.as_secs_f64(),
            faults_planned,
            recovery: recovery(&faults),
            faults,
            checkpoints_completed: completed.sum(),
            checkpoints_proved: jobs.iter().map(|job| job.checkpoints_proved).sum(),
            jobs,
            deaths,
            panics,
            wrong,
            samples,
        }
    }
}

/// What an audit has said of what a job has written, beside what it says of what nobody has hurt. One that has not judged
/// agrees with nothing.
fn compare_audits(expected: &str, found: Result<String, Unjudged>, verdict: &mut Verdict) {
    match found {
        Ok(found) => {
            if found != expected {
                let what = format!("the audit says {found:?}, and undisturbed it says {expected:?}");
                verdict.wrong.push(what);
            }
            verdict.compared = found;
        }
        Err(why) => {
            verdict.compared = "nothing".to_owned();
            verdict.wrong.push(format!("the audit says nothing of it: {why}"));
        }
    }
}

impl Report {
    /// What the nodes took up, as SVG.
    pub fn draw(&self) -> String {
        draw(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rehearsal() -> Rehearsal {
        let (span, every) = (Duration::from_secs(100), Duration::from_secs(5));
        Rehearsal {
            binary: PathBuf::from("program"),
            pipeline: "p".to_owned(),
            known: vec!["output".to_owned(), "rate".to_owned(), "x".to_owned()],
            parameters: BTreeMap::from([("x".to_owned(), "7".to_owned())]),
            settings: BTreeMap::new(),
            audit: None,
            parallelism: 3,
            draw: Draw { seed: 1, kinds: vec![Kind::Kill, Kind::Partition], nodes: 3, span, every },
            home: Home::Processes,
            image: String::new(),
            left_out: BTreeMap::new(),
            directory: PathBuf::from("d"),
            command: String::new(),
            interrupted: Arc::default(),
        }
    }

    #[test]
    fn a_pipeline_with_a_rate_is_slowed_down_to_last_for_the_whole_rehearsal() {
        let job = rehearsal().submission("chaos-1", Path::new("/d/chaos-1"), 27_004);
        assert_eq!(job["parameters"], json!({ "output": "/d/chaos-1", "rate": "270.0", "x": "7" }));
        let mut slow = rehearsal();
        slow.parameters.insert("rate".to_owned(), "5".to_owned());
        assert_eq!(
            slow.submission("j", Path::new("o"), 27_004)["parameters"]["rate"],
            "5",
            "who says more knows more"
        );
        let known = slow.known.clone();
        let undisturbed = slow.arguments("p", &known, Path::new("o"), &[RATE]);
        assert_eq!(undisturbed, ["p", "--set", "x=7", "--set", "output=o"], "undisturbed, it is not slow");
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let why = |change: fn(&mut Rehearsal)| {
            let mut rehearsal = rehearsal();
            change(&mut rehearsal);
            rehearsal.check().map_or_else(|error| error.to_string(), |()| "nothing".to_owned())
        };
        assert_eq!(why(|_| {}), "nothing");
        assert!(why(|it| it.known.clear()).contains("no parameter `output`"));
        assert!(why(|it| it.draw.nodes = 10).starts_with("--nodes 10: there can be"));
        assert!(
            why(|it| it.draw.nodes = 1).starts_with("`partition` with --nodes 1 --in processes: it needs")
        );
        assert!(why(|it| it.draw.span = Duration::ZERO).starts_with("--minutes"));
        assert!(
            why(|it| it.parameters = BTreeMap::from([("output".into(), "o".into())]))
                .starts_with("--set output")
        );
    }

    #[test]
    fn two_audits_agree_only_where_both_say_the_same() {
        let wrong = |found: Result<&str, Unjudged>| {
            let mut verdict = Verdict::default();
            compare_audits("lost 0", found.map(str::to_owned), &mut verdict);
            verdict.wrong
        };
        assert_eq!(wrong(Ok("lost 0")), [] as [String; 0]);
        assert_eq!(wrong(Ok("lost 1")), ["the audit says \"lost 1\", and undisturbed it says \"lost 0\""]);
        let silent = "the audit says nothing of it: it ended and printed nothing that could be compared";
        assert_eq!(wrong(Err(Unjudged::Silent)), [silent]);
    }
}
