//! A manifest as bytes.
//!
//! ```text
//!   "WSHDMANI"  version: u32 = 1  check: u32   body: one MessagePack map with named fields
//! ```
//!
//! Numbers are little-endian; `check` is the CRC-32C of version and body. The hash that decides is the one in
//! the [`Pointer`](watershed_core::checkpoint::Pointer); the check lets a file that nothing points to be
//! told from a damaged one.

use watershed_core::checkpoint::{Manifest, ObjectRef, Payload, SiteShare, Vote};

use crate::error::Damage;
use crate::limits::Limits;
use crate::msgpack;

/// The version that is written, and the only one that is read.
const VERSION: u32 = 1;

const MAGIC: [u8; 8] = *b"WSHDMANI";

/// Magic, version and check.
const HEAD_BYTES: usize = 16;

/// The bytes of a manifest.
pub(crate) fn encode(manifest: &Manifest) -> Vec<u8> {
    let body = msgpack::encode(manifest);
    let mut bytes = MAGIC.to_vec();
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend(check(VERSION, &body).to_le_bytes());
    bytes.extend(body);
    bytes
}

/// The manifest of bytes that are to be believed only where all of it makes sense.
pub(crate) fn decode(bytes: &[u8], limits: &Limits) -> Result<Manifest, Damage> {
    let kind = || Damage::Kind { expected: "manifest of Watershed" };
    let (head, body) = bytes.split_first_chunk::<HEAD_BYTES>().ok_or_else(kind)?;
    let [magic @ .., v0, v1, v2, v3, c0, c1, c2, c3] = *head;
    if magic != MAGIC {
        return Err(kind());
    }
    let found = u32::from_le_bytes([v0, v1, v2, v3]);
    if found != VERSION {
        return Err(Damage::Version { expected: VERSION, found });
    }
    if check(found, body) != u32::from_le_bytes([c0, c1, c2, c3]) {
        return Err(Damage::Checksum { part: "body", offset: HEAD_BYTES as u64 });
    }
    let manifest: Manifest = msgpack::decode(body).map_err(Damage::Content)?;
    plausible(&manifest, limits).map_err(Damage::Content)?;
    Ok(manifest)
}

fn check(version: u32, body: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&version.to_le_bytes()), body)
}

/// Checks what a decoder cannot: numbers that have bounds, and sums that must not wrap.
fn plausible(manifest: &Manifest, limits: &Limits) -> Result<(), String> {
    let groups = manifest.key_groups.count();
    if watershed_core::KeyGroups::new(groups).is_none() {
        return Err(format!("it divides the keys into {groups} groups"));
    }
    let objects: Vec<&ObjectRef> = references(manifest).collect();
    if objects.len() > limits.objects_max {
        return Err(format!(
            "it names {} objects, more than the limit of {}",
            objects.len(),
            limits.objects_max
        ));
    }
    let mut bytes = 0_u64;
    for object in objects {
        super::path::ObjectPath::parse(&object.path).map_err(|refused| refused.to_string())?;
        let sum = bytes.checked_add(object.bytes);
        bytes = sum.ok_or_else(|| "the lengths of its objects exceed all numbers".to_owned())?;
    }
    if manifest.votes.windows(2).any(|pair| pair[0].subtask >= pair[1].subtask) {
        return Err("its votes are not in the order of the subtasks, one each".to_owned());
    }
    Ok(())
}

/// The objects of shared state that a vote names.
pub(crate) fn shared(vote: &Vote) -> impl Iterator<Item = &ObjectRef> {
    let share = vote.shared.iter().filter_map(|cut| cut.share.as_ref());
    share.flat_map(SiteShare::objects)
}

/// All objects that a manifest needs, in the order of its votes.
pub(crate) fn references(manifest: &Manifest) -> impl Iterator<Item = &ObjectRef> {
    manifest.votes.iter().flat_map(|vote| {
        let staged = vote.staged.iter().filter_map(|staged| match &staged.payload {
            Payload::Inline(_) => None,
            Payload::Object(object) => Some(object),
        });
        let own = vote.snapshot.iter().chain(vote.in_flight.iter().map(|in_flight| &in_flight.object));
        own.chain(staged).chain(shared(vote))
    })
}
