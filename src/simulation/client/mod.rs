//! Clients of the job: each reads and updates what the subtasks share, through any node, with a token over all roll-backs.
//!
//! ```text
//!   turn --Question {token, wish}--> node: window --now, or when its replica has caught up--> Reply {token, ..} --> learn
//!          may be lost, and late              --Unavailable, NotRunning, RolledBack, ..-->
//! ```
//!
//! A client keeps to the rules of the client library: it shows its newest token with each question, takes no answer of an
//! older run than it has heard, and asks elsewhere when it is not answered. Beside all protocols and unseen by the nodes,
//! it remembers what it has really seen, and what of it was its own.

pub(crate) mod window;

use std::collections::BTreeSet;
use std::rc::Rc;

use watershed_core::causal::Dot;
use watershed_core::{Lineage, Run};
use watershed_protocol::causal::Undone;

use crate::agenda::Happening;
use crate::dice::Dice;
use crate::properties::Broken;
use crate::world::World;

/// The updates that somebody has seen. The same set is handed around, not copied.
pub(crate) type Dots = Rc<BTreeSet<Dot>>;

/// For how long a node may let a question wait, and an update that is to become durable.
const WAIT: u64 = 250;
const WAIT_DURABLE: u64 = 900;

/// For how much longer than the node a client waits for an answer.
const GRACE: u64 = 200;

/// How long clients think between two questions, at most; one of these in each world.
const THOUGHTS: [u64; 3] = [4, 20, 80];

/// What a client wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// What there is now, on whichever node.
    Eventual,
    /// What there is, and nothing older than what was seen.
    Causal,
    /// What the newest complete checkpoint has.
    AsOf,
    /// An update; answered once it is part of a complete checkpoint, where it is to be durable.
    Update { durable: bool },
}

impl Wish {
    /// For how long a node may let it wait.
    pub(crate) fn wait(self) -> u64 {
        match self {
            Wish::Eventual | Wish::Causal | Wish::AsOf | Wish::Update { durable: false } => WAIT,
            Wish::Update { durable: true } => WAIT_DURABLE,
        }
    }
}

/// A question, as it is on its way.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) client: usize,
    pub(crate) number: u64,
    pub(crate) wish: Wish,
    /// As text: what a client shows has always been through a seal.
    pub(crate) token: Option<String>,
    /// Whether to go on without what was undone.
    pub(crate) rebase: bool,
    /// What the client has really seen. No node looks at it, only the properties do.
    pub(crate) seen: Dots,
}

/// What a client is told.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    Found(Found),
    /// It has seen what was undone.
    RolledBack {
        undone: Vec<Undone>,
        happened: Dots,
        run: Run,
    },
    /// Its update was made, and undone before it was durable.
    Undone,
    /// The job has begun another history.
    Forked,
    /// What it needs was not there in time, or it may not be answered here. No update was made.
    Unavailable,
    /// No run lives on that node.
    NotRunning,
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) token: String,
    pub(crate) lineage: Lineage,
    pub(crate) run: Run,
    pub(crate) durable: bool,
    pub(crate) rebased: bool,
    /// What was really there, and what of the time before this run has really happened.
    pub(crate) dots: Dots,
    pub(crate) happened: Dots,
    /// The update that was made.
    pub(crate) wrote: Option<Dot>,
}

/// An update that a client knows to be made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Written {
    pub(crate) dot: Dot,
    pub(crate) lineage: Lineage,
    /// Whether it was told that nothing can undo it.
    pub(crate) durable: bool,
    /// Whether it was told that it never happened.
    pub(crate) is_told: bool,
}

/// One client.
#[derive(Debug, Default)]
pub(crate) struct Client {
    pub(crate) token: Option<String>,
    /// Whether a node has called the token durable.
    pub(crate) is_durable: bool,
    /// The newest run that has answered.
    run: Run,
    pub(crate) seen: Dots,
    pub(crate) written: Vec<Written>,
    /// What the newest checkpoint had that it has read, and of which history that was.
    archived: (Lineage, Dots),
    /// The question that it waits for, and what it was.
    asked: Option<(u64, Wish)>,
    questions: u64,
    /// Whether it goes on without what it was told to be undone.
    rebases: bool,
    /// How long it thinks between two questions, at most.
    thought: u64,
}

impl World {
    /// Draws the clients, where the job shares anything. Mutants of other rules do without.
    pub(crate) fn draw_clients(&mut self, dice: Dice) {
        self.client_chance = dice;
        let is_broken_elsewhere = self.mutant.is_some_and(|mutant| !mutant.is_of_clients());
        if !self.graph.shares || is_broken_elsewhere {
            return;
        }
        let (count, thought) = (self.client_chance.between(1, 5), self.client_chance.pick(&THOUGHTS));
        self.clients = (0..count).map(|_| Client { thought, ..Client::default() }).collect();
        for client in 0..self.clients.len() {
            self.think(client);
        }
    }

    fn think(&mut self, client: usize) {
        let delay = self.client_chance.between(1, self.clients[client].thought);
        self.later(delay, Happening::Turn(client));
    }

