//! Orders to nodes that run: to die, to stop or to sleep at a step of a checkpoint (`src/runtime/harm/order.rs`).

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::nodes::Nodes;

/// An order that was given.
#[derive(Debug)]
pub(crate) struct Order {
    folder: PathBuf,
    number: usize,
}

impl Order {
    /// Orders whoever of these nodes comes first to a point, in a chain with a stage of this uid (`*`: any), to do something.
    pub(crate) fn give(nodes: &Nodes, names: &[String], point: &str, uid: &str, action: &str) -> Order {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let order =
            Order { folder: nodes.folder().join("orders"), number: NUMBER.fetch_add(1, Ordering::Relaxed) };
        fs::create_dir_all(&order.folder).unwrap();
        // Written elsewhere first, so that nobody reads half of it.
        let draft = nodes.folder().join("order");
        fs::write(&draft, format!("{} {point} {uid} {action}", names.join(","))).unwrap();
        fs::rename(draft, order.path()).unwrap();
        order
    }

    fn path(&self) -> PathBuf {
        self.folder.join(self.number.to_string())
    }

    /// Who carries it out, or has.
    pub(crate) fn taken_by(&self) -> Option<String> {
        let taken = format!("{}.by-", self.number);
        let mut entries = fs::read_dir(&self.folder).unwrap().flatten();
        entries.find_map(|entry| entry.file_name().to_str()?.strip_prefix(&taken).map(str::to_owned))
    }

    /// Takes it back, unless somebody has taken it.
    pub(crate) fn take_back(&self) {
        match fs::remove_file(self.path()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                panic!("{}: {error}", self.path().display())
            }
            Ok(()) | Err(_) => {}
        }
    }
}
