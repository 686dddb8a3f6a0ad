//! What becomes of tokens when a job is set back.

use super::*;

#[test]
fn c8_a_client_that_has_seen_what_was_undone_is_told_what_never_happened() {
    block_on(async {
        let mut place = Place::one().await;
        let kept = place.add(3, 5, None).await.unwrap();
        place.pass(0, 5);
        place.pass(1, 5);
        let undone = place.add(3, 2, Some(&kept.token)).await.unwrap();
        place.fail_over(2, &[None, Some(5)]).await;
        let refused = place.ask(causal(3, &undone.token)).await.unwrap_err();
        let QueryError::RolledBack { from_run, to_run, base, undone: what } = &refused else {
            panic!("it is refused otherwise: {refused}");
        };
        assert_eq!((*from_run, *to_run, *base), (Run(1), Run(2), Some(Epoch(5))));
        let lanes: Vec<_> = what.iter().map(|one| (one.lane.epoch.0, one.up_to.0, one.by)).collect();
        assert_eq!(lanes, [(6, 1, Run(2))]);
        assert_eq!(place.add(3, 1, Some(&undone.token)).await, Err(refused.clone()), "nor does it write");
        let eventual = Query { token: Some(undone.token.clone()), ..reads(3) };
        assert_eq!(place.ask(eventual).await, Err(refused), "nor is it passed over in silence");

        let rebased = place.ask(Query { rebase: true, ..causal(3, &undone.token) }).await.unwrap();
        assert!(rebased.rebased);
        assert_eq!(rebased.run, Run(2));
        let went_on = place.ask(causal(3, &rebased.token)).await.unwrap();
        assert!(!went_on.rebased, "the new token is of what is left");
    });
}

#[test]
fn c7_a_durable_token_is_taken_after_every_failure() {
    block_on(async {
        let mut place = Place::one().await;
        let update = Update { durable: true, wait: Duration::from_secs(60), ..adds(3, 5) };
        let (made, ()) =
            futures_util::future::join(place.window.update(&update, deadline(update.wait)), async {
                tokio::task::yield_now().await;
                place.window.complete(place.authority, Epoch(5));
            })
            .await;
        let made = made.unwrap();
        assert!(made.durable);
        place.fail_over(2, &[None, Some(5)]).await;
        let found = place.ask(causal(3, &made.token)).await.unwrap();
        assert_eq!((found.run, found.durable, found.rebased), (Run(2), true, false));
        place.fail_over(3, &[None, Some(5), Some(26)]).await;
        place.ask(causal(3, &found.token)).await.unwrap();
        place.ask(causal(3, &made.token)).await.unwrap();
    });
}

#[test]
fn c8_a_durable_update_whose_checkpoint_never_came_is_refused_and_not_promised() {
    block_on(async {
        let mut place = Place::one().await;
        let update = Update { durable: true, wait: Duration::from_secs(60), ..adds(3, 5) };
        let window = std::mem::replace(&mut place.window, Window::new(clerk("other"), ""));
        let window = Arc::new(window);
        let waiting = window.clone();
        let asked = tokio::task::LocalSet::new();
        let answer = asked.spawn_local(async move { waiting.update(&update, deadline(update.wait)).await });
        let answer = asked
            .run_until(async {
                tokio::task::yield_now().await;
                window.end(authority(1));
                let replica = replica(2, 0, 1, Epoch(40)).await;
                let back = bases(&[None, None]);
                window.begin(View::of(authority(2), Some(replica), &back, true));
                answer.await.unwrap()
            })
            .await;
        let refused = answer.unwrap_err();
        assert!(matches!(refused, QueryError::RolledBack { base: None, .. }), "{refused}");
    });
}

#[test]
fn a_question_outlives_the_run_in_which_it_was_put() {
    block_on(async {
        let [here, there] = Place::all().await;
        let token = here.add(3, 5, None).await.unwrap().token;
        // In one process a run that ends goes on here.
        let window = Arc::new(Window::new(clerk("test"), ""));
        window.begin(View::of(there.authority, Some(there.replica.clone()), &bases(&[None]), true));
        let (waiting, asked) = (window.clone(), tokio::task::LocalSet::new());
        let query = Query { wait: Duration::from_secs(60), ..causal(3, &token) };
        let answer = asked.spawn_local(async move { waiting.query(&query, deadline(query.wait)).await });
        let answer = asked
            .run_until(async {
                tokio::task::yield_now().await;
                window.end(there.authority);
                tokio::task::yield_now().await;
                let replica = replica(2, 0, 1, Epoch(40)).await;
                let back = bases(&[None, Some(5)]);
                window.begin(View::of(authority(2), Some(replica), &back, true));
                answer.await.unwrap()
            })
            .await;
        let found = found(answer).unwrap();
        assert_eq!((found.run, found.durable), (Run(2), true), "checkpoint 5 has what was seen");
    });
}
