//! Actors that are reached by their names.

use std::time::Duration;

use actix::prelude::*;
use serde::{Deserialize, Serialize};

use super::fixture::*;
use crate::*;

/// Adds two numbers.
#[derive(Debug, Message, Serialize, Deserialize)]
#[rtype(result = "Result<u64, String>")]
pub(crate) struct Add(pub(crate) u64, pub(crate) u64);

impl RemoteMessage for Add {
    const NAME: &'static str = "add";
}

/// Never answers.
#[derive(Debug, Message, Serialize, Deserialize)]
#[rtype(result = "()")]
pub(crate) struct Ponder;

impl RemoteMessage for Ponder {
    const NAME: &'static str = "ponder";
}

/// Stops the actor.
#[derive(Debug, Message, Serialize, Deserialize)]
#[rtype(result = "()")]
pub(crate) struct Stop;

impl RemoteMessage for Stop {
    const NAME: &'static str = "stop";
}

#[derive(Debug, PartialEq, Message, Serialize, Deserialize)]
#[rtype(result = "()")]
struct Count(u64);

impl RemoteMessage for Count {
    const NAME: &'static str = "count";
}

#[derive(Debug, Message, Serialize, Deserialize)]
#[rtype(result = "()")]
struct Bulk(String);

impl RemoteMessage for Bulk {
    const NAME: &'static str = "bulk";
}

pub(crate) struct Adder;

impl Actor for Adder {
    type Context = Context<Self>;
}

impl Handler<Add> for Adder {
    type Result = Result<u64, String>;

    fn handle(&mut self, add: Add, _: &mut Context<Self>) -> Self::Result {
        add.0.checked_add(add.1).ok_or_else(|| "too much".to_owned())
    }
}

impl Handler<Ponder> for Adder {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Ponder, _: &mut Context<Self>) -> Self::Result {
        Box::pin(std::future::pending())
    }
}

impl Handler<Stop> for Adder {
    type Result = ();

    fn handle(&mut self, _: Stop, cx: &mut Context<Self>) {
        cx.stop();
    }
}

fn register(links: &Links) {
    let adder = Adder.start();
    assert!(links.register::<Add>("adder", adder.clone().recipient()));
    assert!(links.register::<Ponder>("adder", adder.clone().recipient()));
    assert!(links.register::<Stop>("adder", adder.recipient()));
}

#[actix_rt::test]
async fn an_ask_is_answered_with_what_the_actor_returns() {
    let (a, b) = pair().await;
    register(&b);
    for links in [&a, &b] {
        let adder = links.actor::<Add>(&name("b"), "adder");
        assert_eq!(adder.ask(Add(1, 2)).await, Ok(Ok(3)));
        assert_eq!(adder.ask(Add(u64::MAX, 1)).await, Ok(Err("too much".to_owned())));
    }
}

#[actix_rt::test]
async fn an_ask_without_answer_ends_in_time() {
    let (a, b) = pair().await;
    register(&b);
    let within = Duration::from_millis(50);
    for links in [&a, &b] {
        let asked = links.actor::<Ponder>(&name("b"), "adder").ask_within(Ponder, within).await;
        assert_eq!(asked, Err(AskError::TimedOut { within }));
    }
}

#[actix_rt::test]
async fn each_reason_why_there_is_no_answer_has_its_error() {
    let (a, b) = pair().await;
    register(&b);
    for links in [&a, &b] {
        let asked = links.actor::<Add>(&name("b"), "nobody").ask(Add(1, 2)).await;
        assert_eq!(asked, Err(AskError::Refused(Fault::UnknownActor)));
    }
    let adder = Adder.start();
    b.register::<Add>("other", adder.recipient());
    let asked = a.actor::<Ponder>(&name("b"), "other").ask(Ponder).await;
    assert_eq!(asked, Err(AskError::Refused(Fault::UnknownMessage)));
    let asked = a.actor::<Add>(&name("nowhere"), "adder").ask(Add(1, 2)).await;
    assert_eq!(asked, Err(AskError::Unsent(TellError::Down(name("nowhere")))));
}

#[actix_rt::test]
async fn an_ask_fails_when_the_node_leaves() {
    let (a, b) = pair().await;
    register(&b);
    let ponderer = a.actor::<Ponder>(&name("b"), "adder");
    let (asked, ()) = tokio::join!(ponderer.ask(Ponder), async {
        actix_rt::time::sleep(Duration::from_millis(50)).await;
        b.close().await;
    });
    assert_eq!(asked, Err(AskError::Down(name("b"))));
}

