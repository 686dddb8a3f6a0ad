//! Keys, deltas and states of shared state as bytes.
//!
//! Structs are maps by the names of their fields, as all saved state is, so that a base that was saved by an older program
//! can be read by a newer one. Whoever reads does not trust the writer: the bytes are one value and nothing more, and
//! nest no deeper than a row of a batch may.

use crate::columns::{ColumnError, ROW_DEPTH_MAX, nesting};
use crate::shared::Refusal;
use crate::{Data, Key};

/// The longest key of shared state, in bytes of MessagePack.
pub const KEY_BYTES_MAX: usize = 64 << 10;

/// The largest delta of one update, in bytes of MessagePack.
pub const DELTA_BYTES_MAX: usize = 1 << 20;

/// Writes a value.
pub(super) fn encode<T: Data>(value: &T) -> Vec<u8> {
    rmp_serde::to_vec_named(value).expect("Data can be written by serde")
}

/// Writes a key.
///
/// # Errors
///
/// Where it has more than [`KEY_BYTES_MAX`] bytes.
pub fn encode_key<K: Key>(key: &K) -> Result<Vec<u8>, Refusal> {
    let bytes = encode(key);
    check_key(&bytes)?;
    Ok(bytes)
}

/// Writes a delta. One that its readers would refuse is refused here, where it is known whose it is.
pub(super) fn encode_delta<T: Data>(delta: &T) -> Result<Vec<u8>, Refusal> {
    let bytes = encode(delta);
    check_delta(&bytes)?;
    match nesting::check(1, &bytes) {
        Ok(()) => Ok(bytes),
        Err(_) => Err(Refusal::Update(format!("an update nests deeper than {ROW_DEPTH_MAX} levels"))),
    }
}

/// Whether the bytes of a key are few enough.
pub(super) fn check_key(bytes: &[u8]) -> Result<(), Refusal> {
    let (found, max) = (bytes.len(), KEY_BYTES_MAX);
    if found > max { Err(Refusal::Key { found, max }) } else { Ok(()) }
}

/// Whether the bytes of a delta are few enough.
pub(super) fn check_delta(bytes: &[u8]) -> Result<(), Refusal> {
    let (found, max) = (bytes.len(), DELTA_BYTES_MAX);
    if found > max { Err(Refusal::Bytes { found, max }) } else { Ok(()) }
}

/// Reads a value, or says in words why the bytes are none.
pub(crate) fn decode<T: Data>(bytes: &[u8]) -> Result<T, String> {
    check_whole(bytes)?;
    rmp_serde::from_slice(bytes).map_err(|error| error.to_string())
}

/// Whether the bytes are one value of MessagePack that does not nest too deep.
pub(super) fn check_whole(bytes: &[u8]) -> Result<(), String> {
    nesting::check(1, bytes).map_err(|error| match error {
        ColumnError::Deep { depth_max } => format!("it nests deeper than {depth_max} levels"),
        ColumnError::Trailing { bytes, .. } => format!("{bytes} bytes follow behind it"),
        _ => "it is no MessagePack, or it ends too early".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_one_value_and_nothing_more() {
        assert_eq!(decode::<u8>(&[7]), Ok(7));
        assert_eq!(decode::<u8>(&[7, 7]).unwrap_err(), "1 bytes follow behind it");
        assert_eq!(decode::<u8>(&[]).unwrap_err(), "it is no MessagePack, or it ends too early");
        let deep = [vec![0x91; ROW_DEPTH_MAX + 1], vec![0x90]].concat();
        assert_eq!(decode::<Vec<u8>>(&deep).unwrap_err(), "it nests deeper than 128 levels");
    }

    #[test]
    fn keys_and_deltas_have_a_largest_size() {
        let fits = "x".repeat(KEY_BYTES_MAX - 3);
        assert_eq!(encode_key(&fits).unwrap().len(), KEY_BYTES_MAX);
        let too_long = Refusal::Key { found: KEY_BYTES_MAX + 1, max: KEY_BYTES_MAX };
        assert_eq!(encode_key(&(fits + "x")), Err(too_long));
        let too_large = Refusal::Bytes { found: DELTA_BYTES_MAX + 6, max: DELTA_BYTES_MAX };
        assert_eq!(encode_delta(&"x".repeat(DELTA_BYTES_MAX + 1)), Err(too_large));
    }
}
