//! The name of a prepared transaction: all that a person or a sweeper must know about it.
//!
//! ```text
//! watershed/DATABASE/JOB/OPERATOR/LINEAGE/SUBTASK/EPOCH/RUN/ROWS
//! ```
//!
//! The database is in it because a server has one such name once, for all of its databases: jobs of the same name that
//! write to two of them would stumble over each other.
//!
//! Only `[a-z0-9_-/.]` occur. What else a job's or operator's name has is written as its bytes, `.20` for a space; a
//! name that is too long is cut, with a hash of the whole behind it.

use std::fmt::Write as _;

use watershed_core::checkpoint::Xid;
use watershed_core::{Epoch, Lineage, Run, SubtaskId, VertexId};

/// How long a part may be. Names of prepared transactions end at 199 bytes.
const PART_BYTES_MAX: usize = 36;

/// The beginning of all names.
pub(super) const PREFIX: &str = "watershed/";

/// The beginning of all names of a sink's prepared transactions.
pub(super) fn prefix(database: &str, job: &str, operator: &str) -> String {
    format!("{PREFIX}{}/{}/{}/", part(database), part(job), part(operator))
}

/// Whether a name is of a job.
pub(super) fn is_of(gid: &str, job: &str) -> bool {
    gid.split('/').nth(2) == Some(&part(job))
}

/// Whether a name is of a sink.
pub(super) fn is_of_operator(gid: &str, operator: &str) -> bool {
    gid.split('/').nth(3) == Some(&part(operator))
}

/// The name of one subtask's epoch with so many rows.
pub(super) fn gid(prefix: &str, xid: &Xid, rows: u64) -> String {
    let Xid { lineage, epoch, run, subtask } = xid;
    format!("{prefix}{lineage}/{}/{epoch}/{run}/{rows}", subtask.index)
}

/// What a name says; none where it is not of this kind. The vertex is not in it, and is 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parsed {
    pub(super) job: String,
    pub(super) operator: String,
    pub(super) xid: Xid,
    pub(super) rows: u64,
}

pub(super) fn parse(gid: &str) -> Option<Parsed> {
    let parts: Vec<&str> = gid.split('/').collect();
    let ["watershed", _, job, operator, lineage, subtask, epoch, run, rows] = parts[..] else { return None };
    let subtask = SubtaskId { vertex: VertexId(0), index: subtask.parse().ok()? };
    let (lineage, epoch, run) = (lineage.parse().ok()?, epoch.parse().ok()?, run.parse().ok()?);
    let xid = Xid { lineage: Lineage(lineage), epoch: Epoch(epoch), run: Run(run), subtask };
    Some(Parsed { job: unpart(job), operator: unpart(operator), xid, rows: rows.parse().ok()? })
}

/// A name in the letters that are allowed.
fn part(name: &str) -> String {
    let mut part = String::new();
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' => part.push(char::from(byte)),
            other => write!(part, ".{other:02x}").expect("a string takes everything"),
        }
    }
    if part.len() > PART_BYTES_MAX {
        let hash = blake3::hash(name.as_bytes()).to_hex();
        part.truncate(PART_BYTES_MAX - 18);
        // No byte is written like this, so that it is never taken for one.
        write!(part, "..{}", &hash[..16]).expect("a string takes everything");
    }
    part
}

/// The name that a part was made of; where it was cut, the part.
fn unpart(part: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = part;
    while let Some((before, behind)) = rest.split_once('.') {
        bytes.extend(before.bytes());
        let Some(byte) = behind.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok()) else {
            return part.to_owned();
        };
        bytes.push(byte);
        rest = &behind[2..];
    }
    bytes.extend(rest.bytes());
    String::from_utf8(bytes).unwrap_or_else(|_| part.to_owned())
}

/// A name as SQL writes a text, whatever is in it. Commands on prepared transactions take no parameters.
pub(super) fn literal(gid: &str) -> String {
    format!("'{}'", gid.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn xid() -> Xid {
        let subtask = SubtaskId { vertex: VertexId(0), index: 3 };
        Xid { lineage: Lineage(1), epoch: Epoch(u64::MAX), run: Run(u32::MAX), subtask }
    }

    #[test]
    fn a_name_says_whose_rows_it_holds() {
        let gid = gid(&prefix("main", "Fraud alerts", "to.db"), &xid(), 7);
        assert_eq!(gid, "watershed/main/.46raud.20alerts/to.2edb/1/3/18446744073709551615/4294967295/7");
        let expected =
            Parsed { job: "Fraud alerts".to_owned(), operator: "to.db".to_owned(), xid: xid(), rows: 7 };
        assert_eq!(parse(&gid), Some(expected));
        assert!(is_of(&gid, "Fraud alerts") && is_of_operator(&gid, "to.db"));
        assert!(!is_of(&gid, "fraud alerts") && !is_of_operator(&gid, "to"));
        assert_eq!(parse("watershed/a/b"), None);
        assert_eq!(parse("somebody else's"), None);
    }

    #[test]
    fn whatever_the_names_are_only_few_letters_occur_and_not_too_many() {
        let nasty = "'; DROP TABLE x; --é/../".repeat(20);
        let gid = gid(&prefix(&nasty, &nasty, &nasty), &xid(), u64::MAX);
        assert!(gid.len() < 200, "{}", gid.len());
        let allowed =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-/.".contains(&byte);
        assert!(gid.bytes().all(allowed), "{gid}");
        assert_eq!(gid.split('/').count(), 9);
        assert_ne!(prefix("d", &nasty, "a"), prefix("d", &format!("{nasty}!"), "a"));
    }
}
