//! What is refused: tokens of others, and what is too large or makes no sense.

use watershed_core::causal::{Dot, Lane};
use watershed_core::{Counter, ProcessingTime};
use watershed_protocol::causal::{JobToken, Token};

use super::*;

/// What somebody says to have seen who has seen an update that there is not.
pub(super) fn seen() -> JobToken {
    let lane = Lane { run: Run(1), epoch: Epoch(5), site: Site(0) };
    JobToken {
        job: "test".to_owned(),
        lineage: Lineage(0),
        run: Run(1),
        seen: [Dot { lane, counter: Counter(9) }].into_iter().collect(),
        completed: None,
        inputs: Vec::new(),
    }
}

/// A token that is in order.
pub(super) fn token(jobs: impl IntoIterator<Item = JobToken>) -> Token {
    Token::new("test", jobs, ProcessingTime::from_millis(i64::MAX))
}

#[test]
fn c8_no_token_is_taken_that_this_job_has_not_given() {
    let sealed = |token: Token| token.seal(&KEY).unwrap();
    let of = |seen: JobToken| sealed(token([seen]));
    let by = |key: u32, secret: u8| token([seen()]).seal(&TokenKey::new(KeyId(key), [secret; 32])).unwrap();
    let good = of(seen());
    let cases = [
        (by(1, 8), "invalid"),
        (by(2, 7), "invalid"),
        (good[..good.len() - 3].to_owned(), "invalid"),
        (String::new(), "invalid"),
        ("x".repeat(1 << 20), "invalid"),
        (of(JobToken { job: "test/1".to_owned(), ..seen() }), "invalid"),
        (sealed(Token::new("south", [seen()], ProcessingTime::from_millis(i64::MAX))), "invalid"),
        (sealed(Token::new("test", [seen()], ProcessingTime::from_millis(1))), "expired"),
        (of(JobToken { lineage: Lineage(1), ..seen() }), "forked"),
        (of(JobToken { run: Run(2), ..seen() }), "unavailable"),
        (good, "unavailable"),
    ];
    block_on(async {
        let place = Place::one().await;
        for (token, expected) in cases {
            let answered = named(place.ask(causal(3, &token)).await);
            assert_eq!(answered, expected);
            // What is not there yet is no obstacle where nothing is promised.
            let eventual = Query { token: Some(token.clone()), ..reads(3) };
            let expected = if expected == "unavailable" { "answered" } else { expected };
            assert_eq!(named(place.ask(eventual).await), expected);
        }
    });
}

#[test]
fn an_update_that_could_not_be_answered_is_not_made() {
    block_on(async {
        let mut place = Place::one().await;
        // The cluster has decided on no key yet.
        place.window = Window::new(Clerk::new("test", "test".to_owned(), Vec::<TokenKey>::new()), "n0");
        place.window.begin(View::of(place.authority, Some(place.replica.clone()), &bases(&[None]), true));
        let refused = place.add(3, 5, None).await;
        assert!(matches!(refused, Err(QueryError::Unavailable { .. })), "{refused:?}");
        let key = rmp_serde::to_vec(&3_u8).unwrap();
        let found = place.replica.look(place.replica.find(TOTAL).unwrap(), &key).ok().unwrap();
        assert_eq!(found.value, None, "who tries again would count twice");
    });
}

fn named(answer: Result<Found, QueryError>) -> &'static str {
    match answer {
        Ok(_) => "answered",
        Err(QueryError::TokenInvalid { .. }) => "invalid",
        Err(QueryError::TokenExpired) => "expired",
        Err(QueryError::Forked { .. }) => "forked",
        Err(QueryError::Unavailable { .. }) => "unavailable",
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn c4_who_has_seen_a_later_run_keeps_its_token_where_nothing_is_promised() {
    block_on(async {
        let place = Place::one().await;
        let later = JobToken { run: Run(2), ..seen() };
        let shown = token([later.clone()]).seal(&KEY).unwrap();
        let found = place.ask(Query { token: Some(shown), ..reads(3) }).await.unwrap();
        let given = Token::open(&found.token, &[KEY], "test", ProcessingTime::from_millis(0)).unwrap();
        assert_eq!((found.run, given.jobs()), (Run(1), &[later][..]));
    });
}

#[test]
fn what_is_too_large_or_makes_no_sense_is_refused_with_a_reason() {
    block_on(async {
        let place = Place::one().await;
        let large = || Query::new(TOTAL, vec![0; 1 << 20]);
        let refused = place.ask(large()).await.unwrap_err();
        assert_eq!(refused.to_string(), "the key has 1048576 bytes, and 65536 are taken");
        let huge = Update { delta: vec![0; 2 << 20], ..adds(3, 1) };
        let refused = place.window.update(&huge, deadline(AT_ONCE)).await.unwrap_err();
        assert!(matches!(refused, QueryError::TooLarge { .. }), "{refused}");
        let update = Update { key: vec![0; 1 << 20], ..adds(3, 1) };
        let refused = place.window.update(&update, deadline(AT_ONCE)).await.unwrap_err();
        assert!(matches!(refused, QueryError::TooLarge { .. }), "{refused}");

        let refused = place.ask(Query::new(TOTAL, b"\xa3key".to_vec())).await.unwrap_err();
        assert!(matches!(refused, QueryError::NoKey { .. }), "a text is no key of this state: {refused}");
        let refused = place.ask(Query::new(TOTAL, vec![3, 3])).await.unwrap_err();
        assert!(matches!(refused, QueryError::NoKey { .. }), "two keys are none: {refused}");
        let refused = place.ask(Query::new("totals", vec![3])).await.unwrap_err();
        assert_eq!(refused.to_string(), "the job has no state \"totals\"; it has: total");
        let update = Update { delta: b"\xa3key".to_vec(), ..adds(3, 1) };
        let refused = place.window.update(&update, deadline(AT_ONCE)).await.unwrap_err();
        assert!(matches!(refused, QueryError::Refused { .. }), "{refused}");
        let query = Query { level: Level::Linearizable, ..reads(3) };
        let refused = place.ask(query).await.unwrap_err();
        assert!(matches!(refused, QueryError::Unfit { .. }), "{refused}");
        assert_eq!(count(&place.ask(reads(3)).await.unwrap()), None, "nothing has changed");
    });
}

#[test]
fn a_job_that_keeps_nothing_promises_no_durable_update() {
    block_on(async {
        let place = Place::one().await;
        let view = View::of(place.authority, Some(place.replica.clone()), &bases(&[None]), false);
        place.window.begin(view);
        let update = Update { durable: true, ..adds(3, 1) };
        let refused = place.window.update(&update, deadline(update.wait)).await.unwrap_err();
        assert!(matches!(refused, QueryError::Refused { .. }), "{refused}");
        assert_eq!(count(&place.ask(reads(3)).await.unwrap()), None, "nothing was made");
    });
}

#[test]
fn a_job_that_does_not_run_says_so() {
    block_on(async {
        let place = Place::one().await;
        place.window.end(place.authority);
        let not_running = Err(QueryError::NotRunning { job: "test".to_owned() });
        assert_eq!(place.ask(reads(3)).await, not_running);
        assert_eq!(place.add(3, 1, None).await, not_running);
    });
}
