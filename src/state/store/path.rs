//! The paths of objects: which there are, and which there can never be.

use std::fmt;
use std::str::FromStr;

use watershed_core::checkpoint::ContentHash;
use watershed_core::{Epoch, Lineage, Run, Site, SubtaskId, VertexId};

use crate::StoreError;

/// The folder of all objects.
pub(crate) const ROOT: &str = "ck";

/// The longest path, and the longest component of one: what common file systems and object stores all take.
const PATH_BYTES_MAX: usize = 512;
const COMPONENT_BYTES_MAX: usize = 200;

/// A path that stays inside the store: relative, of plain components.
///
/// Plain components are made of ASCII letters, digits, `-`, `_` and `.`, and begin with none of `-` and `.`;
/// so there is no `..`, nothing hidden, no separator of any system, no control character, and no escape of
/// one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ObjectPath(String);

impl ObjectPath {
    /// Checks a path that was written down somewhere.
    pub(crate) fn parse(path: &str) -> Result<ObjectPath, StoreError> {
        let refuse = |reason| {
            let shown: String = path.chars().take(80).collect();
            Err(StoreError::Path { path: shown, reason })
        };
        if path.len() > PATH_BYTES_MAX {
            return refuse("it is too long");
        }
        if path.starts_with('/') {
            return refuse("it is absolute, and objects are named from the store's root");
        }
        for component in path.split('/') {
            match component.as_bytes() {
                [] => return refuse("it has an empty component"),
                [b'.' | b'-', ..] => return refuse("a component begins with a dot or a dash"),
                long if long.len() > COMPONENT_BYTES_MAX => return refuse("a component is too long"),
                plain if !plain.iter().all(plain_byte) => {
                    return refuse("a component has other characters than letters, digits, '-', '_' and '.'");
                }
                _ => {}
            }
        }
        Ok(ObjectPath(path.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The folders on the way, and the name of the object.
    pub(crate) fn split(&self) -> (Vec<&str>, &str) {
        let mut folders: Vec<&str> = self.0.split('/').collect();
        let name = folders.pop().expect("a path has a component");
        (folders, name)
    }
}

fn plain_byte(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
}

impl fmt::Display for ObjectPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Object {
    /// One layer of a subtask's state.
    Snapshot(SubtaskId),
    /// What a sink has prepared, where it is too much to ride in the vote.
    Staged(SubtaskId),
    /// The batches that an unaligned checkpoint recorded at a subtask.
    InFlight(SubtaskId),
    /// Shared state in one piece, as a site has saved it.
    SharedBase(Site),
    /// The updates of shared state that a site has made.
    SharedLog(Site),
    /// Who voted what.
    Manifest,
}

/// Which object: of which checkpoint of which run, and what of it.
///
/// With the first sixteen digits of its content's hash behind it this is its path:
///
/// ```text
///   ck/{lineage}/{epoch}/{run}/{vertex}-{index}.{hash}
///   ck/{lineage}/{epoch}/{run}/{vertex}-{index}.staged.{hash}
///   ck/{lineage}/{epoch}/{run}/{vertex}-{index}.in-flight.{hash}
///   ck/{lineage}/{epoch}/{run}/site-{site}.base.{hash}
///   ck/{lineage}/{epoch}/{run}/site-{site}.log.{hash}
///   ck/{lineage}/{epoch}/{run}/manifest.{hash}
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    /// The history.
    pub lineage: Lineage,
    /// The checkpoint for which it was written; later ones may need it too.
    pub epoch: Epoch,
    /// The execution that wrote it.
    pub run: Run,
    /// What it is.
    pub object: Object,
}

impl ObjectKey {
    /// The object's path.
    pub(crate) fn path(&self, hash: &ContentHash) -> ObjectPath {
        let ObjectKey { lineage, epoch, run, object } = self;
        let digits = hash.to_string();
        let hash = &digits[..16];
        let name = match object {
            Object::Snapshot(SubtaskId { vertex, index }) => format!("{vertex}-{index}.{hash}"),
            Object::Staged(SubtaskId { vertex, index }) => format!("{vertex}-{index}.staged.{hash}"),
            Object::InFlight(SubtaskId { vertex, index }) => format!("{vertex}-{index}.in-flight.{hash}"),
            Object::SharedBase(site) => format!("site-{site}.base.{hash}"),
            Object::SharedLog(site) => format!("site-{site}.log.{hash}"),
            Object::Manifest => format!("manifest.{hash}"),
        };
        ObjectPath(format!("{ROOT}/{lineage}/{epoch}/{run}/{name}"))
    }

    /// Which object has this path; `None` where it is the path of none of ours.
    pub fn of_path(path: &str) -> Option<ObjectKey> {
        let [root, lineage, epoch, run, name] = path.split('/').collect::<Vec<_>>().try_into().ok()?;
        if root != ROOT {
            return None;
        }
        let (name, hash) = name.rsplit_once('.')?;
        let lowercase = |digit: u8| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
        if hash.len() != 16 || !hash.bytes().all(lowercase) {
            return None;
        }
        let object = match name.split_once('.') {
            None if name == "manifest" => Object::Manifest,
            None => Object::Snapshot(subtask(name)?),
            Some((name, "staged")) => Object::Staged(subtask(name)?),
            Some((name, "in-flight")) => Object::InFlight(subtask(name)?),
            Some((name, "base")) => Object::SharedBase(site(name)?),
            Some((name, "log")) => Object::SharedLog(site(name)?),
            Some(_) => return None,
        };
        Some(ObjectKey {
            lineage: Lineage(number(lineage)?),
            epoch: Epoch(number(epoch)?),
            run: Run(number(run)?),
            object,
        })
    }
}

fn subtask(name: &str) -> Option<SubtaskId> {
    let (vertex, index) = name.split_once('-')?;
    Some(SubtaskId { vertex: VertexId(number(vertex)?), index: number(index)? })
}

fn site(name: &str) -> Option<Site> {
    Some(Site(number(name.strip_prefix("site-")?)?))
}

/// A number as it is printed: no sign, no zeros in front.
fn number<N: FromStr + ToString>(text: &str) -> Option<N> {
    text.parse().ok().filter(|number: &N| number.to_string() == text)
}
