//! A client: it holds a token, and remembers what it has really seen, which no token tells.

use std::collections::BTreeSet;

use watershed_core::ProcessingTime;
use watershed_protocol::causal::{
    JobToken, KeyId, Place, Token, TokenKey, Translation, Undone, is_durable, translate,
};

use crate::fault::Fault;
use crate::history::{History, Key, UpdateId, Updates};
use crate::site::Node;
use crate::violation::{Invariant, Violation};

const KEY: TokenKey = TokenKey::new(KeyId(1), [42; 32]);
const CLUSTER: &str = "simulated";
const JOB: &str = "shared";

/// A client.
#[derive(Default)]
pub(crate) struct Client {
    /// As text: what a client holds has always been through a seal.
    token: Option<String>,
    seen: Updates,
    own: Updates,
}

/// What became of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Answer {
    /// It was answered.
    Served,
    /// The server has not applied all that the client has seen.
    Waits,
    /// The server said what was undone, and the client goes on without that.
    RolledBack,
    /// The server is of another history.
    Forked,
    /// The server is behind.
    Ahead,
}

/// A token that was called durable, and what its client had seen.
#[derive(Clone)]
pub(crate) struct Durable {
    pub(crate) token: JobToken,
    pub(crate) seen: Updates,
}

/// What a server makes of a token.
pub(crate) fn judge(fault: Fault, token: &JobToken, place: &Place) -> Translation {
    if fault == Fault::NoTranslation && token.run <= place.run {
        let needs = watershed_protocol::causal::Needs { seen: token.seen.clone(), checkpoint: None };
        return Translation::Wait(needs);
    }
    translate(token, place)
}

impl Client {
    /// How long its token is.
    pub(crate) fn token_bytes(&self) -> usize {
        self.token.as_ref().map_or(0, String::len)
    }

    fn opened(&self) -> Option<JobToken> {
        let text = self.token.as_ref()?;
        let now = ProcessingTime::from_millis(0);
        let token = Token::open(text, &[KEY], CLUSTER, now).expect("the cluster has made it");
        token.split(JOB).0
    }

    fn keep(&mut self, token: &JobToken) {
        let token = Token::new(CLUSTER, [token.clone()], ProcessingTime::from_millis(1));
        self.token = Some(token.seal(&KEY).expect("few lanes are open"));
    }

    /// A token of somebody who has seen nothing.
    fn fresh(place: &Place) -> JobToken {
        JobToken {
            job: JOB.to_owned(),
            lineage: place.lineage,
            run: place.run,
            seen: Default::default(),
            completed: None,
            inputs: Vec::new(),
        }
    }

    /// Shows the token. Where it may be served, returns the token to go on with, of the server's run.
    pub(crate) fn show(
        &mut self,
        fault: Fault,
        node: &Node,
        history: &History,
    ) -> Result<Result<JobToken, Answer>, Violation> {
        let place = node.place();
        let fresh = Client::fresh(&place);
        let Some(token) = self.opened() else { return Ok(Ok(fresh)) };
        match judge(fault, &token, &place) {
            Translation::Wait(needs) if node.meets(&needs) => {
                self.must_find_all(node, history)?;
                let completed = token.completed.filter(|_| token.run == place.run).or(needs.checkpoint);
                Ok(Ok(JobToken { seen: needs.seen, completed, ..fresh }))
            }
            Translation::Wait(_) => Ok(Err(Answer::Waits)),
            Translation::RolledBack { undone, rest, .. } => {
                self.must_be_exact(&undone, node, history)?;
                let (execution, base) = (node.beginning.execution, node.beginning.base);
                self.seen.retain(|id| history.has_happened(*id, execution, base));
                self.own.retain(|id| history.has_happened(*id, execution, base));
                self.keep(&JobToken { seen: rest.seen, completed: rest.checkpoint, ..fresh });
                Ok(Err(Answer::RolledBack))
            }
            Translation::Forked { .. } => {
                *self = Client::default();
                Ok(Err(Answer::Forked))
            }
            Translation::Ahead { .. } => Ok(Err(Answer::Ahead)),
            Translation::Expired => Invariant::Answered.broken("a token has expired before its time"),
        }
    }

