//! What a message says of itself, and what is true of it.

use actix::prelude::*;
use serde::{Deserialize, Serialize};

use super::actors::{Add, Adder};
use super::fixture::*;
use crate::*;

/// Goes by the name of [`Add`], and is something else.
#[derive(Debug, Message, Serialize, Deserialize)]
#[rtype(result = "Result<u64, String>")]
struct Disguised {
    text: String,
}

impl RemoteMessage for Disguised {
    const NAME: &'static str = Add::NAME;
}

/// Says who sends it, and is answered with who its actor takes that to be.
#[derive(Debug, Message, Serialize, Deserialize)]
#[rtype(result = "NodeName")]
struct Order {
    by: NodeName,
}

impl RemoteMessage for Order {
    const NAME: &'static str = "order";

    fn sent_by(&mut self, node: &NodeName) {
        self.by = node.clone();
    }
}

/// Passes on who its orders are from.
struct Ordered(Recipient<Seen>);

#[derive(Debug, PartialEq, Message)]
#[rtype(result = "()")]
struct Seen(NodeName);

impl Actor for Ordered {
    type Context = Context<Self>;
}

impl Handler<Order> for Ordered {
    type Result = MessageResult<Order>;

    fn handle(&mut self, order: Order, _: &mut Context<Self>) -> Self::Result {
        self.0.do_send(Seen(order.by.clone()));
        MessageResult(order.by)
    }
}

#[actix_rt::test]
async fn a_message_that_cannot_be_read_is_refused_and_the_link_stays_up() {
    let (a, b) = pair().await;
    b.register::<Add>("adder", Adder.start().recipient());
    let (ear, changes) = Ear::open();
    b.watch(ear);
    assert!(matches!(hear(&changes).await, PeerChange::Up { .. }));
    let disguised = a.actor::<Disguised>(&name("b"), "adder");
    for text in ["", "a", "\n"] {
        let asked = disguised.ask(Disguised { text: text.to_owned() }).await;
        assert!(matches!(asked, Err(AskError::Refused(Fault::Undecodable(_)))), "{asked:?}");
    }
    disguised.tell(Disguised { text: "told".to_owned() }).unwrap();
    // It comes over the same link, behind the told one.
    assert_eq!(a.actor::<Add>(&name("b"), "adder").ask(Add(1, 2)).await, Ok(Ok(3)));
    assert_eq!(b.dead_letters().get(&Fault::Undecodable(String::new())), Some(&1));
    assert!(changes.try_recv().is_err(), "the link has not gone down meanwhile");
    assert!(is_up(&a, "b") && is_up(&b, "a"));
}

#[actix_rt::test]
async fn an_actor_learns_the_sender_from_the_link_and_not_from_the_message() {
    let (a, b) = pair().await;
    let (ear, seen) = Ear::open();
    b.register::<Order>("ordered", Ordered(ear).start().recipient());
    let ordered = a.actor::<Order>(&name("b"), "ordered");
    for claimed in ["a", "b", "c"] {
        let by = name(claimed);
        assert_eq!(ordered.ask(Order { by: by.clone() }).await, Ok(name("a")));
        ordered.tell(Order { by }).unwrap();
        assert_eq!([hear(&seen).await, hear(&seen).await], [Seen(name("a")), Seen(name("a"))]);
    }
    // What the node tells itself came over no link.
    let own = b.actor::<Order>(&name("b"), "ordered");
    assert_eq!(own.ask(Order { by: name("c") }).await, Ok(name("c")));
}
