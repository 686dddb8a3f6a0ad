//! Watershed: an actix actor that is registered with the links of its node.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant, UNIX_EPOCH};

use actix::prelude::*;
use serde::{Deserialize, Serialize};
use watershed_link::{
    Incarnation, LinkConfig, Links, Local, LookupError, NodeName, RemoteActor, RemoteMessage, Security,
};

use crate::measure::{self, Figures, Load, Remote};
use crate::second::say;

/// How long the actor is looked for.
const FOUND_WITHIN: Duration = Duration::from_secs(10);

/// The name of the actor.
const NAME: &str = "echo";

/// Where an actor lives, and where it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// On another thread than the links.
    Own,
    /// On that of the links.
    Links,
    /// As [`Way::Own`], with links whose thread sleeps as soon as it has nothing to do.
    Asleep,
}

impl Way {
    fn config(self) -> LinkConfig {
        match self {
            Way::Own | Way::Links => LinkConfig::default(),
            Way::Asleep => LinkConfig { vigil: Duration::ZERO, ..LinkConfig::default() },
        }
    }
}

/// Answers with the number that it is asked with, and counts what it is told.
#[derive(Default)]
struct Echo {
    told: u64,
}

impl Actor for Echo {
    type Context = Context<Self>;
}

#[derive(Message, Serialize, Deserialize)]
#[rtype(result = "u64")]
struct Ask {
    number: u64,
}

impl RemoteMessage for Ask {
    const NAME: &'static str = "ask";
}

#[derive(Message, Serialize, Deserialize)]
#[rtype(result = "()")]
struct Tell {
    #[serde(with = "serde_bytes")]
    payload: Vec<u8>,
}

impl RemoteMessage for Tell {
    const NAME: &'static str = "tell";
}

/// Asks how much has arrived: how many messages, or bytes of frames.
#[derive(Message, Serialize, Deserialize)]
#[rtype(result = "u64")]
pub(crate) struct Arrived;

impl RemoteMessage for Arrived {
    const NAME: &'static str = "arrived";
}

impl Handler<Ask> for Echo {
    type Result = u64;

    fn handle(&mut self, ask: Ask, _: &mut Context<Self>) -> u64 {
        ask.number
    }
}

impl Handler<Tell> for Echo {
    type Result = ();

    fn handle(&mut self, _: Tell, _: &mut Context<Self>) {
        self.told += 1;
    }
}

impl Handler<Arrived> for Echo {
    type Result = u64;

    fn handle(&mut self, _: Arrived, _: &mut Context<Self>) -> u64 {
        self.told
    }
}

/// Opens the links of one of the two nodes.
pub(crate) async fn open(node: &str, config: LinkConfig) -> Result<Links, String> {
    let incarnation = UNIX_EPOCH.elapsed().map_err(|error| error.to_string())?.as_millis() as u64;
    let local = Local {
        cluster: "bench".to_owned(),
        node: NodeName::new(node).map_err(|error| error.to_string())?,
        incarnation: Incarnation(incarnation),
        program: "bench".to_owned(),
        advertise: None,
    };
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let links = Links::open(local, listen, Security::Plain, config).await;
    links.map_err(|error| error.to_string())
}

/// Opens the links of the first node, to the second one at some address.
pub(crate) async fn open_to(address: &str, config: LinkConfig) -> Result<Links, String> {
    let links = open("first", config).await?;
    links.learn(&NodeName::new("second").map_err(|error| error.to_string())?, address);
    Ok(links)
}

/// Finds an actor as soon as the link to its node is up.
pub(crate) async fn find<M: RemoteMessage>(links: &Links, name: &str) -> Result<RemoteActor<M>, String> {
    let begun = Instant::now();
    loop {
        match links.lookup(name).await {
            Err(LookupError::Unknown { .. }) if begun.elapsed() < FOUND_WITHIN => {
                actix_rt::time::sleep(Duration::from_millis(10)).await;
            }
            found => return found.map_err(|error| error.to_string()),
        }
    }
}

/// Has the actor.
async fn has_actor(way: Way) -> Result<Links, String> {
    let links = open("second", way.config()).await?;
    let arbiter = match way {
        Way::Own | Way::Asleep => Arbiter::new().handle(),
        Way::Links => links.arbiter(),
    };
    let echo = Echo::start_in_arbiter(&arbiter, |_| Echo::default());
    let registered = links.register::<Ask>(NAME, echo.clone().recipient())
        && links.register::<Tell>(NAME, echo.clone().recipient())
        && links.register::<Arrived>(NAME, echo.recipient());
    assert!(registered, "there is room for one name");
    Ok(links)
}

/// Has the actor for ever.
pub(crate) fn answer(way: Way) -> Result<(), String> {
    System::new().block_on(async {
        let links = has_actor(way).await?;
        say(&links.address().to_string())?;
        std::future::pending().await
    })
}

/// The actor of the other process.
#[derive(Clone)]
struct Other {
    ask: RemoteActor<Ask>,
    tell: RemoteActor<Tell>,
    arrived: RemoteActor<Arrived>,
}

impl Remote for Other {
    async fn ask(&self, number: u64) -> Result<u64, String> {
        self.ask.ask(Ask { number }).await.map_err(|error| error.to_string())
    }

    async fn tell(&self, messages: u64, bytes: usize) -> Result<(), String> {
        for _ in 0..messages {
            self.tell.tell(Tell { payload: vec![7; bytes] }).map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    async fn arrived(&self) -> Result<u64, String> {
        self.arrived.ask(Arrived).await.map_err(|error| error.to_string())
    }
}

/// Asks and tells the actor of the node at some address.
pub(crate) fn measure(way: Way, address: &str, load: &Load) -> Result<Figures, String> {
    System::new().block_on(measured(way, address, load))
}

async fn measured(way: Way, address: &str, load: &Load) -> Result<Figures, String> {
    let links = open_to(address, way.config()).await?;
    let ask = find::<Ask>(&links, NAME).await?;
    let other = Other { tell: links.actor(ask.node(), NAME), arrived: links.actor(ask.node(), NAME), ask };
    let (ask_p50_us, ask_p99_us) = match way {
        Way::Own | Way::Asleep => measure::ask(&other, load).await?,
        Way::Links => {
            let (tx, rx) = tokio::sync::oneshot::channel();
            let (asked, load) = (other.clone(), load.clone());
            links.arbiter().spawn_fn(move || {
                // Whoever waits for it may have been interrupted.
                actix_rt::spawn(async move { tx.send(measure::ask(&asked, &load).await) });
            });
            rx.await.map_err(|_| "the thread of the links has ended")??
        }
    };
    let tells_per_second = measure::tells(&other, load).await?;
    Ok(Figures { ask_p50_us, ask_p99_us, tells_per_second })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[actix_rt::test]
    async fn all_that_is_asked_and_told_arrives_wherever_the_actor_lives() {
        let load = Load { asks: 100, warm_up: 1, tells: 25_000, seconds_max: 60 };
        for way in [Way::Own, Way::Links, Way::Asleep] {
            let second = has_actor(way).await.unwrap();
            let address = second.address().to_string();
            let figures = measured(way, &address, &load).await.unwrap();
            assert!(0.0 < figures.ask_p50_us && figures.ask_p50_us <= figures.ask_p99_us, "{figures:?}");
            assert!(figures.tells_per_second.iter().all(|rate| *rate > 0.0), "{figures:?}");
            let again = open_to(&address, way.config()).await.unwrap();
            let arrived = find::<Arrived>(&again, NAME).await.unwrap();
            assert_eq!(arrived.ask(Arrived).await, Ok(2 * load.tells));
        }
    }
}
