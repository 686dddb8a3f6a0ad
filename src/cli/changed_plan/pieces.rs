//! Operators whose pieces of state are others when they are started again.

use super::*;

/// The pieces of state of a version of an operator that remembers numbers.
trait Remembers: KeyedState<Key = u64> {
    fn remember(&mut self, key: Current<'_, u64>, number: u64);
}

#[derive(Default, KeyedState)]
struct Before {
    seen: MapState<u64, u64, u64>,
    last: ValueState<u64, u64>,
}

#[derive(Default, KeyedState)]
struct Renamed {
    #[state(alias = "seen")]
    met: MapState<u64, u64, u64>,
    last: ValueState<u64, u64>,
    new: ListState<u64, u64>,
}

#[derive(Default, KeyedState)]
struct Lossy {
    seen: MapState<u64, u64, u64>,
}

#[derive(Default, KeyedState)]
#[state(dropped = "last")]
struct Dropping {
    seen: MapState<u64, u64, u64>,
}

impl Remembers for Before {
    fn remember(&mut self, key: Current<'_, u64>, number: u64) {
        self.seen.of(key).insert(number % 1000, number);
        self.last.of(key).set(number);
    }
}

impl Remembers for Renamed {
    fn remember(&mut self, key: Current<'_, u64>, number: u64) {
        assert!(self.met.of(key).contains(&key), "what was seen first is among what was met");
        self.new.of(key).push(number);
        self.new.of(key).pop_front();
    }
}

impl Remembers for Lossy {
    fn remember(&mut self, _: Current<'_, u64>, _: u64) {}
}

impl Remembers for Dropping {
    fn remember(&mut self, key: Current<'_, u64>, number: u64) {
        assert!(self.seen.of(key).contains(&key), "what was seen is still there");
        self.seen.of(key).insert(number % 1000, number);
    }
}

struct Memory<S>(std::marker::PhantomData<fn() -> S>);

impl<S> Clone for Memory<S> {
    fn clone(&self) -> Self {
        Memory(std::marker::PhantomData)
    }
}

impl<S: Remembers> StatefulOperator for Memory<S> {
    type Key = u64;
    type In = u64;
    type Out = u64;
    type States = S;

    fn on_record(
        &self,
        number: u64,
        key: Current<'_, u64>,
        states: &mut S,
        _: &mut impl KeyContext<u64, u64>,
    ) {
        states.remember(key, number);
    }
}

fn app<S: Remembers>() -> Rc<App> {
    let app = App::new("test").pipeline("counts", "Remembers numbers", |pipeline: &Pipeline| {
        let numbers = pipeline.source(Generator::new(0, |n, _| n).take(ENDLESS)).uid("numbers");
        let memory = Memory::<S>(std::marker::PhantomData);
        numbers.key_by(|n| n % 10).stateful(memory).uid("memory").discard();
        Ok(())
    });
    Rc::new(app)
}

#[test]
fn a_piece_may_be_renamed_added_and_dropped_and_none_is_lost_unsaid() {
    let place = Place::begun_by(&app::<Before>());
    assert_eq!(place.migrates(&app::<Before>()), ExitCode::SUCCESS);
    let told = place.run(&app::<Lossy>(), &[]).expect_err("a piece would be lost");
    assert!(told.contains("a piece \"last\" was saved, and there is none of this name now"), "{told}");
    assert_eq!(place.migrates(&app::<Lossy>()), ExitCode::from(1));
    for changed in [app::<Renamed>(), app::<Dropping>()] {
        assert_eq!(place.migrates(&changed), ExitCode::SUCCESS);
    }
    assert_eq!(place.suspended(&app::<Dropping>(), &[]), Ok(ExitCode::SUCCESS));
    let first = ["--from-savepoint", "1"];
    assert_eq!(place.suspended(&app::<Renamed>(), &first), Ok(ExitCode::SUCCESS));
    assert_eq!(place.migrates(&app::<Renamed>()), ExitCode::SUCCESS);
}
