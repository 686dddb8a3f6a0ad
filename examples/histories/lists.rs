//! Which lists there are, who appends to which, and what checkers know them by.
//!
//! Several sessions append to each list, at the same time and through different nodes, and a list of the job is a set: its
//! readers may meet what two writers have appended in either order, as causal consistency allows. A checker of
//! appended lists demands one order. So it is told of a list as what each of its writers has appended, a *part*, whose order
//! is the writer's own, and of a read as one transaction that reads all parts. Nothing is lost by that: a part that lacks what
//! an element of another part depends on is as much of an anomaly as one that lacks it in another list.

/// How many lists each session appends to, and how many sessions append to each.
pub(crate) const LISTS: u64 = 3;

/// The first element of each writer in each list, by which a run begins. Nothing is 0: some checkers take that for a value that
/// nobody has written.
pub(crate) const FIRST: u64 = 1;

/// More elements than a writer ever appends to a list.
const ELEMENTS: u64 = 1_000_000;

/// More lists than a run has.
const LISTS_MAX: u64 = 1000;

/// More sessions than there are.
pub(crate) const SESSIONS_MAX: u64 = 100;

/// What one writer appends to a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Part {
    list: u64,
    writer: u64,
}

impl Part {
    /// What checkers know it by.
    pub(crate) fn number(self) -> u64 {
        self.list * SESSIONS_MAX + self.writer
    }

    /// The run whose list it is of.
    pub(crate) fn run(self) -> u64 {
        self.list / LISTS_MAX
    }

    /// An element of the part, as the job has it in its list.
    pub(crate) fn element(self, count: u64) -> u64 {
        self.writer * ELEMENTS + count
    }
}

/// A list of the job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct List {
    run: u64,
    number: u64,
    sessions: u64,
}

impl List {
    /// A list of a run in which so many sessions work.
    pub(crate) fn of(run: u64, number: u64, sessions: u64) -> Self {
        assert!(
            (LISTS..SESSIONS_MAX).contains(&sessions),
            "a list has {LISTS} writers, and is known by its number"
        );
        List { run, number: number % sessions, sessions }
    }

    /// What is written last of all that a run begins with: a list of one part.
    pub(crate) fn marker(run: u64) -> Part {
        Part { list: run * LISTS_MAX + LISTS_MAX - 1, writer: 0 }
    }

    /// All lists of a run.
    pub(crate) fn all(run: u64, sessions: u64) -> impl Iterator<Item = List> {
        (0..sessions).map(move |number| List::of(run, number, sessions))
    }

    /// What the job knows it by.
    pub(crate) fn key(self) -> u64 {
        self.run * LISTS_MAX + self.number + 1
    }

    /// What a session appends to it.
    pub(crate) fn part(self, writer: u64) -> Part {
        Part { list: self.key(), writer }
    }

    /// The parts that it has.
    pub(crate) fn parts(self) -> impl Iterator<Item = Part> {
        (0..LISTS).map(move |own| self.part((self.number + self.sessions - own) % self.sessions))
    }

    /// What a read of it shows of each part; of parts that it ought not to have as well.
    pub(crate) fn apart(self, elements: &[u64]) -> Vec<(Part, Vec<u64>)> {
        let mut parts: Vec<(Part, Vec<u64>)> = self.parts().map(|part| (part, Vec::new())).collect();
        for element in elements {
            let (part, count) = (self.part(element / ELEMENTS), element % ELEMENTS);
            match parts.iter_mut().find(|(known, _)| *known == part) {
                Some((_, counts)) => counts.push(count),
                None => parts.push((part, vec![count])),
            }
        }
        parts
    }
}

impl Part {
    /// What the job knows its list by.
    pub(crate) fn key(self) -> u64 {
        self.list
    }
}

#[test]
fn each_list_has_several_writers_and_each_session_writes_to_several() {
    let writers = |number| List::of(2, number, 8).parts().map(|part| part.writer).collect::<Vec<_>>();
    assert_eq!((writers(5), writers(0)), (vec![5, 4, 3], vec![0, 7, 6]));
    let lists = (0..8).filter(|list| writers(*list).contains(&6)).collect::<Vec<_>>();
    assert_eq!(lists, [0, 6, 7]);
}

#[test]
fn a_read_is_taken_apart_by_who_appended() {
    let list = List::of(2, 5, 8);
    let [five, four, three] = [5, 4, 3].map(|writer| list.part(writer));
    let elements = [three.element(1), five.element(1), five.element(2)];
    assert_eq!(list.apart(&elements), [(five, vec![1, 2]), (four, vec![]), (three, vec![1])]);
    let stranger = list.part(7);
    assert_eq!(list.apart(&[stranger.element(9)])[3], (stranger, vec![9]));
    assert_eq!((five.run(), five.number()), (2, 200_605));
}
