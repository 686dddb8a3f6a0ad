//! A client that goes from job to job with one token.

use watershed_protocol::causal::{JobToken, TOKEN_JOBS_MAX};

use super::refusals::{seen, token};
use super::*;

#[test]
fn c4_what_was_seen_of_a_job_is_not_forgotten_at_another() {
    block_on(async {
        let stock @ [here, there] = &Place::all_of("stock/1").await;
        let [prices] = Place::all_of("prices/2").await;
        let written = here.add(3, 5, None).await.unwrap();
        // Nothing was seen of the other job, which has nothing to wait for; and both of its answers hand on what was.
        let read = prices.ask(causal(3, &written.token)).await.unwrap();
        assert_eq!(count(&read), None);
        let changed = prices.add(3, 8, Some(&read.token)).await.unwrap();
        let refused = there.ask(causal(3, &changed.token)).await.unwrap_err();
        let missing = "update 1 of site 0 in epoch 5 of run 1".to_owned();
        assert_eq!(refused, QueryError::Unavailable { missing });
        exchange(stock);
        let back = there.ask(causal(3, &changed.token)).await.unwrap();
        assert_eq!(count(&back), Some(5));
        // And what was seen of the other one is still there.
        assert_eq!(count(&prices.ask(causal(3, &back.token)).await.unwrap()), Some(8));
        let ahead = JobToken { job: "prices/2".to_owned(), ..seen() };
        let refused = prices.ask(causal(3, &token([ahead]).seal(&KEY).unwrap())).await.unwrap_err();
        assert!(matches!(refused, QueryError::Unavailable { .. }), "{refused}");
    });
}

#[test]
fn c8_what_was_undone_meanwhile_is_told_when_the_client_comes_back() {
    block_on(async {
        let [mut stock] = Place::all_of("stock/1").await;
        let [prices] = Place::all_of("prices/2").await;
        let written = stock.add(3, 5, None).await.unwrap();
        let read = prices.ask(causal(3, &written.token)).await.unwrap();
        stock.fail_over(2, &[None, Some(AFTER.0)]).await;
        let refused = stock.ask(causal(3, &read.token)).await.unwrap_err();
        assert!(matches!(refused, QueryError::RolledBack { .. }), "{refused}");
        let rebased = stock.ask(Query { rebase: true, ..causal(3, &read.token) }).await.unwrap();
        assert!(rebased.rebased);
    });
}

#[test]
fn a_token_is_durable_at_a_job_by_what_it_says_of_that() {
    block_on(async {
        let [stock] = Place::all_of("stock/1").await;
        let [prices] = Place::all_of("prices/2").await;
        let written = stock.add(3, 5, None).await.unwrap();
        let durable =
            async |place: &Place| place.window.await_durable(&written.token, deadline(AT_ONCE)).await;
        assert!(durable(&prices).await.unwrap().durable, "nothing was seen of it");
        assert!(!durable(&stock).await.unwrap().durable);
    });
}

#[test]
fn a_job_that_has_the_name_of_one_that_was_is_not_taken_for_it() {
    block_on(async {
        let [before] = Place::all_of("stock/1").await;
        let [after] = Place::all_of("stock/2").await;
        let written = before.add(3, 5, None).await.unwrap();
        let refused = after.ask(causal(3, &written.token)).await.unwrap_err();
        let why = "it is of job stock/1, and this is stock/2: get a new one".to_owned();
        assert_eq!(refused, QueryError::TokenInvalid { why });
    });
}

#[test]
fn a_client_that_has_been_to_too_many_jobs_is_refused_before_anything_is_made() {
    block_on(async {
        let [stock] = Place::all_of("stock/1").await;
        let others =
            (0..TOKEN_JOBS_MAX).map(|number| JobToken { job: format!("other-{number}/1"), ..seen() });
        let token = token(others).seal(&KEY).unwrap();
        let refused = stock.add(3, 5, Some(&token)).await.unwrap_err();
        assert!(matches!(refused, QueryError::TokenInvalid { .. }), "{refused}");
        assert_eq!(count(&stock.ask(reads(3)).await.unwrap()), None, "nothing was made");
    });
}
