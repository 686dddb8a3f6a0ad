//! What a client sees at one site and at another.

use watershed_core::causal::VectorClock;
use watershed_protocol::causal::JobToken;

use super::refusals::{seen, token};
use super::*;

#[test]
fn c4_a_client_that_has_written_at_one_site_finds_that_at_another_or_waits_for_it() {
    block_on(async {
        let places @ [here, there] = &Place::all().await;
        let written = here.add(3, 5, None).await.unwrap();
        assert_eq!((written.value, written.run, written.node.as_str()), (None, Run(1), "n0"));
        let refused = there.ask(causal(3, &written.token)).await.unwrap_err();
        let missing = "update 1 of site 0 in epoch 5 of run 1".to_owned();
        assert_eq!(refused, QueryError::Unavailable { missing });
        assert_eq!(count(&there.ask(reads(3)).await.unwrap()), None, "nothing is promised of that");

        let waits = Query { wait: Duration::from_secs(60), ..causal(3, &written.token) };
        let (found, ()) = futures_util::future::join(there.ask(waits), async {
            tokio::task::yield_now().await;
            exchange(places);
        })
        .await;
        let found = found.unwrap();
        assert_eq!((count(&found), found.node.as_str()), (Some(5), "n1"));
        // What was read is part of what was seen: the first site has it anyway.
        assert_eq!(count(&here.ask(causal(3, &found.token)).await.unwrap()), Some(5));
    });
}

#[test]
fn c4_an_update_comes_after_all_that_its_writer_has_seen_elsewhere() {
    block_on(async {
        let places @ [here, there, late] = &Place::all().await;
        let first = here.add(1, 1, None).await.unwrap();
        let behind = there.add(2, 1, Some(&first.token)).await.unwrap_err();
        assert!(matches!(behind, QueryError::Unavailable { .. }), "{behind}");
        // The third site hears the second update alone, which waits there for the first.
        let words = here.replica.take_outgoing().0;
        for word in &words {
            if let Outgoing::ToAll(word) = word {
                there.replica.hear(Site(0), word.clone());
            }
        }
        let second = there.add(2, 1, Some(&first.token)).await.unwrap();
        exchange(&places[1..=1]);
        let _ = late.ask(causal(2, &second.token)).await.unwrap_err();
        for word in words {
            if let Outgoing::ToAll(word) = word {
                late.replica.hear(Site(0), word);
            }
        }
        assert_eq!(count(&late.ask(causal(1, &first.token)).await.unwrap()), Some(1));
    });
}

#[test]
fn c6_an_update_of_a_client_is_in_no_checkpoint_that_a_task_of_its_site_has_passed() {
    block_on(async {
        let place = Place::one().await;
        let before = place.add(3, 5, None).await.unwrap();
        place.pass(0, 5);
        let after = place.add(3, 2, None).await.unwrap();
        assert_eq!(count(&place.ask(causal(3, &after.token)).await.unwrap()), Some(7), "a client sees both");
        // One task is still in front of the barrier of checkpoint 5, and must not see what is behind it.
        let seen = |epoch| {
            let table = place.replica.tables().remove(0);
            let value = table.get(Epoch(epoch), &rmp_serde::to_vec(&3_u8).unwrap()).unwrap();
            value.map(|bytes| rmp_serde::from_slice::<u64>(&bytes).unwrap())
        };
        assert_eq!((seen(5), seen(6)), (Some(5), Some(7)));
        place.window.complete(place.authority, Epoch(5));
        let durable = async |token: &str| place.ask(causal(3, token)).await.unwrap().durable;
        let is_part =
            |token: String| Update { token: Some(token), durable: true, wait: AT_ONCE, ..adds(4, 1) };
        let made = place.window.update(&is_part(before.token.clone()), deadline(AT_ONCE)).await.unwrap();
        assert!(!made.durable, "no checkpoint has it in time");
        assert!(!durable(&made.token).await);
        place.window.complete(place.authority, Epoch(6));
        assert!(durable(&made.token).await, "it was made in epoch 6");
    });
}

#[test]
fn c4_who_has_seen_an_update_of_a_later_epoch_writes_behind_it() {
    block_on(async {
        let places @ [ahead, behind] = &Place::all().await;
        ahead.pass(0, 5);
        let first = ahead.add(1, 1, None).await.unwrap();
        exchange(places);
        // No task of this site has passed the barrier of checkpoint 5 yet.
        let second = behind.add(2, 1, Some(&first.token)).await.unwrap();
        let read = behind.ask(causal(2, &second.token)).await.unwrap();
        assert_eq!(count(&read), Some(1));
        let table = behind.replica.tables().remove(0);
        assert_eq!(table.get(Epoch(5), &rmp_serde::to_vec(&2_u8).unwrap()), Ok(None), "it is behind the cut");
    });
}

#[test]
fn only_so_many_questions_wait_and_those_that_have_given_up_make_room() {
    use crate::query::limits::WAITING_MAX;
    block_on(async {
        let [here, there] = &Place::all().await;
        let token = here.add(3, 5, None).await.unwrap().token;
        let waits = |millis| Query { wait: Duration::from_millis(millis), ..causal(3, &token) };
        // So long that the first still waits when the last is put.
        let all = (0..=WAITING_MAX).map(|_| there.ask(waits(3000)));
        let answers = futures_util::future::join_all(all).await;
        let busy = answers.iter().filter(|one| matches!(one, Err(QueryError::Busy { .. }))).count();
        assert_eq!(busy, 1);
        let again = there.ask(waits(50)).await.unwrap_err();
        assert!(matches!(again, QueryError::Unavailable { .. }), "{again}");
    });
}

#[test]
fn a_site_that_may_have_been_given_up_answers_only_what_promises_nothing() {
    block_on(async {
        let place = Place::one().await;
        let token = place.add(3, 5, None).await.unwrap().token;
        place.window.doubt(place.authority, "there is no link to node b any more");
        let missing = "certainty that run 1 goes on here: there is no link to node b any more".to_owned();
        let unavailable = Err(QueryError::Unavailable { missing });
        assert_eq!(place.ask(causal(3, &token)).await, unavailable);
        assert_eq!(place.add(3, 1, None).await, unavailable);
        assert_eq!(count(&place.ask(reads(3)).await.unwrap()), Some(5));
    });
}

#[test]
fn c4_who_has_read_a_checkpoint_waits_for_all_of_it() {
    block_on(async {
        let places @ [here, there] = &Place::all().await;
        here.add(3, 5, None).await.unwrap();
        for place in places {
            place.pass(0, 5);
            place.pass(1, 5);
        }
        let read = JobToken { seen: VectorClock::new(), completed: Some(Epoch(5)), ..seen() };
        let read = token([read]).seal(&KEY).unwrap();
        let refused = there.ask(causal(3, &read)).await.unwrap_err();
        assert_eq!(refused, QueryError::Unavailable { missing: "all of checkpoint 5".to_owned() });
        exchange(places);
        assert_eq!(count(&there.ask(causal(3, &read)).await.unwrap()), Some(5));
    });
}
