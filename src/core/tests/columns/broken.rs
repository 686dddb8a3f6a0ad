//! Bytes that are no batch, or another one.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::zoo::{self, decoded, encoded, records};

/// Something that happens to bytes on their way.
#[derive(Clone, Debug)]
enum Harm {
    Set(Index, u8),
    Flip(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, Index),
    /// Where a length may be.
    Lengthen(Index, u32),
}

fn harm() -> impl Strategy<Value = Harm> {
    prop_oneof![
        any::<(Index, u8)>().prop_map(|(at, byte)| Harm::Set(at, byte)),
        (any::<Index>(), 0..8_u8).prop_map(|(at, bit)| Harm::Flip(at, bit)),
        (any::<Index>(), vec(any::<u8>(), 1..9)).prop_map(|(at, bytes)| Harm::Insert(at, bytes)),
        any::<(Index, Index)>().prop_map(|(from, to)| Harm::Remove(from, to)),
        any::<(Index, u32)>().prop_map(|(at, length)| Harm::Lengthen(at, length)),
    ]
}

fn harmed(mut bytes: Vec<u8>, harms: &[Harm]) -> Vec<u8> {
    for harm in harms {
        let place = |at: &Index| at.index(bytes.len().max(1)).min(bytes.len());
        match harm {
            Harm::Set(at, byte) => {
                let at = place(at);
                bytes[at..].iter_mut().take(1).for_each(|found| *found = *byte);
            }
            Harm::Flip(at, bit) => {
                let at = place(at);
                bytes[at..].iter_mut().take(1).for_each(|found| *found ^= 1 << bit);
            }
            Harm::Insert(at, more) => {
                let at = place(at);
                bytes.splice(at..at, more.iter().copied());
            }
            Harm::Remove(from, to) => {
                let (from, to) = (place(from), place(to));
                bytes.drain(from.min(to)..from.max(to));
            }
            Harm::Lengthen(at, length) => {
                let at = place(at);
                let end = bytes.len().min(at + 4);
                bytes.splice(at..end, length.to_be_bytes());
            }
        }
    }
    bytes
}

/// Reads bytes as batches of everything; whatever is read is written as it was read.
fn read_as_all(bytes: &[u8]) {
    fn read<T: watershed_core::Data>(bytes: &[u8]) {
        if let Ok(records) = decoded::<T>(bytes) {
            let again = encoded(&records);
            assert!(decoded::<T>(&again).is_ok(), "what was read can be written, and be read again");
        }
    }
    read::<zoo::Numbers>(bytes);
    read::<zoo::Signed>(bytes);
    read::<zoo::Rest>(bytes);
    read::<zoo::Texts>(bytes);
    read::<zoo::Collections>(bytes);
    read::<zoo::Reading<zoo::Wrapper>>(bytes);
    read::<zoo::Event>(bytes);
    read::<zoo::Sparse>(bytes);
    read::<zoo::Mixed>(bytes);
    read::<zoo::Tree>(bytes);
    read::<()>(bytes);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn any_bytes_at_all_are_read_or_refused(bytes in vec(any::<u8>(), 0..200)) {
        read_as_all(&bytes);
    }

    #[test]
    fn any_columns_are_read_or_refused(
        count in 0..4_u32,
        columns in vec(vec(any::<u8>(), 0..40), 0..9),
    ) {
        let mut bytes = vec![0xdc, 0, 2 + columns.len() as u8, 0xce];
        bytes.extend(count.to_be_bytes());
        for column in std::iter::once(vec![0; count as usize * 8]).chain(columns) {
            bytes.extend([0xc6, 0, 0, 0, column.len() as u8]);
            bytes.extend(column);
        }
        read_as_all(&bytes);
    }

    #[test]
    fn texts_that_were_harmed_are_read_or_refused(
        written in records(zoo::texts()),
        harms in vec(harm(), 1..4),
    ) {
        read_as_all(&harmed(encoded(&written), &harms));
    }

    #[test]
    fn mixed_records_that_were_harmed_are_read_or_refused(
        written in records(zoo::mixed()),
        harms in vec(harm(), 1..4),
    ) {
        read_as_all(&harmed(encoded(&written), &harms));
    }

    #[test]
    fn trees_that_were_harmed_are_read_or_refused(
        written in records(zoo::tree()),
        harms in vec(harm(), 1..4),
    ) {
        read_as_all(&harmed(encoded(&written), &harms));
    }
}

proptest! {
    #[test]
    fn any_cut_is_refused(written in records(zoo::mixed()), at in any::<Index>()) {
        let bytes = encoded(&written);
        prop_assert!(decoded::<zoo::Mixed>(&bytes[..at.index(bytes.len())]).is_err());
    }

    #[test]
    fn anything_behind_the_end_is_refused(written in records(zoo::mixed()), more in vec(any::<u8>(), 1..20)) {
        let bytes = [encoded(&written), more].concat();
        prop_assert!(decoded::<zoo::Mixed>(&bytes).is_err());
    }
}
