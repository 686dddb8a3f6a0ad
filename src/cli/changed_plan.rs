//! A pipeline that is another one when it is started again: what is refused, what may go on, and what is said.

mod pieces;

use std::path::Path;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, Instant};

use clap::Parser;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use super::{Arguments, execute};
use crate::app::App;
use crate::prelude::*;

/// What is remembered of a key, in several versions of a program.
trait Memory: Data + Default {
    fn count(&mut self) -> u64;
}

macro_rules! memory {
    ($name:ident { $($(#[$with:meta])* $field:ident),+ }) => {
        #[derive(Clone, Default, Serialize, Deserialize)]
        struct $name { $($(#[$with])* $field: u64),+ }

        impl Data for $name {}

        impl Memory for $name {
            fn count(&mut self) -> u64 {
                $(self.$field += 1;)+
                [$(self.$field),+].into_iter().sum()
            }
        }
    };
}

memory!(Seen { seen });
// A field more, with a default.
memory!(SeenAndMissed {
    seen,
    #[serde(default)]
    missed
});
// Another field, without one.
memory!(Met { met });

/// How a version of the pipeline describes itself, but for what it remembers.
#[derive(Clone, Copy)]
struct Version {
    counter: &'static str,
    in_front: bool,
    behind: bool,
    optional_key: bool,
}

const FIRST: Version = Version { counter: "counter", in_front: false, behind: false, optional_key: false };

/// More than is ever read.
const ENDLESS: u64 = 1 << 50;

fn app<M: Memory>(version: Version) -> Rc<App> {
    let app = App::new("test").pipeline("counts", "Counts", move |pipeline: &Pipeline| {
        let source = |uid| pipeline.source(Generator::new(0, |n, _| n).take(ENDLESS)).uid(uid);
        if version.in_front {
            source("front").rebalance().discard();
        }
        let count = |memory: &mut M, _| memory.count();
        let numbers = source("numbers");
        if version.optional_key {
            numbers.key_by(|n| Some(n % 10)).map_with_state(count).uid(version.counter).discard();
        } else {
            numbers.key_by(|n| n % 10).map_with_state(count).uid(version.counter).discard();
        }
        if version.behind {
            source("behind").rebalance().discard();
        }
        Ok(())
    });
    Rc::new(app)
}

/// Carries a command out, and says how it went.
fn told(app: &Rc<App>, arguments: &[&str]) -> Result<ExitCode, String> {
    let arguments = ["test", "--quiet"].iter().chain(arguments);
    execute(app, &Arguments::parse_from(arguments)).map_err(|(failure, _)| failure.to_string())
}

/// A state directory, and the commands on it.
struct Place(TempDir);

impl Place {
    /// A place where the first version has run and was suspended.
    fn begun() -> Self {
        Place::begun_by(&app::<Seen>(FIRST))
    }

    /// A place where this has run and was suspended.
    fn begun_by(app: &Rc<App>) -> Self {
        let place = Place(TempDir::new().expect("a temporary directory can be made"));
        place.suspended(app, &[]).expect("the first version runs");
        place
    }

    fn state(&self) -> String {
        self.0.path().join("state").display().to_string()
    }

    fn run(&self, app: &Rc<App>, flags: &[&str]) -> Result<ExitCode, String> {
        let (state, letters) = (self.state(), self.0.path().join("letters.jsonl").display().to_string());
        let run = ["run", "counts", "--parallelism", "2", "--state-dir", &state, "--dead-letters", &letters];
        // No checkpoint but the savepoint at the end, however long that takes to be asked for.
        told(app, &[run.as_slice(), &["--checkpoint-interval", "0s"], flags].concat())
    }

    /// Runs until it has taken a savepoint and stopped.
    fn suspended(&self, app: &Rc<App>, flags: &[&str]) -> Result<ExitCode, String> {
        let state = self.state();
        let asks = std::thread::spawn(move || {
            let until = Instant::now() + Duration::from_secs(300);
            let ask = ["cancel", &state, "--with-savepoint", "--timeout", "60s"];
            while Instant::now() < until && told(&Rc::new(App::new("test")), &ask).is_err() {
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let ended = self.run(app, flags);
        if ended.is_ok() {
            asks.join().expect("somebody asks");
        }
        ended
    }

    fn migrates(&self, app: &Rc<App>) -> ExitCode {
        let state = self.state();
        let migrate = ["checkpoint", "migrate", "--dry-run", "counts", "--parallelism", "2", "--state-dir"];
        told(app, &[migrate.as_slice(), &[&state]].concat()).expect("the dry run is carried out")
    }

    /// Says why a changed pipeline may not go on, whether it is allowed or not.
    fn refused(&self, app: &Rc<App>) -> String {
        assert_eq!(self.migrates(app), ExitCode::from(1));
        let plain = self.run(app, &[]).expect_err("it cannot go on");
        assert_eq!(self.run(app, &["--allow-other-plan"]).expect_err("it cannot go on"), plain);
        plain
    }
}

#[test]
fn operators_behind_the_others_may_be_added_where_it_is_allowed() {
    let (place, changed) = (Place::begun(), app::<Seen>(Version { behind: true, ..FIRST }));
    assert_eq!(place.migrates(&changed), ExitCode::SUCCESS);
    let told = place.run(&changed, &[]).expect_err("nobody has allowed it");
    assert!(told.starts_with("the state directory is of another plan (+ behind), and "), "{told}");
    assert!(told.contains("allow it (--allow-other-plan)"), "{told}");
    assert_eq!(place.suspended(&changed, &["--allow-other-plan"]), Ok(ExitCode::SUCCESS));
    assert_eq!(place.suspended(&changed, &[]), Ok(ExitCode::SUCCESS), "the directory is the new plan's");
    let told = place.run(&app::<Seen>(FIRST), &["--allow-other-plan"]).expect_err("it would lose a source");
    assert!(
        told.contains("behind: it has positions in its input, and no operator of the plan has its uid"),
        "{told}"
    );
    let back = ["--from-savepoint", "1", "--allow-other-plan"];
    assert_eq!(place.suspended(&app::<Seen>(FIRST), &back), Ok(ExitCode::SUCCESS), "there is a way back");
}

#[test]
fn an_operator_in_front_of_the_others_moves_them_from_their_places() {
    let told = Place::begun().refused(&app::<Seen>(Version { in_front: true, ..FIRST }));
    assert!(
        told.contains("counter: it has state as part of vertex 1, and is part of vertex 3 now"),
        "{told}"
    );
    assert!(told.contains("numbers: it has positions in its input as part of vertex 0"), "{told}");
}

#[test]
fn state_of_an_operator_that_is_no_more_is_not_dropped() {
    let told = Place::begun().refused(&app::<Seen>(Version { counter: "tally", ..FIRST }));
    let wanted =
        "counter: it has state, and no operator of the plan has its uid: give it to the one that takes over";
    assert!(told.ends_with(wanted), "{told}");
}

#[test]
fn keys_that_are_dealt_out_otherwise_are_found_by_trying() {
    let place = Place::begun();
    assert_eq!(place.migrates(&app::<Seen>(FIRST)), ExitCode::SUCCESS);
    assert_eq!(place.migrates(&app::<Seen>(Version { optional_key: true, ..FIRST })), ExitCode::from(1));
}

#[test]
fn a_field_needs_a_default_to_be_added() {
    let place = Place::begun();
    assert_eq!(place.migrates(&app::<SeenAndMissed>(FIRST)), ExitCode::SUCCESS);
    assert_eq!(place.migrates(&app::<Met>(FIRST)), ExitCode::from(1));
    let told = place.run(&app::<Met>(FIRST), &[]).expect_err("the state cannot be read");
    assert!(told.contains("missing field `met`"), "{told}");
    assert_eq!(place.suspended(&app::<SeenAndMissed>(FIRST), &[]), Ok(ExitCode::SUCCESS));
}

#[test]
fn a_directory_without_a_checkpoint_is_nothing_to_compare_with() {
    let place = TempDir::new().expect("a temporary directory can be made");
    let state = place.path().display().to_string();
    let migrate = ["checkpoint", "migrate", "--dry-run", "counts", "--state-dir", &state];
    let told = told(&app::<Seen>(FIRST), &migrate).expect_err("there is nothing");
    assert!(
        told.ends_with("this is no state directory; name the one that the job was given by --state-dir"),
        "{told}"
    );
    assert!(
        Path::new(&state).read_dir().expect("it is still there").next().is_none(),
        "nothing was made in it"
    );
}
