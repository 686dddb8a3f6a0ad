//! One session: a client that shows what it has seen, through whichever node.

use std::collections::BTreeMap;

use watershed::actors::source::Dice;

use super::client::{Client, Told};
use super::history::{Fate, Heritage, Step};
use super::lists::{FIRST, LISTS, List, Part, SESSIONS_MAX};
use super::world::World;

/// How often in ten a session appends rather than reads.
const APPENDS_IN_TEN: u64 = 4;

/// How often in ten a read is of a list of the run before, where there is one.
const OLD_IN_TEN: u64 = 3;

/// What checkers know the transaction by with which a history begins.
const BEGINNING: u64 = 1 << 41;

/// A session, which may begin anew.
pub(crate) struct Session<'a> {
    world: &'a World,
    /// Its number among those of the world.
    number: u64,
    dice: Dice,
    client: Client,
    /// The run, once the session has read its marker.
    run: Option<u64>,
    token: Option<String>,
    seen: Seen,
    /// By runs. A node that stands still or is cut off may lead back to one that is over.
    own: BTreeMap<u64, Own>,
    lives: u64,
}

/// What a session was shown under the token that it has, of lists of one run.
#[derive(Default)]
struct Seen {
    run: u64,
    parts: BTreeMap<Part, Vec<u64>>,
}

/// The lists to which a session appends in a run.
struct Own {
    /// The newest element of each.
    newest: [u64; LISTS as usize],
    /// Those with an append of which nobody knows what has become. Nothing is appended behind it: it may come later, and what
    /// one writer appends has one order.
    closed: [bool; LISTS as usize],
}

impl Default for Own {
    fn default() -> Self {
        Own { newest: [FIRST; LISTS as usize], closed: [false; LISTS as usize] }
    }
}

impl Seen {
    /// Takes note of what was shown of a run.
    fn see(&mut self, run: u64, shown: &[(Part, Vec<u64>)]) {
        if self.run != run {
            *self = Seen { run, parts: BTreeMap::new() };
        }
        for (part, elements) in shown.iter().filter(|(part, _)| part.run() == run) {
            let seen = self.parts.entry(*part).or_default();
            seen.extend(elements);
            seen.sort_unstable();
            seen.dedup();
        }
    }

    /// What the next run is to have where it says that all that was seen still holds: what it has found of each part, and
    /// what was seen of it besides.
    fn claims(&self, found: &Heritage) -> Vec<Step> {
        if self.run != found.run {
            return Vec::new();
        }
        let claim = |(part, seen): (&Part, &Vec<u64>)| {
            let mut elements = found.parts.get(part).cloned().unwrap_or_default();
            let more: Vec<u64> = seen.iter().filter(|element| !elements.contains(element)).copied().collect();
            elements.extend(more);
            Step::Read { part: *part, elements: Some(elements) }
        };
        self.parts.iter().map(claim).collect()
    }
}

/// The same read before anything is known of it.
fn unread(steps: &[Step]) -> Vec<Step> {
    let blank = |step: &Step| match step {
        Step::Read { part, .. } => Step::Read { part: *part, elements: None },
        append @ Step::Append { .. } => append.clone(),
    };
    steps.iter().map(blank).collect()
}

/// What was read of a list.
fn steps(shown: &[(Part, Vec<u64>)]) -> Vec<Step> {
    let step =
        |(part, elements): &(Part, Vec<u64>)| Step::Read { part: *part, elements: Some(elements.clone()) };
    shown.iter().map(step).collect()
}

impl<'a> Session<'a> {
    pub(crate) fn new(world: &'a World, number: u64, seed: u64) -> Self {
        let (dice, client, own) = (Dice::new(seed, number), Client::new(), BTreeMap::new());
        let seen = Seen::default();
        Session { world, number, dice, client, run: None, token: None, seen, own, lives: 0 }
    }

