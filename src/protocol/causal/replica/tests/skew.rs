//! Wall clocks that are wrong.

use super::super::StampError;
use super::*;

const HOUR: i64 = 3_600_000;

fn hours_after_noon(hours: i64) -> ProcessingTime {
    ProcessingTime::from_millis(NOON.as_millis() + hours * HOUR)
}

#[test]
fn a_site_whose_clock_is_ahead_refuses_itself_until_it_is_set() {
    let mut replica = replica(3);
    let before = replica.high_water();
    let max = Duration::from_millis(500);
    let ahead = Duration::from_secs(3600);
    let refusal = replica.stamp(Tick(0), hours_after_noon(1), Epoch(1), WRITER);
    assert_eq!(refusal, Err(StampError::ClockSkew { ahead, max }));
    assert_eq!(replica.high_water(), before);
    assert!(replica.stamp(Tick(0), NOON, Epoch(1), WRITER).is_ok());
}

#[test]
fn nobody_writes_before_most_clocks_are_known() {
    let mut replica: Replica<Vec<u8>> = Replica::new(config(0, 3), Tick(0), NOON);
    assert_eq!(replica.stamp(Tick(0), NOON, Epoch(1), WRITER), Err(StampError::NotReady));
    fed(&mut replica, 0, gossip(1, &[], 0, 0));
    assert!(!replica.is_ready());
    fed(&mut replica, 0, gossip(2, &[], 0, 0));
    assert!(replica.is_ready() && replica.stamp(Tick(0), NOON, Epoch(1), WRITER).is_ok());
}

#[test]
fn an_update_that_is_too_far_ahead_is_not_applied_and_its_site_not_trusted() {
    let mut replica = replica(2);
    let mut poison = update(1, 1, 1, &[]);
    poison.stamp.time = HybridTime::at(1_000_501);
    let mut effects = Vec::new();
    assert_eq!(replica.on(Tick(0), heard(&poison), &mut effects), Outcome::Unexpected);
    assert_eq!(effects, [ReplicaEffect::Distrust { site: Site(1), ahead: Duration::from_millis(501) }]);
    assert_eq!((applied(&replica), replica.high_water()), (vec![], HybridTime::default()));
    // A year, and all that a number can say: whoever believed it would never lose again.
    let year = 365 * 24 * 3_600_000;
    for time in [HybridTime::at(1_000_000 + year), HybridTime(u64::MAX)] {
        poison.stamp.time = time;
        let mut effects = Vec::new();
        assert_eq!(replica.on(Tick(0), heard(&poison), &mut effects), Outcome::Unexpected);
        assert!(matches!(effects[..], [ReplicaEffect::Distrust { site: Site(1), .. }]), "{effects:?}");
        assert_eq!((applied(&replica), replica.high_water()), (vec![], HybridTime::default()));
    }
    poison.stamp.time = HybridTime::at(1_000_500);
    assert_eq!(fed(&mut replica, 0, heard(&poison)), [apply(&poison)]);
}