    /// A client asks, or gives up its question and asks another.
    pub(crate) fn turn(&mut self, client: usize) {
        if self.is_over() {
            return;
        }
        let dice = &mut self.client_chance;
        let (wish, node) = (draw_wish(dice), dice.place(self.nodes.len()));
        let rebase = dice.hit(30);
        let asks_anew = dice.hit(3);
        let own = &mut self.clients[client];
        if own.asked.take().is_some() {
            self.tally.unanswered += 1;
        }
        if asks_anew {
            // Another thread of time: nothing of the first one binds it.
            (own.token, own.seen, own.run, own.is_durable) = (None, Dots::default(), Run(0), false);
            own.written.retain(|written| written.durable);
        }
        own.questions += 1;
        let number = own.questions;
        own.asked = Some((number, wish));
        let rebase = rebase || std::mem::take(&mut own.rebases);
        let (token, seen) = (own.token.clone(), own.seen.clone());
        let question = Question { client, number, wish, token, rebase, seen };
        if let Some(delay) = self.client_delay() {
            self.later(delay, Happening::Question { node, question });
        }
        self.later(wish.wait() + GRACE, Happening::GiveUp { client, number });
    }

    /// How long something is on its way between a client and a node; `None` where it is lost.
    pub(crate) fn client_delay(&mut self) -> Option<u64> {
        let (loss, slowest) = (self.network.loss, self.network.delay);
        let delay = self.client_chance.between(1, slowest.max(1));
        (!self.client_chance.hit(loss)).then_some(delay)
    }

    /// A client waits no longer.
    pub(crate) fn give_up(&mut self, client: usize, number: u64) {
        if self.clients[client].asked.is_some_and(|(asked, _)| asked == number) {
            self.turn(client);
        }
    }

    /// A client is answered.
    pub(crate) fn replied(&mut self, client: usize, number: u64, reply: Reply) {
        let own = &mut self.clients[client];
        let Some((_, wish)) = own.asked.take_if(|(asked, _)| *asked == number) else { return };
        if self.talks {
            let told = match &reply {
                Reply::Found(found) => format!("run {} answers, {:?}", found.run, found.wrote),
                Reply::RolledBack { undone, run, .. } => format!("run {run} refuses, {undone:?}"),
                Reply::Undone | Reply::Forked | Reply::Unavailable | Reply::NotRunning => {
                    format!("{reply:?}")
                }
            };
            self.say(format!("client {client}: {wish:?}: {told:.140}"));
        }
        let own = &mut self.clients[client];
        match reply {
            Reply::Found(found) if wish != Wish::AsOf && found.run < own.run => self.tally.older += 1,
            Reply::Found(found) => self.learn_from(client, wish, found),
            Reply::RolledBack { undone, happened, run } => {
                self.tally.rolled_back += 1;
                if own.is_durable {
                    let reason = format!("client {client} is refused what was durable: {undone:?}");
                    self.broken(Broken::C7, reason);
                }
                let own = &mut self.clients[client];
                own.is_durable = false;
                own.rebases = true;
                own.is_told_of(&happened, run);
            }
            Reply::Forked => {
                self.tally.forked += 1;
                own.written.iter_mut().for_each(|written| written.is_told = true);
                (own.token, own.seen, own.is_durable) = (None, Dots::default(), false);
            }
            Reply::Undone => self.tally.rolled_back += 1,
            Reply::Unavailable => self.tally.unavailable += 1,
            Reply::NotRunning => self.tally.not_running += 1,
        }
        self.think(client);
    }

    fn learn_from(&mut self, client: usize, wish: Wish, found: Found) {
        let Found { token, lineage, run, durable, rebased, dots, happened, wrote } = found;
        self.tally.answered += 1;
        self.tally.durable += u64::from(durable && wrote.is_some());
        self.tally.rebased += u64::from(rebased);
        let own = &mut self.clients[client];
        if wish == Wish::AsOf {
            let (of, archived) = std::mem::replace(&mut own.archived, (lineage, dots.clone()));
            let gone = archived.difference(&dots).next().copied().filter(|_| of == lineage);
            // The token of a checkpoint names the checkpoint alone: who has seen anything else keeps its own.
            if own.token.is_none() {
                (own.token, own.seen, own.is_durable) = (Some(token), dots, durable);
            }
            if let Some(dot) = gone {
                let reason = format!("{dot} was in a checkpoint, and is in none of those behind it");
                self.broken(Broken::C4, reason);
            }
            return;
        }
        own.run = own.run.max(run);
        if rebased {
            let has_happened = |dot: &Dot| dot.lane.run == run || happened.contains(dot);
            Rc::make_mut(&mut own.seen).retain(has_happened);
            own.is_told_of(&happened, run);
        }
        if let Some(dot) = wrote {
            Rc::make_mut(&mut own.seen).insert(dot);
            own.written.push(Written { dot, lineage, durable, is_told: false });
        } else if !dots.is_subset(&own.seen) {
            Rc::make_mut(&mut own.seen).extend(dots.iter().copied());
        }
        (own.token, own.is_durable) = (Some(token), durable);
    }
}

impl Client {
    /// It was told that what it had seen, and has not happened by this run, never will have.
    fn is_told_of(&mut self, happened: &Dots, run: Run) {
        for written in &mut self.written {
            written.is_told |= written.dot.lane.run != run && !happened.contains(&written.dot);
        }
    }
}

fn draw_wish(dice: &mut Dice) -> Wish {
    match dice.below(20) {
        0..3 => Wish::Eventual,
        3..10 => Wish::Causal,
        10 | 11 => Wish::AsOf,
        12..17 => Wish::Update { durable: false },
        _ => Wish::Update { durable: true },
    }
}
