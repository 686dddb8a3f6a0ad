//! MessagePack from a disk or from strangers: bounded before it is believed.
//!
//! `rmp-serde` counts depth by recursion, accepts bytes after the end, and lets a decoder of ours be driven
//! into its own recursion; so every document is first [walked](walk) without recursion: one whole value,
//! nothing behind it, no deeper than allowed, and no length that promises more than there is. Only then is it
//! decoded.

mod from_json;
mod json;
pub(crate) mod walk;

pub use from_json::{Packed, from_json, inexact_number};
pub use json::to_json;

use rmp_serde::config::BytesMode;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// How deep MessagePack may nest, whatever it holds. Checked where it is written as well as where it is read,
/// so that nothing is saved that could not be restored.
pub const DEPTH_MAX: usize = 128;

/// Encodes with named fields, and bytes as bytes.
pub(crate) fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut serializer =
        rmp_serde::Serializer::new(&mut bytes).with_struct_map().with_bytes(BytesMode::ForceAll);
    value.serialize(&mut serializer).expect("checkpoint words are plain data, and a vector takes all bytes");
    bytes
}

/// Decodes one whole value.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    walk::whole(bytes, DEPTH_MAX).map_err(|malformed| malformed.to_string())?;
    let mut deserializer = rmp_serde::Deserializer::from_read_ref(bytes);
    // Newtypes and variants count as levels for the decoder and not for the walk.
    deserializer.set_max_depth(4 * DEPTH_MAX);
    T::deserialize(&mut deserializer).map_err(|error| error.to_string())
}
