//! Supervised actors, seen from another node.

use std::time::Duration;

use actix::prelude::*;
use serde::{Deserialize, Serialize};

use super::fixture::*;
use crate::*;

/// Which life of the actor this is.
#[derive(Debug, Message, Serialize, Deserialize)]
#[rtype(result = "u32")]
struct Life;

impl RemoteMessage for Life {
    const NAME: &'static str = "life";
}

/// Makes it panic, or stop.
#[derive(Debug, Message, Serialize, Deserialize)]
#[rtype(result = "()")]
struct End {
    panic: bool,
}

impl RemoteMessage for End {
    const NAME: &'static str = "end";
}

struct Cat(u32);

impl Actor for Cat {
    type Context = Context<Self>;
}

impl Handler<Life> for Cat {
    type Result = u32;

    fn handle(&mut self, _: Life, _: &mut Context<Self>) -> u32 {
        self.0
    }
}

impl Handler<End> for Cat {
    type Result = ();

    fn handle(&mut self, end: End, cx: &mut Context<Self>) {
        assert!(!end.panic, "curiosity");
        cx.stop();
    }
}

fn keep_cat(links: &Links, strategy: Strategy) {
    let mut lives = 0;
    let takes = Takes::new().message::<Life>().message::<End>();
    links.supervise("cat", takes, strategy, &Arbiter::current(), move || {
        lives += 1;
        Cat(lives)
    });
}

async fn lives(cat: &RemoteActor<Life>) -> u32 {
    loop {
        if let Ok(life) = cat.ask(Life).await {
            return life;
        }
        actix_rt::time::sleep(Duration::from_millis(5)).await;
    }
}

#[actix_rt::test]
async fn a_supervised_actor_keeps_its_name_and_its_watchers_over_restarts() {
    let (a, b) = pair().await;
    let first = Duration::from_millis(5);
    let (to, escalated) = Ear::open();
    keep_cat(&b, Strategy::Restart(Restarts { first, times_max: 2, then: Some(to), ..Restarts::default() }));
    let (cat, end) = (a.actor::<Life>(&name("b"), "cat"), a.actor::<End>(&name("b"), "cat"));
    assert_eq!(lives(&cat).await, 1);
    let (ear, terminated) = Ear::open();
    cat.watch(ear);
    for life in [2, 3] {
        end.tell(End { panic: true }).unwrap();
        until("it lives again", || b.dead_letters().is_empty()).await;
        while lives(&cat).await != life {}
    }
    assert!(terminated.try_recv().is_err(), "it has not ended");
    end.tell(End { panic: true }).unwrap();
    let told = Escalation { actor: "cat".to_owned(), why: "curiosity".to_owned(), restarts: 2 };
    assert_eq!(hear(&escalated).await, told);
    assert_eq!(hear(&terminated).await.why, Ending::Stopped);
    assert_eq!(cat.ask(Life).await, Err(AskError::Refused(Fault::UnknownActor)));
}

#[actix_rt::test]
async fn a_failure_can_be_told_at_once() {
    let b = open(local("b")).await;
    let (to, escalated) = Ear::open();
    keep_cat(&b, Strategy::Escalate(to));
    let cat = b.actor::<Life>(&name("b"), "cat");
    assert_eq!(lives(&cat).await, 1);
    b.actor::<End>(&name("b"), "cat").tell(End { panic: true }).unwrap();
    assert_eq!(hear(&escalated).await.why, "curiosity");
    until("its name is free", || b.actor::<End>(&name("b"), "cat").tell(End { panic: true }).is_err()).await;
}

#[actix_rt::test]
async fn an_actor_that_stops_is_not_started_anew() {
    let b = open(local("b")).await;
    keep_cat(&b, Strategy::Restart(Restarts { first: Duration::from_millis(1), ..Restarts::default() }));
    let cat = b.actor::<Life>(&name("b"), "cat");
    assert_eq!(lives(&cat).await, 1);
    let (ear, terminated) = Ear::open();
    cat.watch(ear);
    b.actor::<End>(&name("b"), "cat").tell(End { panic: false }).unwrap();
    assert_eq!(hear(&terminated).await.why, Ending::Stopped);
    assert_eq!(cat.ask(Life).await, Err(AskError::Refused(Fault::UnknownActor)));
}