#[actix_rt::test]
async fn an_actor_is_found_by_its_name() {
    let (a, b) = pair().await;
    let unknown = a.lookup::<Add>("adder").await.unwrap_err();
    assert!(unknown.to_string().ends_with("asked: a, b"), "{unknown}");
    register(&b);
    let found = a.lookup::<Add>("adder").await.unwrap();
    assert_eq!((found.node(), found.ask(Add(1, 2)).await), (&name("b"), Ok(Ok(3))));
    register(&a);
    let ambiguous = b.lookup::<Add>("adder").await.unwrap_err();
    assert_eq!(
        ambiguous,
        LookupError::Ambiguous { name: "adder".to_owned(), found: vec![name("b"), name("a")] }
    );
}

#[actix_rt::test]
async fn a_message_that_reaches_nobody_is_counted() {
    let (a, b) = pair().await;
    a.actor::<Stop>(&name("b"), "nobody").tell(Stop).unwrap();
    until("it is counted", || b.dead_letters().get(&Fault::UnknownActor) == Some(&1)).await;
}

#[actix_rt::test]
async fn who_watches_an_actor_is_told_when_it_stops() {
    let (a, b) = pair().await;
    register(&b);
    for links in [&a, &b] {
        let adder = links.actor::<Stop>(&name("b"), "adder");
        let (ear, heard) = Ear::open();
        adder.watch(ear);
        adder.tell(Stop).unwrap();
        let ended = Terminated { node: name("b"), actor: "adder".to_owned(), why: Ending::Stopped };
        assert_eq!(hear(&heard).await, ended);
        register(&b);
    }
}

#[actix_rt::test]
async fn who_watches_an_actor_is_told_when_it_cannot_be_seen() {
    let (a, b) = pair().await;
    register(&b);
    let watch = |node: &str, actor: &str| {
        let (ear, heard) = Ear::open();
        a.actor::<Stop>(&name(node), actor).watch(ear);
        heard
    };
    assert_eq!(hear(&watch("nowhere", "adder")).await.why, Ending::Unreachable);
    assert_eq!(hear(&watch("b", "nobody")).await.why, Ending::Unknown);
    let heard = watch("b", "adder");
    actix_rt::time::sleep(Duration::from_millis(50)).await;
    assert!(heard.try_recv().is_err());
    b.close().await;
    assert_eq!(hear(&heard).await.why, Ending::NodeDown(DownReason::Left));
}

#[actix_rt::test]
async fn a_mailbox_takes_what_it_is_told_up_to_a_limit() {
    let tight = LinkConfig { inbox_messages_max: 10, ..config() };
    let a = open_within(local("a"), tight).await;
    register(&a);
    // The actor is on this thread, and handles nothing before the test waits.
    let adder = a.actor::<Add>(&name("a"), "adder");
    let taken = (0..100).take_while(|_| adder.tell(Add(1, 2)).is_ok()).count();
    assert!((10..50).contains(&taken), "{taken} were taken");
    assert_eq!(adder.tell(Add(1, 2)), Err(TellError::Refused(Fault::Full)));
    assert_eq!(a.dead_letters().get(&Fault::Full), Some(&2));
    until("there is room again", || adder.tell(Add(1, 2)).is_ok()).await;
}

#[actix_rt::test]
async fn tells_arrive_in_their_order() {
    let (a, b) = pair().await;
    let (ear, heard) = Ear::open();
    b.register::<Count>("ear", ear);
    let counter = a.actor::<Count>(&name("b"), "ear");
    for number in 0..10_000 {
        counter.tell(Count(number)).unwrap();
    }
    for number in 0..10_000 {
        assert_eq!(hear(&heard).await, Count(number));
    }
    assert!(b.dead_letters().is_empty());
}

#[actix_rt::test]
async fn a_message_that_is_too_large_is_not_sent() {
    let (a, _b) = pair().await;
    let sink = a.actor::<Bulk>(&name("b"), "sink");
    let told = sink.tell(Bulk("!".repeat(2 << 20)));
    assert!(matches!(told, Err(TellError::TooLarge { bytes_max: 1_048_576, .. })), "{told:?}");
    assert!(is_up(&a, "b"));
}