    /// Works until there is nothing more to do.
    pub(crate) fn work(&mut self) {
        while self.world.wants_more() {
            match self.run {
                None => self.begin(),
                Some(run) if self.dice.below(10) < APPENDS_IN_TEN => self.append(run),
                Some(run) => self.read(run),
            }
        }
    }

    /// What checkers know it by.
    fn process(&self) -> u64 {
        self.number + self.lives * SESSIONS_MAX
    }

    /// Goes on as another session, to begin with the marker. It shows what it has seen if that still holds.
    fn go_on_as_another(&mut self, still_holds: bool) {
        self.lives += 1;
        self.run = None;
        if !still_holds {
            self.forget();
        }
    }

    fn forget(&mut self) {
        (self.token, self.seen) = (None, Seen::default());
    }

    /// Reads the marker of the run that there is. The first of the sessions writes what is missing of it.
    fn begin(&mut self) {
        let node = self.world.node(&mut self.dice);
        let Told::List { run, .. } = self.client.read(node, 0, "eventual", None) else {
            return self.world.pause();
        };
        let marker = List::marker(run);
        match self.client.read(node, marker.key(), "causal", self.token.as_deref()) {
            Told::List { run: now, elements, .. }
                if now == run && !elements.is_empty() && self.world.is_new(run) =>
            {
                self.world.found_foreign(run);
            }
            Told::List { run: now, elements, token } if now == run && !elements.is_empty() => {
                self.note_beginning(run, marker);
                (self.run, self.token) = (Some(run), Some(token));
            }
            Told::List { run: now, .. } if now == run && self.number == 0 && self.world.is_new(run) => {
                // Nothing comes of it where the run is over before it has begun.
                let _ = self.write_all(run);
            }
            Told::Refused { code } if code == "rolled-back" => self.forget(),
            Told::List { .. } | Told::Appended { .. } | Told::Refused { .. } | Told::Silence => {
                self.world.pause();
            }
        }
    }

    /// Notes that the marker was read. Where a token of the run before was shown, and not refused, all is taken to be there
    /// that was seen with it.
    fn note_beginning(&mut self, run: u64, marker: Part) {
        let history = self.world.history(run);
        let mut steps = vec![Step::Read { part: marker, elements: Some(vec![FIRST]) }];
        if self.token.is_some() && self.seen.run != run {
            steps.extend(history.heritage().map(|found| self.seen.claims(found)).unwrap_or_default());
        }
        history.note(self.process(), Fate::Invoked, unread(&steps));
        history.note(self.process(), Fate::Done, steps);
    }

    /// Writes every list of a run, and its marker last: the transaction with which its history begins. What is there of the run
    /// before is part of it. Nothing where the run does not last so long.
    fn write_all(&mut self, run: u64) -> Option<()> {
        let (history, before) = self.world.begin_history(run);
        let mut token: Option<String> = None;
        let mut steps = Vec::new();
        if let Some(before) = before {
            let mut parts = BTreeMap::new();
            for list in List::all(before, self.world.sessions()) {
                let shown = self.insist(|session, node| {
                    session.client.read(node, list.key(), "causal", token.as_deref())
                });
                let Told::List { run: now, elements, token: shown } = shown? else { return None };
                token = Some(shown).filter(|_| now == run);
                token.as_ref()?;
                parts.extend(list.apart(&elements));
            }
            let appends = |(part, elements): (&Part, &Vec<u64>)| -> Vec<Step> {
                elements.iter().map(|element| Step::Append { part: *part, element: *element }).collect()
            };
            steps.extend(parts.iter().flat_map(appends));
            history.inherit(Heritage { run: before, parts });
        }
        let found = steps.len();
        let parts = List::all(run, self.world.sessions()).flat_map(List::parts).chain([List::marker(run)]);
        steps.extend(parts.map(|part| Step::Append { part, element: FIRST }));
        history.note(BEGINNING, Fate::Invoked, steps.clone());
        let done = self.append_all(run, &steps[found..], token);
        let fate = if done.is_some() { Fate::Done } else { Fate::Open };
        history.note(BEGINNING, fate, steps);
        done
    }