    /// A server that accepts the token must have all that its client has seen.
    fn must_find_all(&self, node: &Node, history: &History) -> Result<(), Violation> {
        let Some(missing) = self.seen.difference(&node.state).next() else { return Ok(()) };
        let dot = history.dot(*missing);
        let (execution, base) = (node.beginning.execution, node.beginning.base);
        let invariant = if !history.has_happened(*missing, execution, base) {
            Invariant::NothingUndoneIsAccepted
        } else if self.own.contains(missing) {
            Invariant::ReadYourWrites
        } else {
            Invariant::MonotonicReads
        };
        invariant.broken(format!("{dot} is missing at site {} in run {execution}", node.site))
    }

    /// A refusal names what was undone, all of it, and nothing else.
    fn must_be_exact(&self, undone: &[Undone], node: &Node, history: &History) -> Result<(), Violation> {
        let (execution, base) = (node.beginning.execution, node.beginning.base);
        let happened = |id: UpdateId| history.has_happened(id, execution, base);
        for Undone { up_to, .. } in undone {
            if history.named(*up_to).is_some_and(happened) {
                return Invariant::RefusalsAreExact
                    .broken(format!("{up_to} was not undone in run {execution}"));
            }
        }
        let is_named = |id: &&UpdateId| {
            let dot = history.dot(**id);
            undone.iter().any(|undone| undone.up_to.lane == dot.lane && dot.counter <= undone.up_to.counter)
        };
        let gone: BTreeSet<UpdateId> = self.seen.iter().copied().filter(|id| !happened(*id)).collect();
        match gone.iter().find(|id| !is_named(id)) {
            Some(id) => {
                Invariant::RefusalsAreExact.broken(format!("{} was undone silently", history.dot(*id)))
            }
            None => Ok(()),
        }
    }

    /// Reads a key at a server that has accepted the token.
    pub(crate) fn read(
        &mut self,
        mut token: JobToken,
        key: Key,
        node: &Node,
        history: &History,
    ) -> Result<(), Violation> {
        let found = history.of_key(key, &node.state);
        let (execution, base) = (node.beginning.execution, node.beginning.base);
        if let Some(ghost) = found.iter().find(|id| !history.has_happened(**id, execution, base)) {
            let dot = history.dot(*ghost);
            return Invariant::NothingUndoneIsShown.broken(format!("{dot} is shown in run {execution}"));
        }
        self.seen.extend(found);
        token.see(node.replica.applied());
        self.keep(&token);
        Ok(())
    }

    /// Reads a key as a complete checkpoint holds it. What was seen of later updates need not be in it.
    pub(crate) fn read_as_of(&mut self, mut token: JobToken, key: Key, node: &Node, history: &History) {
        if let Some(known) = node.known() {
            self.seen.extend(history.of_key(key, &history.checkpoint(Some(known))));
            token.completed = token.completed.max(Some(known));
        }
        self.keep(&token);
    }

    /// Takes note of a write of its own.
    pub(crate) fn wrote(&mut self, mut token: JobToken, id: UpdateId, history: &History) {
        self.seen.insert(id);
        self.own.insert(id);
        token.see(&[history.dot(id)].into_iter().collect());
        self.keep(&token);
    }

    /// Lets the newest checkpoint that a server knows stand for what it holds, where the token is of its run.
    pub(crate) fn reduce(&mut self, node: &Node) {
        if let (Some(mut token), Some(known)) = (self.opened(), node.known())
            && token.run == node.beginning.run
        {
            token.reduce(known);
            self.keep(&token);
        }
    }

    /// The token, where a server calls it durable.
    pub(crate) fn durable(&self, fault: Fault, place: &Place) -> Option<Durable> {
        let token = self.opened()?;
        let by_number =
            |token: &JobToken| token.seen.dots().all(|dot| Some(dot.lane.epoch) <= place.completed);
        let is_durable = match fault {
            Fault::DurableByNumber => {
                token.lineage == place.lineage && token.run <= place.run && by_number(&token)
            }
            _ => is_durable(&token, place),
        };
        is_durable.then(|| Durable { token, seen: self.seen.clone() })
    }
}
