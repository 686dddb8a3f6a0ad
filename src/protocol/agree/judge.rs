//! What becomes of a proposal: a function of what is agreed on, who has a vote, and the rule of the register.

use std::collections::BTreeSet;

use watershed_core::Round;
use watershed_core::checkpoint::{Agreed, Agreement, Voice};

use super::{Proposal, Refused};

/// How the votes on a register are counted. Each place that counts the same votes comes to the same bytes.
pub trait Rule {
    /// How many votes are needed.
    fn quorum(&self) -> usize;

    /// A value in the one form in which it is compared: a number may be written in more than one way.
    ///
    /// # Errors
    ///
    /// Where it is no value of the register.
    fn read(&self, value: &[u8]) -> Result<Vec<u8>, String>;

    /// What votes come to, in the order of the voters. There is at least one.
    ///
    /// # Errors
    ///
    /// Where one of them cannot be counted.
    fn tally(&self, votes: &[&[u8]]) -> Result<Vec<u8>, String>;
}

/// What becomes of a proposal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// To be decided.
    Decide(Agreement),
    /// The very same was decided before: it is proposed a second time.
    Decided(Agreement),
}

/// Judges a proposal.
///
/// # Errors
///
/// Where it is not to be decided.
pub fn judge(
    agreed: &Agreed,
    view: &BTreeSet<String>,
    rule: &impl Rule,
    proposal: &Proposal,
) -> Result<Verdict, Refused> {
    let votes = counted(view, rule, proposal)?;
    let values: Vec<&[u8]> = votes.iter().map(|vote| vote.value.as_slice()).collect();
    let value = rule.tally(&values).map_err(Refused::Vote)?;
    if let Some(proposed) = &proposal.value
        && rule.read(proposed).map_err(Refused::Vote)? != value
    {
        return Err(Refused::Mismatch { votes: votes.len() });
    }
    let newest = agreed.on(&proposal.register);
    let last = newest.map_or(Round(0), |newest| newest.round);
    let round = proposal.round.unwrap_or(Round(last.0.saturating_add(1)));
    let agreement = Agreement { register: proposal.register.clone(), round, votes, value };
    if newest == Some(&agreement) {
        return Ok(Verdict::Decided(agreement));
    }
    if round <= last {
        return Err(Refused::Closed { asked: round, newest: last });
    }
    // The meta store looks again when it is decided; there may be no room.
    agreed.with(&agreement)?;
    Ok(Verdict::Decide(agreement))
}

/// The votes in the order of the voters: of each that has one, one.
fn counted(view: &BTreeSet<String>, rule: &impl Rule, proposal: &Proposal) -> Result<Vec<Voice>, Refused> {
    let mut votes = Vec::with_capacity(proposal.votes.len());
    for Voice { voter, value } in &proposal.votes {
        if !view.contains(voter) {
            let view = view.iter().cloned().collect();
            return Err(Refused::Stranger { voter: voter.clone(), view });
        }
        votes.push(Voice { voter: voter.clone(), value: rule.read(value).map_err(Refused::Vote)? });
    }
    votes.sort_by(|one, other| one.voter.cmp(&other.voter));
    if let Some(twice) = votes.windows(2).find(|pair| pair[0].voter == pair[1].voter) {
        return Err(Refused::Twice { voter: twice[0].voter.clone() });
    }
    // Nothing can be counted of no votes, whatever the quorum.
    let needed = rule.quorum().max(1);
    if votes.len() < needed {
        return Err(Refused::TooFew { found: votes.len(), needed });
    }
    Ok(votes)
}
