//! A job that has begun before its cluster has a key for tokens.

use super::*;
use crate::query::Windows;

#[test]
fn a_job_that_began_without_a_key_is_answered_as_soon_as_there_is_one() {
    block_on(async {
        let windows = Windows::default();
        let open = || Window::new(Clerk::new("test", "job/1".to_owned(), windows.keys.clone()), "n0");
        let window = windows.of("job", 1, open);
        let replica = replica(1, 0, 1, AFTER).await;
        window.begin(View::of(authority(1), Some(replica), &bases(&[None]), true));
        let ask = async || found(window.query(&reads(3), deadline(AT_ONCE)).await);
        let refused = ask().await.unwrap_err();
        assert!(matches!(refused, QueryError::Unavailable { .. }), "{refused}");
        // Whoever knows of no key takes none away.
        windows.keys.learn(vec![KEY]);
        windows.keys.learn(Vec::new());
        ask().await.expect("it is answered in the run that began without");
    });
}
