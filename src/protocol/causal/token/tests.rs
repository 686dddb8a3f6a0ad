//! Tokens that are shown to a node: whole, changed, and made by others.

use watershed_core::causal::{Dot, Lane};
use watershed_core::{Counter, Site};

use super::*;

const KEY: TokenKey = TokenKey::new(KeyId(3), [7; 32]);
const CLUSTER: &str = "north";
const NOW: ProcessingTime = ProcessingTime::from_millis(1_000);

fn dot(epoch: u64, counter: u64) -> Dot {
    Dot { lane: Lane { run: Run(2), epoch: Epoch(epoch), site: Site(1) }, counter: Counter(counter) }
}

fn flights() -> JobToken {
    JobToken {
        job: "flights".to_owned(),
        lineage: Lineage(1),
        run: Run(2),
        seen: [dot(5, 6), dot(6, 1)].into_iter().collect(),
        completed: Some(Epoch(4)),
        inputs: vec![Submitted { source: "orders".to_owned(), split: SplitId(0), position: Position(9) }],
    }
}

/// What was seen of a job of which little was.
fn little(job: &str) -> JobToken {
    JobToken {
        job: job.to_owned(),
        lineage: Lineage(0),
        run: Run(1),
        seen: VectorClock::new(),
        completed: None,
        inputs: Vec::new(),
    }
}

fn of(jobs: impl IntoIterator<Item = JobToken>) -> Token {
    Token::new(CLUSTER, jobs, ProcessingTime::from_millis(1_001))
}

fn token() -> Token {
    of([little("trains"), flights()])
}

fn open(text: &str) -> Result<Token, TokenError> {
    Token::open(text, &[KEY], CLUSTER, NOW)
}

#[test]
fn a_token_comes_back_as_it_was() {
    let text = token().seal(&KEY).unwrap();
    assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')), "{text}");
    assert_eq!(open(&text), Ok(token()));
}

/// Made by another program (Python's `hmac`), from the format alone.
#[test]
fn version_2_is_golden() {
    let golden = "AgAAAAP7qLT2hPfl4V6Q87kD9v52jnJG8FHz10wFVIsnuPRlsJOlbm9ydGiSlqdmbGlnaHRzAQKSkpMCBQEGkpMCBgEBBJGTpm9y\
                  ZGVycwAJlqZ0cmFpbnMAAZDAkM0D6Q";
    assert_eq!(token().seal(&KEY).as_deref(), Ok(golden));
}

#[test]
fn whatever_is_changed_or_cut_off_is_refused() {
    let text = token().seal(&KEY).unwrap();
    for place in 0..text.len() {
        for other in ["A", "B", "_", "=", " "] {
            let mut changed = text.clone();
            changed.replace_range(place..=place, other);
            assert!(changed == text || open(&changed).is_err(), "{other:?} at {place}");
        }
        assert!(open(&text[..place]).is_err(), "cut at {place}");
    }
    let mut flipped = text.clone();
    // The last digit of the body: all of the head is in order.
    flipped.replace_range(
        text.len() - 2..text.len() - 1,
        if text.as_bytes()[text.len() - 2] == b'A' { "B" } else { "A" },
    );
    assert_eq!(open(&flipped), Err(TokenError::Forged));
}

#[test]
fn nothing_that_was_made_with_another_secret_or_an_unknown_key_is_taken() {
    let forged = token().seal(&TokenKey::new(KEY.id(), [8; 32])).unwrap();
    assert_eq!(open(&forged), Err(TokenError::Forged));
    let unknown = token().seal(&TokenKey::new(KeyId(4), [7; 32])).unwrap();
    assert_eq!(open(&unknown), Err(TokenError::UnknownKey(KeyId(4))));
}

#[test]
fn a_key_is_changed_while_the_tokens_of_the_old_one_are_still_taken() {
    let newer = TokenKey::new(KeyId(4), [9; 32]);
    for key in [&KEY, &newer] {
        let text = token().seal(key).unwrap();
        assert_eq!(Token::open(&text, &[newer.clone(), KEY], CLUSTER, NOW), Ok(token()));
    }
}

