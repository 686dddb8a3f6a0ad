//! What one site makes of bases that are never written, of gossip that cannot be, and of authors' code that panics.

use std::task::Waker;

use serde::{Deserialize, Serialize};
use watershed_core::shared::Resolver;
use watershed_core::{Data, KeyGroups, Pipeline, VertexId};

use super::*;
use crate::shared::Sharing;

const ONLY: SubtaskId = SubtaskId { vertex: VertexId(0), index: 0 };

/// The greatest number wins. Some numbers its author has not thought of.
#[derive(Clone)]
struct Greatest;

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Number(u64);

impl Data for Number {}

const NOT_MADE: u64 = 13;
const NOT_JOINED: u64 = 14;

impl Resolver<u64> for Greatest {
    type State = Number;
    type Update = u64;
    type Value = u64;

    fn update(&self, _: &Number, number: u64, _: &Stamp) -> Result<Number, Refusal> {
        assert_ne!(number, NOT_MADE, "nobody has thought of it");
        Ok(Number(number))
    }

    fn join(&self, state: &mut Number, other: &Number) {
        state.0 = state.0.max(other.0);
        assert_ne!(other.0, NOT_JOINED, "nobody has thought of it");
    }

    fn value(&self, state: &Number) -> u64 {
        state.0
    }
}

fn site(number: u16, sites: u16) -> Arc<SiteReplica> {
    let pipeline = Pipeline::new("test", KeyGroups::default());
    let states = [pipeline.shared::<u8, u64, _>("greatest", Greatest).any()];
    let settings = SiteSettings {
        run: Run(1),
        site: Site(number),
        sites,
        after: Epoch(4),
        lasts: true,
        waits: true,
        subtasks: [ONLY].into(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let store = CheckpointStore::memory();
    runtime.block_on(SiteReplica::begin(settings, &states, &[], &store)).unwrap()
}

fn put(site: &SiteReplica, number: u64) -> Result<(), NotWritten> {
    let (key, update) = (rmp_serde::to_vec(&7_u8).unwrap(), rmp_serde::to_vec(&number).unwrap());
    site.write_for_client(SharedId(0), &key, &update, &VectorClock::new()).map(drop)
}

#[test]
fn a_base_that_is_never_written_keeps_nothing_from_settling() {
    let site = site(0, 1);
    put(&site, 5).ok().unwrap();
    site.lock().kept.inherits = true;
    let mut sharing = Sharing::new(site.clone(), ONLY, true, Waker::noop().clone());
    let draft = sharing.pass(Epoch(5), None);
    assert_eq!(site.lock().kept.writing_bases, 1);
    // The checkpoint is given up before anything of it is written.
    drop(draft);
    assert_eq!(site.lock().kept.writing_bases, 0);
}

#[test]
fn a_base_that_no_checkpoint_here_can_have_is_not_believed() {
    let (one, other) = (site(0, 2), site(1, 2));
    assert!(other.look_at_clock().is_some());
    let said = other.take_outgoing().0;
    let gossip = said.into_iter().find_map(|word| match word {
        Outgoing::ToAll(Word::Gossip { gossip, .. }) => Some(gossip),
        Outgoing::ToAll(_) | Outgoing::To(..) => None,
    });
    one.hear(Site(1), Word::Gossip { gossip: gossip.expect("it greets the others"), based: Epoch(1_000) });
    assert_eq!(one.lock().kept.based, Epoch(4), "or the logs of all later checkpoints would be left out");
}

#[test]
fn an_update_that_its_resolver_panics_at_is_refused_and_harms_nothing() {
    let site = site(0, 1);
    put(&site, 5).ok().unwrap();
    assert!(matches!(put(&site, NOT_MADE), Err(NotWritten::Refused(_))));
    assert_eq!(site.take_outgoing().1, None, "the run goes on");
    put(&site, 6).ok().unwrap();
    let found = site.look(SharedId(0), &rmp_serde::to_vec(&7_u8).unwrap()).ok().unwrap();
    assert_eq!(found.value, Some(rmp_serde::to_vec(&6_u64).unwrap()));
}

#[test]
fn a_join_that_panics_half_way_ends_the_run() {
    let site = site(0, 1);
    put(&site, 5).ok().unwrap();
    assert!(matches!(put(&site, NOT_JOINED), Err(NotWritten::Panicked(_))));
    let trouble = site.take_outgoing().1.expect("what is in the table is nobody's state");
    assert!(trouble.contains("greatest") && trouble.contains("nobody has thought of it"), "{trouble}");
}
