//! What may be decided, whatever the store.

use watershed_core::checkpoint::{Agreed, Meta, RollBack};
use watershed_core::{Epoch, Lineage, Run, Term};

use super::{first_checkpoint, pointer};
use crate::meta::{Change, FileMetaStore, Guard, MemoryMetaStore, MetaError, MetaStore, Refusal};

fn applied(meta: &Meta, changes: impl IntoIterator<Item = Change>) -> Meta {
    changes.into_iter().fold(meta.clone(), |meta, change| change.apply(Guard::of(&meta), &meta).unwrap())
}

fn refused(meta: &Meta, change: &Change) -> Refusal {
    change.apply(Guard::of(meta), meta).unwrap_err()
}

#[test]
fn a_job_goes_from_its_first_run_to_its_end() {
    let meta = applied(&Meta::default(), [Change::Lead]);
    let meta = applied(&meta, first_checkpoint());
    let meta = applied(&meta, [Change::BeginRun, Change::Complete(pointer(0, 2)), Change::Finish]);
    let expected = Meta {
        term: Term(1),
        run: Run(2),
        lineage: Lineage(0),
        completed: Some(pointer(0, 2)),
        burnt: Epoch(64),
        roll_backs: vec![
            RollBack { run: Run(1), lineage: Lineage(0), base: None },
            RollBack { run: Run(2), lineage: Lineage(0), base: Some(Epoch(1)) },
        ],
        finished: true,
        agreed: Agreed::default(),
    };
    assert_eq!(meta, expected);
}

#[test]
fn who_comes_from_an_older_term_or_run_is_refused() {
    let meta = applied(&Meta::default(), [Change::Lead, Change::BeginRun, Change::Burn(Epoch(64))]);
    let ask =
        |term, run| Change::Complete(pointer(0, 1)).apply(Guard { term: Term(term), run: Run(run) }, &meta);
    assert!(ask(1, 1).is_ok());
    assert_eq!(ask(0, 1), Err(Refusal::Term { asked: Term(0), current: Term(1) }));
    assert_eq!(ask(2, 1), Err(Refusal::Term { asked: Term(2), current: Term(1) }));
    assert_eq!(ask(1, 0), Err(Refusal::Run { asked: Run(0), current: Run(1) }));
}

#[test]
fn completed_checkpoints_go_forward_and_use_numbers_that_were_handed_out() {
    let meta = applied(&Meta::default(), first_checkpoint());
    let complete = |epoch| Change::Complete(pointer(0, epoch));
    assert_eq!(refused(&meta, &complete(1)), Refusal::NotNewer { asked: Epoch(1), completed: Epoch(1) });
    assert_eq!(refused(&meta, &complete(65)), Refusal::Epoch { asked: Epoch(65), burnt: Epoch(64) });
    assert_eq!(
        refused(&meta, &Change::Burn(Epoch(64))),
        Refusal::Epoch { asked: Epoch(64), burnt: Epoch(64) }
    );
    let other = Change::Complete(pointer(1, 2));
    assert_eq!(refused(&meta, &other), Refusal::Lineage { asked: Lineage(1), current: Lineage(0) });
}

#[test]
fn a_job_that_has_ended_goes_on_only_as_a_fork() {
    assert_eq!(refused(&Meta::default(), &Change::Finish), Refusal::NothingCompleted);
    let ended = applied(&applied(&Meta::default(), first_checkpoint()), [Change::Finish]);
    assert_eq!(refused(&ended, &Change::BeginRun), Refusal::Finished);
    assert_eq!(refused(&ended, &Change::Complete(pointer(0, 2))), Refusal::Finished);
    let forked = applied(&ended, [Change::Fork { base: Some(pointer(0, 1)) }]);
    assert_eq!((forked.run, forked.lineage, forked.finished), (Run(2), Lineage(1), false));
    assert_eq!(forked.completed, Some(pointer(0, 1)));
    assert_eq!(refused(&forked, &Change::Finish), Refusal::NothingCompleted);
    assert_eq!(applied(&forked, [Change::Complete(pointer(1, 2))]).completed, Some(pointer(1, 2)));
}

#[test]
fn numbers_that_have_come_to_their_end_do_not_begin_again() {
    let last = Meta { term: Term(u64::MAX), run: Run(u32::MAX), ..Meta::default() };
    assert_eq!(refused(&last, &Change::Lead), Refusal::Exhausted);
    assert_eq!(refused(&last, &Change::BeginRun), Refusal::Exhausted);
    assert_eq!(refused(&last, &Change::Fork { base: None }), Refusal::Exhausted);
}

#[tokio::test]
async fn of_many_that_ask_under_one_guard_one_is_answered() {
    let directory = tempfile::tempdir().unwrap();
    let file = FileMetaStore::open(directory.path()).unwrap().0;
    let stores: [std::sync::Arc<dyn MetaStore>; 2] =
        [std::sync::Arc::new(file), std::sync::Arc::new(MemoryMetaStore::default())];
    for store in stores {
        let guard = Guard::of(&store.read().await.unwrap());
        let asked: Vec<_> = (0..8)
            .map(|_| {
                let store = store.clone();
                tokio::spawn(async move { store.cas(guard, Change::BeginRun).await })
            })
            .collect();
        let mut made = 0;
        for answer in asked {
            match answer.await.unwrap() {
                Ok(meta) => {
                    made += 1;
                    assert_eq!(meta.run, Run(1));
                }
                Err(MetaError::Refused { current, refusal }) => {
                    assert_eq!(current.run, Run(1));
                    assert_eq!(refusal, Refusal::Run { asked: Run(0), current: Run(1) });
                }
                Err(other) => panic!("{other}"),
            }
        }
        assert_eq!(made, 1);
        assert_eq!(store.read().await.unwrap().run, Run(1));
    }
}
