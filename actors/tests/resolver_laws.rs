//! Every built-in resolver, tried out by the same trial as an author's own.

use watershed_actors::resolver::{
    AddSet, Agreed, Consensus, Counter, FieldMap, FieldWrite, GrowCounter, LastWriter, Max, Merge,
    MergeState, Min, Round, SetUpdate, Siblings, Vote, VoteUpdate, Write,
};
use watershed_core::testing::verify_resolver;

#[test]
fn c10_registers_keep_the_laws() {
    let writes = [Write::Put(1), Write::Put(2), Write::Remove];
    verify_resolver::<u64, _>(&LastWriter, &writes);
    verify_resolver::<u64, _>(&Siblings, &writes);
    verify_resolver::<u64, _>(&Max, &[1, 2, 3]);
    verify_resolver::<u64, _>(&Min, &[1, 2, 3]);
}

#[test]
fn c10_counters_keep_the_laws() {
    verify_resolver::<i64, _>(&Counter, &[1, -2, 5]);
    verify_resolver::<u64, _>(&GrowCounter, &[1, 2, 5]);
}

#[test]
fn c10_collections_keep_the_laws() {
    let sets = [SetUpdate::Add(1), SetUpdate::Add(2), SetUpdate::Remove(1), SetUpdate::Clear];
    verify_resolver::<u64, _>(&AddSet, &sets);
    let [a, b] = ["a", "b"].map(str::to_owned);
    let fields = [FieldWrite::Put(a.clone(), 1), FieldWrite::Put(b, 2), FieldWrite::Remove(a)];
    verify_resolver::<(String, u64), _>(&FieldMap, &fields);
}

#[test]
fn c10_votes_keep_the_laws() {
    let cast = |round, value| VoteUpdate::Cast { round: Round(round), value };
    let votes = [cast(1, 2.0), cast(1, 4.0), cast(2, 0.5)];
    verify_resolver::<f64, _>(&Vote::mean(3, 2), &votes);
    verify_resolver::<f64, _>(&Vote::median(3, 2), &votes);
}

#[test]
fn c10_what_is_agreed_on_keeps_the_laws() {
    let agreed = |round, votes: &[(&str, f64)], value| {
        let votes = votes.iter().map(|(voter, vote)| ((*voter).to_owned(), *vote)).collect();
        Agreed { round: Round(round), votes, value }
    };
    let one = agreed(1, &[("a", 2.0), ("b", 4.0)], 3.0);
    // That a round is decided twice is not for the resolver to see; it must stay a lattice all the same.
    let other = agreed(1, &[("a", 2.0), ("c", 2.0)], 2.0);
    verify_resolver::<f64, _>(&Consensus::mean(2), &[one, other, agreed(7, &[("b", 1.0), ("c", 0.0)], 0.5)]);
    let set = |round, value| Agreed { round: Round(round), votes: vec![("a".to_owned(), value)], value };
    verify_resolver::<u64, _>(&Consensus::register(), &[set(1, 5_u64), set(2, 6), set(3, 5)]);
}

/// The sum of what is merged, which is no lattice.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize, watershed_core::Data)]
struct Sum(u64);

impl MergeState for Sum {
    fn merge(&mut self, other: &Self) {
        self.0 += other.0;
    }
}

#[test]
#[should_panic(expected = "law")]
fn a_merge_that_adds_is_found_out() {
    verify_resolver::<Sum, _>(&Merge, &[Sum(1)]);
}