#[test]
fn a_token_is_good_until_it_expires_and_for_its_own_cluster_alone() {
    let text = token().seal(&KEY).unwrap();
    let expires = ProcessingTime::from_millis(1_001);
    assert_eq!(Token::open(&text, &[KEY], CLUSTER, expires), Err(TokenError::Expired));
    let found = TokenError::OtherCluster { found: "north".to_owned() };
    assert_eq!(Token::open(&text, &[KEY], "south", NOW), Err(found));
}

#[test]
fn each_job_is_told_what_was_seen_of_it_and_hands_on_the_rest() {
    let text = token().seal(&KEY).unwrap();
    let split = |job| open(&text).unwrap().split(job);
    assert_eq!(split("flights"), (Some(flights()), vec![little("trains")]));
    assert_eq!(split("trains"), (Some(little("trains")), vec![flights()]));
    assert_eq!(split("ships"), (None, vec![flights(), little("trains")]));
}

#[test]
fn a_token_tells_of_so_many_jobs_and_of_each_once() {
    let many = |count: usize| of((0..count).map(|number| little(&format!("job-{number}"))));
    let text = many(TOKEN_JOBS_MAX).seal(&KEY).unwrap();
    assert_eq!(open(&text), Ok(many(TOKEN_JOBS_MAX)));
    let refused = TokenError::Jobs { found: TOKEN_JOBS_MAX + 1, max: TOKEN_JOBS_MAX };
    assert_eq!(many(TOKEN_JOBS_MAX + 1).seal(&KEY), Err(refused.clone()));
    let sealed = |token: &Token| seal::seal(&KEY, &rmp_serde::to_vec(token).unwrap()).unwrap();
    assert_eq!(open(&sealed(&many(TOKEN_JOBS_MAX + 1))), Err(refused));
    let twice = Token { jobs: vec![little("trains"), little("trains")], ..token() };
    assert_eq!(open(&sealed(&twice)), Err(TokenError::Form("its jobs are not in order")));
}

#[test]
fn what_is_no_token_is_refused_with_a_word() {
    assert_eq!(open(""), Err(TokenError::Form("it is empty")));
    assert_eq!(open("not a token"), Err(TokenError::Form("it is not base64url")));
    assert_eq!(open("Ag"), Err(TokenError::Form("it is too short")));
    assert_eq!(open("AQ"), Err(TokenError::Version { found: 1, expected: 2 }));
    let long = "A".repeat(TOKEN_BYTES_MAX + 1);
    let refused = TokenError::Long { found: TOKEN_BYTES_MAX + 1, max: TOKEN_BYTES_MAX };
    assert_eq!(open(&long), Err(refused));
    let signed = seal::seal(&KEY, b"something else").unwrap();
    assert_eq!(open(&signed), Err(TokenError::Form("its content is of another form")));
}

#[test]
fn a_token_that_would_be_refused_for_its_length_is_not_made() {
    let input = flights().inputs[0].clone();
    let long = of([JobToken { inputs: vec![input; 1_000], ..flights() }]);
    assert!(matches!(long.seal(&KEY), Err(TokenError::Long { max: TOKEN_BYTES_MAX, .. })));
}

#[test]
fn a_checkpoint_stands_for_the_updates_up_to_it() {
    let mut reduced = flights();
    reduced.reduce(Epoch(5));
    assert_eq!(
        reduced,
        JobToken { seen: [dot(6, 1)].into_iter().collect(), completed: Some(Epoch(5)), ..flights() }
    );
    reduced.reduce(Epoch(3));
    assert_eq!(reduced.completed, Some(Epoch(5)), "an older one takes nothing back");
    reduced.see(&[dot(6, 2)].into_iter().collect());
    assert_eq!(reduced.seen, [dot(6, 2)].into_iter().collect());
}

#[test]
fn a_secret_is_not_printed() {
    assert_eq!(format!("{KEY:?}"), "TokenKey { id: KeyId(3), .. }");
}
