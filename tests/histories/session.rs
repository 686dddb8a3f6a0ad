//! One session: a client that shows what it has seen, through whichever node.

use watershed::actors::source::Dice;

use crate::client::{Client, Told};
use crate::history::{Fate, Step};
use crate::world::{LISTS, World};

/// How often in ten a session appends rather than reads.
const APPENDS_IN_TEN: u64 = 4;

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
    own: Own,
    lives: u64,
}

/// The lists to which a session appends in a run.
#[derive(Default)]
struct Own {
    run: u64,
    /// The newest element of each.
    newest: [u64; LISTS as usize],
    /// Those with an append of which nobody knows what has become. Nothing is appended behind it: it may come later, and a
    /// list has one order.
    closed: [bool; LISTS as usize],
}

impl<'a> Session<'a> {
    pub(crate) fn new(world: &'a World, number: u64, seed: u64) -> Self {
        let (dice, client, own) = (Dice::new(seed, number), Client::new(), Own::default());
        Session { world, number, dice, client, run: None, token: None, own, lives: 0 }
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
        self.number + self.lives * 1000
    }

    /// Goes on as another session, to begin with the marker. It shows what it has seen if that still holds.
    fn go_on_as_another(&mut self, still_holds: bool) {
        self.lives += 1;
        self.run = None;
        self.token = self.token.take().filter(|_| still_holds);
    }

    /// Reads the marker of the run that there is. The first of the sessions writes what is missing of it.
    fn begin(&mut self) {
        let node = self.world.node(&mut self.dice);
        let Told::List { run, .. } = self.client.read(node, 0, "eventual", None) else {
            return self.world.pause();
        };
        if self.own.run != run {
            (self.own, self.token) = (Own { run, ..Own::default() }, None);
        }
        let marker = World::marker(run);
        let told = self.client.read(node, marker, "causal", self.token.as_deref());
        let Told::List { run: now, elements, token } = told else { return self.world.pause() };
        if now == run && !elements.is_empty() {
            let step = |elements| vec![Step::Read { list: marker, elements }];
            let history = self.world.history(run);
            history.note(self.process(), Fate::Invoked, step(None));
            history.note(self.process(), Fate::Done, step(Some(elements)));
            (self.run, self.token) = (Some(run), Some(token));
        } else if now == run && self.number == 0 && self.world.is_new(run) {
            self.write_all(run);
        } else {
            self.world.pause();
        }
    }

    /// Writes every list of a run, and its marker last: the transaction with which its history begins.
    fn write_all(&mut self, run: u64) {
        let lists = self.world.lists(run).chain([World::marker(run)]);
        let steps: Vec<Step> = lists.map(|list| Step::Append { list, element: 0 }).collect();
        let history = self.world.history(run);
        history.note(u64::MAX >> 16, Fate::Invoked, steps.clone());
        let mut token: Option<String> = None;
        for step in &steps {
            let Step::Append { list, .. } = step else { continue };
            // Twice is once, so it is tried until it is known.
            loop {
                let node = self.world.node(&mut self.dice);
                match self.client.append(node, *list, 0, token.as_deref()) {
                    Told::Appended { run: now, token: shown } if now == run => break token = Some(shown),
                    Told::Appended { .. } => return,
                    Told::Refused { code } if code == "rolled-back" => return,
                    Told::Refused { .. } | Told::Silence | Told::List { .. } if self.world.wants_more() => {
                        self.world.pause();
                    }
                    Told::Refused { .. } | Told::Silence | Told::List { .. } => return,
                }
            }
        }
        history.note(u64::MAX >> 16, Fate::Done, steps);
    }

    fn append(&mut self, run: u64) {
        let own = self.dice.below(LISTS);
        if self.own.closed[own as usize] {
            return self.read(run);
        }
        let (list, element) = (World::list(run, self.number, own), self.own.newest[own as usize] + 1);
        self.own.newest[own as usize] = element;
        let step = || vec![Step::Append { list, element }];
        let (history, process) = (self.world.history(run), self.process());
        history.note(process, Fate::Invoked, step());
        let node = self.world.node(&mut self.dice);
        match self.client.append(node, list, element, self.token.as_deref()) {
            Told::Appended { run: now, token } if now == run => {
                history.note(process, Fate::Done, step());
                self.token = Some(token);
            }
            Told::Refused { code } => {
                history.note(process, Fate::Failed, step());
                self.refused(&code);
            }
            Told::Appended { .. } | Told::Silence | Told::List { .. } => {
                history.note(process, Fate::Open, step());
                self.own.closed[own as usize] = true;
                // What comes next does not depend on it, as the order of a session would have it.
                self.go_on_as_another(true);
                self.world.pause();
            }
        }
        self.world.count();
    }

    fn read(&mut self, run: u64) {
        let (session, own) = (self.dice.below(self.world.sessions()), self.dice.below(LISTS));
        let list = World::list(run, session, own);
        let step = |elements| vec![Step::Read { list, elements }];
        let (history, process) = (self.world.history(run), self.process());
        history.note(process, Fate::Invoked, step(None));
        let node = self.world.node(&mut self.dice);
        match self.client.read(node, list, self.world.level(), self.token.as_deref()) {
            Told::List { run: now, elements, token } if now == run => {
                history.note(process, Fate::Done, step(Some(elements)));
                self.token = Some(token);
            }
            told => {
                history.note(process, Fate::Failed, step(None));
                match told {
                    Told::List { .. } | Told::Appended { .. } => self.go_on_as_another(false),
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
