//! A node's side: whether a client may be served here, by what it has seen; waiting until it may be; the answer.
//!
//! What decides is the protocol's ([`translate`], [`is_durable`], the replica); who waits for what, and the token that
//! goes with an answer, is as in the runtime's window on a run.

use std::rc::Rc;

use watershed_core::causal::VectorClock;
use watershed_core::{Epoch, ProcessingTime, SubtaskId, VertexId};
use watershed_protocol::Machine;
use watershed_protocol::causal::{
    JobToken, KeyId, Needs, Place, ReplicaEvent, StampError, Token, TokenKey, Translation, is_durable,
    translate,
};

use super::{Dots, Found, Question, Reply, Wish};
use crate::agenda::Happening;
use crate::graph::JOB;
use crate::mutant::Mutant;
use crate::node::shared::{Counted, Made};
use crate::properties::{Broken, sessions};
use crate::world::World;

const KEY: TokenKey = TokenKey::new(KeyId(1), [7; 32]);
const CLUSTER: &str = "simulated";

/// The vertex in whose name clients write. Its subtasks are the sites.
const CLIENTS: VertexId = VertexId(u32::MAX);

/// A client that waits on a node.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    question: Question,
    /// What was written and is to become durable.
    written: Option<Found>,
}

/// A client that may be served.
struct Served {
    needs: Needs,
    rebased: bool,
    is_ahead: bool,
}

/// Opens what a client shows.
pub(crate) fn open(shown: &str) -> JobToken {
    let token = Token::open(shown, &[KEY], CLUSTER, ProcessingTime::from_millis(0));
    token.expect("the cluster has sealed it").split(JOB).0.expect("there is one job")
}

fn seal(place: &Place, seen: VectorClock, whole: Option<Epoch>, shown: &Needs) -> JobToken {
    let mut token = JobToken {
        job: JOB.to_owned(),
        lineage: place.lineage,
        run: place.run,
        seen,
        completed: whole.max(shown.checkpoint),
        inputs: Vec::new(),
    };
    token.see(&shown.seen);
    if let Some(completed) = token.completed {
        token.reduce(completed);
    }
    token
}

fn sealed(token: &JobToken) -> String {
    let token = Token::new(CLUSTER, [token.clone()], ProcessingTime::from_millis(1));
    token.seal(&KEY).expect("few lanes are open")
}

impl World {
    /// A question arrives.
    pub(crate) fn question(&mut self, node: usize, question: Question) {
        if question.wish == Wish::AsOf {
            let reply = self.read_back();
            return self.reply(&question, reply);
        }
        let (client, number, wait) = (question.client, question.number, question.wish.wait());
        let waiting = Waiting { question, written: None };
        if let Some(waiting) = self.attend(node, waiting) {
            self.nodes[node].waiting.push(waiting);
            let life = self.nodes[node].life;
            self.later(wait, Happening::WaitOver { node, life, client, number });
        }
    }

    /// Looks at all who wait on a node: something has changed there.
    pub(crate) fn attend_all(&mut self, node: usize) {
        let waiting = std::mem::take(&mut self.nodes[node].waiting);
        for one in waiting {
            let still = self.attend(node, one);
            self.nodes[node].waiting.extend(still);
        }
    }

    /// A client has waited for long enough.
    pub(crate) fn wait_over(&mut self, node: usize, client: usize, number: u64) {
        let is_it = |one: &mut Waiting| (one.question.client, one.question.number) == (client, number);
        let over: Vec<Waiting> = self.nodes[node].waiting.extract_if(.., is_it).collect();
        for Waiting { question, written } in over {
            // What is made is made, and not known to be durable.
            let reply = written.map_or(Reply::Unavailable, Reply::Found);
            self.reply(&question, reply);
        }
    }

    fn reply(&mut self, question: &Question, reply: Reply) {
        let (client, number) = (question.client, question.number);
        if let Some(delay) = self.client_delay() {
            self.later(delay, Happening::Reply { client, number, reply });
        }
    }

    /// Whether a run lives on a node that can be asked.
    fn is_open(&self, node: usize) -> bool {
        let own = &self.nodes[node];
        let home = own.home.as_ref();
        home.is_some_and(|home| own.subtasks.values().any(|subtask| subtask.authority == home.authority))
    }

