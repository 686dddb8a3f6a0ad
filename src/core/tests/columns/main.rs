//! Batches of any records come back as they were, and no bytes do harm.

mod broken;
mod zoo;

use proptest::prelude::*;
use watershed_core::Record;
use zoo::{decoded, encoded, records};

macro_rules! come_back {
    ($($test:ident: $kind:ty = $values:expr;)*) => {
        proptest! {
            $(
                #[test]
                fn $test(written in records($values)) {
                    let read: Vec<Record<$kind>> = decoded(&encoded(&written)).unwrap();
                    prop_assert_eq!(read, written);
                }
            )*
        }
    };
}

come_back! {
    any_numbers_come_back: zoo::Numbers = zoo::numbers();
    any_signed_numbers_come_back: zoo::Signed = zoo::signed();
    any_times_and_truths_come_back: zoo::Rest = zoo::rest();
    any_texts_come_back: zoo::Texts = zoo::texts();
    any_collections_come_back: zoo::Collections = zoo::collections();
    any_readings_come_back: zoo::Reading<zoo::Wrapper> = zoo::reading(zoo::wrapper());
    any_events_come_back: zoo::Event = zoo::event();
    any_sparse_records_come_back: zoo::Sparse = zoo::sparse();
    any_mixed_records_come_back: zoo::Mixed = zoo::mixed();
    any_trees_come_back: zoo::Tree = zoo::tree();
    nothing_comes_back_as_often_as_it_was_written: () = Just(());
}
