//! Pairs the two sightings of a vehicle that make a trip: the first page's example of an operator.
//!
//! Cameras stand where a road with a toll begins and where it ends. The first sighting of a vehicle begins a trip and the
//! second ends it; a vehicle that is not seen again for a while has left the road between them, and its trip is given up.
//!
//! What matters is `forget`: it drops the state of the vehicle *and its timers*. A trip that is complete has to forget,
//! or its timer would still be set, and would give up the vehicle's next trip in its stead.

use watershed::prelude::*;

/// A camera has seen a vehicle.
#[derive(Clone, Debug, Serialize, Deserialize, Data)]
struct Sighting {
    vehicle: u64,
    place: String,
    at: EventTime,
}

/// A vehicle has gone from one camera to another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Data)]
struct Trip {
    from: String,
    to: String,
}

// README: trips
/// Pairs the two sightings of a trip; gives up a trip that does not end.
#[derive(Clone)]
struct Trips {
    patience: Duration,
}

impl Operator for Trips {
    type Key = u64; // the vehicle
    type In = Sighting;
    type Out = Trip;
    type State = Option<Sighting>; // where it was seen first

    fn on_record(&self, seen: Sighting, first: &mut Option<Sighting>, cx: &mut impl Context<Self>) {
        if let Some(first) = first.take() {
            cx.emit(Trip { from: first.place, to: seen.place });
            cx.forget(); // the vehicle's state, and its timer
        } else {
            cx.set_timer(cx.time().after(self.patience));
            *first = Some(seen);
        }
    }

    fn on_timer(&self, _: EventTime, _: &mut Option<Sighting>, cx: &mut impl Context<Self>) {
        cx.forget();
    }
}
// README: end

/// What can be set.
#[derive(Serialize, Deserialize)]
struct Parameters {
    /// Sightings to generate.
    sightings: u64,
    /// Vehicles to generate them for.
    vehicles: u64,
    /// How long a trip may take.
    patience: Duration,
}

fn trips(pipeline: &Pipeline, parameters: Parameters) -> Result<(), watershed::Error> {
    let Parameters { sightings, vehicles, patience } = parameters;
    if vehicles == 0 {
        return Err("there must be at least one vehicle".into());
    }
    pipeline
        .source(Generator::new(1, move |n, dice| sighting(n, vehicles, dice)).take(sightings))
        .uid("sightings")
        .event_times(EventTimes::by(|seen: &Sighting| seen.at))
        .key_by(|seen| seen.vehicle)
        .process(Trips { patience })
        .uid("trips")
        .map(|Trip { from, to }| format!("{from} to {to}"))
        .sink(Print::display())
        .uid("toll");
    Ok(())
}

/// Registers the pipeline; both `main` beside this file and the stock binary call it.
pub(crate) fn register(app: App) -> App {
    let defaults = Parameters { sightings: 20, vehicles: 3, patience: Duration::from_secs(3600) };
    app.pipeline_with("trips", "Pairs the sightings of vehicles", defaults, trips)
}

/// Sighting number `n`: one each minute, of any vehicle, at any camera.
fn sighting(n: u64, vehicles: u64, dice: &mut source::Dice) -> Sighting {
    let place = ["Basel", "Chur", "Lugano"][dice.below(3) as usize].to_owned();
    Sighting { vehicle: dice.below(vehicles), place, at: EventTime::from_millis(n as i64 * 60_000) }
}

#[cfg(test)]
mod tests {
    use watershed::testing::{Harness, Input, verify};

    use super::*;

    const PATIENT: Trips = Trips { patience: Duration::from_millis(10) };

    fn at(place: &str) -> Sighting {
        Sighting { vehicle: 7, place: place.to_owned(), at: EventTime::from_millis(0) }
    }

    fn trip(from: &str, to: &str) -> Trip {
        Trip { from: from.to_owned(), to: to.to_owned() }
    }

    #[test]
    fn the_timer_of_a_trip_that_is_complete_does_not_end_the_next_one() {
        let mut harness = Harness::operator(PATIENT);
        harness.push(7, at("A"), 0);
        harness.push(7, at("B"), 5);
        harness.push(7, at("C"), 8);
        harness.watermark(10); // when the first trip would have been given up
        harness.push(7, at("D"), 15);
        assert_eq!(harness.values(), [trip("A", "B"), trip("C", "D")]);
    }

    #[test]
    fn a_trip_that_does_not_end_in_time_is_given_up() {
        let mut harness = Harness::operator(PATIENT);
        harness.push(7, at("A"), 0);
        harness.watermark(10);
        harness.push(7, at("B"), 11);
        harness.push(7, at("C"), 12);
        assert_eq!(harness.values(), [trip("B", "C")]);
    }

    // README: verify
    #[test]
    fn it_keeps_the_contract_of_operators() {
        let seen = |place, ms| Input::at(ms, (7, at(place)));
        let inputs =
            [seen("A", 0), seen("B", 5), seen("C", 8), Input::watermark(10), seen("D", 15), Input::end()];
        verify(&PATIENT, &inputs);
    }
    // README: end
}