    /// Answers a client; gives it back where it has to wait.
    fn attend(&mut self, node: usize, waiting: Waiting) -> Option<Waiting> {
        if !self.is_open(node) {
            if waiting.written.is_some() {
                return Some(waiting);
            }
            self.reply(&waiting.question, Reply::NotRunning);
            return None;
        }
        if let Some(found) = &waiting.written {
            let Some(reply) = self.durable(node, found) else { return Some(waiting) };
            self.reply(&waiting.question, reply);
            return None;
        }
        let question = &waiting.question;
        match self.judge(node, question) {
            Err(reply) => self.reply(question, reply),
            Ok(None) => return Some(waiting),
            Ok(Some(served)) => {
                let reply = match question.wish {
                    Wish::Update { durable } => match self.update(node, question, &served) {
                        Reply::Found(found) if durable => {
                            let Some(reply) = self.durable(node, &found) else {
                                return Some(Waiting { written: Some(found), ..waiting });
                            };
                            reply
                        }
                        reply => reply,
                    },
                    Wish::Eventual | Wish::Causal | Wish::AsOf => self.look_up(node, question, &served),
                };
                self.reply(&waiting.question, reply);
            }
        }
        None
    }

    /// Whether a client may be served now, has to wait, or is refused.
    fn judge(&mut self, node: usize, question: &Question) -> Result<Option<Served>, Reply> {
        let (no_translation, no_wait) = (self.has(Mutant::NoTranslation), self.has(Mutant::ReadDoesNotWait));
        let place = self.place(node);
        let home = self.nodes[node].home.as_ref().expect("a run lives here");
        let (happened, is_doubted) = (home.base.clone(), home.is_doubted);
        let at_once = question.wish == Wish::Eventual;
        if is_doubted && !at_once {
            return Ok(None);
        }
        let served = |needs, rebased| Served { needs, rebased, is_ahead: false };
        let served = match question.token.as_deref().map(open) {
            None => served(Needs::default(), false),
            Some(token) if no_translation && token.run <= place.run => {
                served(Needs { seen: token.seen, checkpoint: None }, false)
            }
            Some(token) => match translate(&token, &place) {
                Translation::Wait(needs) => served(needs, false),
                Translation::RolledBack { undone, rest, .. } => {
                    sessions::refused(self, question, &undone, &happened, place.run);
                    if !question.rebase {
                        return Err(Reply::RolledBack { undone, happened, run: place.run });
                    }
                    served(rest, true)
                }
                Translation::Ahead { .. } if at_once => {
                    Served { needs: Needs::default(), rebased: false, is_ahead: true }
                }
                Translation::Ahead { .. } => return Ok(None),
                Translation::Forked { .. } => return Err(Reply::Forked),
                // Roll-backs are remembered for longer than any seed lasts.
                Translation::Expired => {
                    let reason = format!("the way from run {} to {} is forgotten", token.run, place.run);
                    self.broken(Broken::C8, reason);
                    return Err(Reply::Unavailable);
                }
            },
        };
        let home = self.nodes[node].home.as_ref().expect("a run lives here");
        let writes = matches!(question.wish, Wish::Update { .. });
        let is_here = home.replica.applied().covers(&served.needs.seen)
            && served.needs.checkpoint.is_none_or(|epoch| home.replica.has_whole(epoch));
        let may = at_once || ((!writes || home.replica.is_ready()) && (is_here || (no_wait && !writes)));
        Ok(may.then_some(served))
    }

    /// What a node finds in its replica.
    fn look_up(&mut self, node: usize, question: &Question, served: &Served) -> Reply {
        let Served { needs, rebased, is_ahead } = served;
        let place = self.place(node);
        let home = self.nodes[node].home.as_ref().expect("a run lives here");
        let dots: Dots = Rc::new(home.base.union(&home.table).copied().collect());
        let (happened, seen) = (home.base.clone(), home.replica.applied().clock().clone());
        let whole = home.whole();
        if !is_ahead {
            sessions::answered(self, node, question, *rebased);
        }
        let token = seal(&place, seen, whole, needs);
        let durable = self.is_durable(&token, &place);
        let token = match &question.token {
            Some(own) if *is_ahead => own.clone(),
            Some(_) | None => sealed(&token),
        };
        let (run, rebased, durable) = (place.run, *rebased, durable && !is_ahead);
        let lineage = place.lineage;
        Reply::Found(Found { token, lineage, run, durable, rebased, dots, happened, wrote: None })
    }

