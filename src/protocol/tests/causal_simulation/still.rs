//! A site that stands still for a minute and goes on: all that was sent to it arrives at once, late.

use crate::world::{Rules, World};

const SEEDS: u64 = 100;
const MINUTE: u64 = 60_000;
/// Steps before the site stands still, and when it goes on.
const STEPS: usize = 250;

#[test]
fn a_site_that_stood_still_for_a_minute_catches_up_and_harms_nobody() {
    let mut missed = 0;
    for seed in 0..SEEDS {
        let mut world = World::new(seed, Rules::default());
        world.run_for(STEPS);
        world.still = Some(seed as usize % usize::from(world.sites));
        let (began, known) = (world.now.0, world.made.len());
        while world.now.0 < began + MINUTE {
            world.run_for(1);
        }
        let place = world.still.take().expect("it stands still");
        missed += world.made.len() - known;
        assert!(world.homes[place].table.len() < world.made.len(), "it has missed nothing: SEED={seed}");
        let violations = world.run_for(STEPS);
        assert!(violations.is_empty(), "{violations:?}: repeat with SEED={seed}");
        assert!(world.heals(), "the sites do not come together: repeat with SEED={seed}");
    }
    println!("{missed} updates were made meanwhile");
    assert!(missed > 1_000);
}
