//! The bytes of a saved table.

use serde::{Deserialize, Serialize, Serializer};

use super::msgpack;
use crate::shared::TableError;

/// The format that is written.
const FORMAT: u64 = 1;

const TABLE: &str = "a saved table";

/// One key and its state, each as the bytes of its MessagePack.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Entry<'a>(
    #[serde(borrow, serialize_with = "bin")] pub(super) &'a [u8],
    #[serde(borrow, serialize_with = "bin")] pub(super) &'a [u8],
);

/// A table as it is written.
#[derive(Serialize, Deserialize)]
struct Saved<'a>(u64, &'a str, #[serde(borrow)] Vec<Entry<'a>>);

fn bin<S: Serializer>(bytes: &&[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(bytes)
}

/// Writes a table, its entries in the order of the keys' bytes.
pub(super) fn write(name: &str, mut entries: Vec<(Vec<u8>, Vec<u8>)>) -> Vec<u8> {
    entries.sort_unstable();
    let entries = entries.iter().map(|(key, state)| Entry(key, state)).collect();
    rmp_serde::to_vec(&Saved(FORMAT, name, entries)).expect("numbers, text and bytes can be written")
}

/// Takes a table apart: its entries, in an order that was checked.
pub(super) fn read<'a>(name: &str, bytes: &'a [u8]) -> Result<Vec<Entry<'a>>, TableError> {
    let malformed = |reason: &str| TableError::malformed(name, TABLE, reason);
    msgpack::check_whole(bytes).map_err(|reason| malformed(&reason))?;
    let Saved(format, found, entries) =
        rmp_serde::from_slice(bytes).map_err(|error| malformed(&error.to_string()))?;
    if format != FORMAT {
        return Err(TableError::Format { name: name.to_owned(), found: format, known: FORMAT });
    }
    if found != name {
        return Err(TableError::Name { name: name.to_owned(), found: found.to_owned() });
    }
    match entries.windows(2).position(|pair| pair[0].0 >= pair[1].0) {
        Some(before) => Err(TableError::Order { name: name.to_owned(), entry: before + 1 }),
        None => Ok(entries),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_saved_table_is_golden() {
        let bytes = write("rules", vec![(vec![0xa1, b'b'], vec![2]), (vec![0xa1, b'a'], vec![1])]);
        let golden = b"\x93\x01\xa5rules\x92\x92\xc4\x02\xa1a\xc4\x01\x01\x92\xc4\x02\xa1b\xc4\x01\x02";
        assert_eq!(bytes, golden);
        let entries = read("rules", &bytes).unwrap();
        assert_eq!(entries.iter().map(|entry| entry.1).collect::<Vec<_>>(), [[1], [2]]);
    }

    #[test]
    fn a_table_of_another_format_name_or_order_is_refused() {
        let name = "rules".to_owned();
        let refused = |bytes: &[u8]| read("rules", bytes).unwrap_err();
        let format = TableError::Format { name: name.clone(), found: 2, known: 1 };
        assert_eq!(refused(b"\x93\x02\xa5rules\x90"), format);
        let other = TableError::Name { name: name.clone(), found: "roles".to_owned() };
        assert_eq!(refused(b"\x93\x01\xa5roles\x90"), other);
        let twice = b"\x93\x01\xa5rules\x92\x92\xc4\x01a\xc4\x01\x01\x92\xc4\x01a\xc4\x01\x01";
        assert_eq!(refused(twice), TableError::Order { name, entry: 1 });
    }
}