    /// Makes an update for a client, behind all that it has seen.
    fn update(&mut self, node: usize, question: &Question, served: &Served) -> Reply {
        let Served { needs, rebased, .. } = served;
        sessions::answered(self, node, question, *rebased);
        let (now, wall, place) = (self.tick(node), self.wall(node), self.place(node));
        let behind = self.has(Mutant::ClientWritesBehind);
        let home = self.nodes[node].home.as_mut().expect("a run lives here");
        let named = needs.seen.dots().map(|dot| dot.lane.epoch).max().unwrap_or_default();
        let newest = home.newest_epoch();
        let epoch = if behind { newest } else { named.max(newest) };
        let writer = SubtaskId { vertex: CLIENTS, index: u32::from(home.site.0) };
        let stamp = match home.replica.stamp(now, wall, epoch, writer) {
            Ok(stamp) => stamp,
            Err(error) => {
                self.tally.skewed += u64::from(matches!(error, StampError::ClockSkew { .. }));
                return Reply::Unavailable;
            }
        };
        let (dot, run) = (stamp.dot, home.authority.run);
        let causes = question.seen.iter().copied().filter(|dot| dot.lane.run == run).collect();
        self.made.insert(dot, Made { epoch, causes: Rc::new(causes) });
        home.table.insert(dot);
        let mut effects = Vec::new();
        let delta = Counted::OfClient(question.client, question.number);
        let _ = home.replica.on(now, ReplicaEvent::Wrote { stamp, delta }, &mut effects);
        let (base, happened) = (home.began_from, home.base.clone());
        for effect in effects {
            self.perform_shared(node, effect);
        }
        let token = sealed(&seal(&place, [dot].into_iter().collect(), base, needs));
        let (dots, wrote) = (Dots::default(), Some(dot));
        let (lineage, rebased) = (place.lineage, *rebased);
        Reply::Found(Found { token, lineage, run, durable: false, rebased, dots, happened, wrote })
    }

    /// The answer to an update that is durable by now, or undone; `None` where that is not known yet.
    fn durable(&self, node: usize, found: &Found) -> Option<Reply> {
        let (token, place) = (open(&found.token), self.place(node));
        if self.is_durable(&token, &place) {
            return Some(Reply::Found(Found { durable: true, ..found.clone() }));
        }
        match translate(&token, &place) {
            Translation::RolledBack { .. } => Some(Reply::Undone),
            Translation::Wait(_)
            | Translation::Ahead { .. }
            | Translation::Forked { .. }
            | Translation::Expired => None,
        }
    }

    fn is_durable(&self, token: &JobToken, place: &Place) -> bool {
        if self.has(Mutant::DurableByNumber) {
            return token.seen.dots().all(|dot| Some(dot.lane.epoch) <= place.completed);
        }
        is_durable(token, place)
    }

    /// Where a token is judged that is shown to a node.
    fn place(&self, node: usize) -> Place {
        let home = self.nodes[node].home.as_ref().expect("a run lives here");
        let settled = Some(home.replica.applied().settled());
        let base =
            if self.has(Mutant::CompletedTakenForApplied) { home.completed.max(settled) } else { settled };
        Place {
            lineage: home.authority.lineage,
            run: home.authority.run,
            base,
            completed: home.completed,
            roll_backs: home.roll_backs.clone(),
        }
    }

    /// What the newest complete checkpoint has.
    fn read_back(&self) -> Reply {
        let Some(decided) = self.meta.completed.as_ref().and_then(|pointer| self.manifest(pointer)) else {
            return Reply::Unavailable;
        };
        let dots: Dots = Rc::new(crate::properties::decision::logged(self, &decided).into_keys().collect());
        let (lineage, run, completed) = (self.meta.lineage, decided.run, Some(decided.epoch));
        let place = Place { lineage, run, base: completed, completed, roll_backs: Default::default() };
        let token = sealed(&seal(&place, VectorClock::new(), completed, &Needs::default()));
        let happened = dots.clone();
        Reply::Found(Found {
            token,
            lineage,
            run,
            durable: true,
            rebased: false,
            dots,
            happened,
            wrote: None,
        })
    }
}