    /// Appends in this order. Twice is once, so each is tried until it is known.
    fn append_all(&mut self, run: u64, steps: &[Step], mut token: Option<String>) -> Option<()> {
        for step in steps {
            let Step::Append { part, element } = step else { continue };
            let told = self.insist(|session, node| {
                session.client.append(node, part.key(), part.element(*element), token.as_deref())
            });
            let Told::Appended { run: now, token: shown } = told? else { return None };
            token = Some(shown).filter(|_| now == run);
            token.as_ref()?;
        }
        Some(())
    }

    /// Asks one node after the other until one answers. Nothing where what was shown is undone.
    fn insist(&mut self, mut ask: impl FnMut(&Self, std::net::SocketAddr) -> Told) -> Option<Told> {
        loop {
            let node = self.world.node(&mut self.dice);
            match ask(self, node) {
                Told::Refused { code } if code == "rolled-back" => return None,
                Told::Refused { .. } | Told::Silence if self.world.wants_more() => self.world.pause(),
                Told::Refused { .. } | Told::Silence => return None,
                told @ (Told::List { .. } | Told::Appended { .. }) => return Some(told),
            }
        }
    }

    fn append(&mut self, run: u64) {
        let own = self.dice.below(LISTS);
        let mine = self.own.entry(run).or_default();
        if mine.closed[own as usize] {
            return self.read(run);
        }
        let element = mine.newest[own as usize] + 1;
        mine.newest[own as usize] = element;
        let part = List::of(run, self.number + own, self.world.sessions()).part(self.number);
        let step = || vec![Step::Append { part, element }];
        let (history, process) = (self.world.history(run), self.process());
        history.note(process, Fate::Invoked, step());
        let node = self.world.node(&mut self.dice);
        match self.client.append(node, part.key(), part.element(element), self.token.as_deref()) {
            Told::Appended { run: now, token } if now == run => {
                history.note(process, Fate::Done, step());
                self.token = Some(token);
                self.seen.see(run, &[(part, vec![element])]);
            }
            Told::Refused { code } => {
                history.note(process, Fate::Failed, step());
                self.refused(&code);
            }
            Told::Appended { .. } | Told::Silence | Told::List { .. } => {
                history.note(process, Fate::Open, step());
                self.own.entry(run).or_default().closed[own as usize] = true;
                // What comes next does not depend on it, as the order of a session would have it.
                self.go_on_as_another(true);
                self.world.pause();
            }
        }
        self.world.count();
    }

    fn read(&mut self, run: u64) {
        let (history, process) = (self.world.history(run), self.process());
        let before = history.heritage().map(|found| found.run);
        let of = before.filter(|_| self.dice.below(10) < OLD_IN_TEN).unwrap_or(run);
        let list = List::of(of, self.dice.below(self.world.sessions()), self.world.sessions());
        let unknown = || unread(&steps(&list.apart(&[])));
        history.note(process, Fate::Invoked, unknown());
        let node = self.world.node(&mut self.dice);
        match self.client.read(node, list.key(), self.world.level(), self.token.as_deref()) {
            Told::List { run: now, elements, token } if now == run => {
                let shown = list.apart(&elements);
                history.note(process, Fate::Done, steps(&shown));
                self.token = Some(token);
                self.seen.see(run, &shown);
            }
            told => {
                history.note(process, Fate::Failed, unknown());
                match told {
                    // The next run takes what was seen for true, or its marker will not be told.
                    Told::List { .. } | Told::Appended { .. } => self.go_on_as_another(true),
                    Told::Refused { code } => self.refused(&code),
                    Told::Silence => self.world.pause(),
                }
            }
        }
        self.world.count();
    }

    fn refused(&mut self, code: &str) {
        assert!(
            ["rolled-back", "unavailable", "not-running", "busy", "clock-skew", "no-job"].contains(&code),
            "a session is refused what it may ask: {code}"
        );
        if code == "rolled-back" {
            self.go_on_as_another(false);
        }
        self.world.pause();
    }
}
