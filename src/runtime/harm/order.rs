//! Orders to a process that runs: to die, to stop or to sleep at a point, once.
//!
//! `FAILPOINTS` is read when a process begins, and who leads a cluster, or has which subtask, is known only later. So a process
//! whose `HARM_ORDERS` names a folder looks there at each point that it reaches. An order is a file of one line:
//!
//! ```text
//! n2,n3 sink::before_commit table kill       n2 or n3, whoever is first, in a chain with a stage of this uid
//! n1 coordinator::before_decision * stop     n1
//! n1 task::before_vote * sleep 9000          n1, and not the process but the thread: 9 s
//! ```
//!
//! What a process is called there is in its `HARM_NAME`. Whoever carries an order out renames it before, to
//! `<order>.by-<name>`: it is done once, and whoever gave it sees by whom.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// What is put behind an order that is carried out, before the name.
const BY: &str = ".by-";

/// Where orders are, and who this is.
#[derive(Debug)]
struct Orders {
    folder: PathBuf,
    name: String,
}

/// One of them.
#[derive(Debug, PartialEq)]
pub(super) struct Order<'a> {
    names: Vec<&'a str>,
    point: &'a str,
    /// The uid of a stage of the chain; any where there is none.
    uid: Option<&'a str>,
    action: &'a str,
}

impl<'a> Order<'a> {
    fn of(line: &'a str) -> Option<Self> {
        let mut words = line.trim().splitn(4, ' ');
        let (names, point, uid, action) = (words.next()?, words.next()?, words.next()?, words.next()?);
        Some(Order { names: names.split(',').collect(), point, uid: (uid != "*").then_some(uid), action })
    }

    fn is_for(&self, name: &str, point: &str, uids: &[String]) -> bool {
        let in_chain = self.uid.is_none_or(|wanted| uids.iter().any(|uid| uid == wanted));
        in_chain && self.point == point && self.names.contains(&name)
    }
}

impl Orders {
    fn from_environment() -> Option<Self> {
        let folder = std::env::var_os("HARM_ORDERS")?.into();
        Some(Orders { folder, name: std::env::var("HARM_NAME").ok()? })
    }

    fn taken_at(&self, point: &str, uids: &[String]) -> Option<String> {
        let entries = fs::read_dir(&self.folder).ok()?.flatten();
        entries.into_iter().find_map(|entry| self.take(&entry.path(), point, uids))
    }

    /// The action of an order that is meant for this moment, and that nobody else has taken.
    fn take(&self, path: &Path, point: &str, uids: &[String]) -> Option<String> {
        let file = path.file_name()?.to_str().filter(|file| !file.contains(BY))?;
        let line = fs::read_to_string(path).ok()?;
        let order = Order::of(&line).filter(|order| order.is_for(&self.name, point, uids))?;
        // One of those who rename it finds it there.
        fs::rename(path, path.with_file_name(format!("{file}{BY}{}", self.name))).ok()?;
        Some(order.action.to_owned())
    }
}

/// What an order says to do at this point, which is taken.
pub(super) fn taken_at(point: &str, uids: &[String]) -> Option<String> {
    static ORDERS: OnceLock<Option<Orders>> = OnceLock::new();
    ORDERS.get_or_init(Orders::from_environment).as_ref()?.taken_at(point, uids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_carried_out_once_and_by_whom_it_names() {
        let folder = tempfile::tempdir().unwrap();
        let of = |name: &str| Orders { folder: folder.path().to_owned(), name: name.to_owned() };
        fs::write(folder.path().join("1"), "n2,n3 sink::before_commit table sleep 20\n").unwrap();
        let (table, files) = (["table".to_owned()], ["files".to_owned()]);
        assert_eq!(of("n1").taken_at("sink::before_commit", &table), None, "another node");
        assert_eq!(of("n3").taken_at("sink::after_commit", &table), None, "another point");
        assert_eq!(of("n3").taken_at("sink::before_commit", &files), None, "another chain");
        assert_eq!(of("n3").taken_at("sink::before_commit", &table).as_deref(), Some("sleep 20"));
        assert_eq!(of("n2").taken_at("sink::before_commit", &table), None, "it was taken");
        assert!(folder.path().join("1.by-n3").exists());
    }

    #[test]
    fn an_order_without_a_uid_is_for_any_chain_and_half_an_order_is_none() {
        let order = Order::of("n1 coordinator::triggered * kill").unwrap();
        assert!(order.is_for("n1", "coordinator::triggered", &[]));
        assert_eq!(Order::of("n1 coordinator::triggered *"), None);
    }
}
