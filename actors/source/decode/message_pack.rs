//! MessagePack messages from strangers: every limit is checked before memory is spent.

use std::marker::PhantomData;

use watershed_core::Data;

use super::{Decode, Refusal};

/// How deep a message may nest: far more than records do, far less than a stack holds.
pub const MESSAGE_DEPTH_MAX: usize = 64;

/// A message is one `T` in MessagePack, and nothing behind it.
#[derive(Clone, Copy, Debug)]
pub struct MessagePack<T>(PhantomData<fn() -> T>);

impl<T> Default for MessagePack<T> {
    fn default() -> Self {
        MessagePack(PhantomData)
    }
}

impl<T: Data> Decode for MessagePack<T> {
    type Out = T;

    fn decode(&mut self, mut bytes: &[u8], emit: &mut impl FnMut(T)) -> Result<(), Refusal> {
        let mut reader = rmp_serde::Deserializer::new(&mut bytes);
        reader.set_max_depth(MESSAGE_DEPTH_MAX);
        let value = T::deserialize(&mut reader).map_err(Refusal::because)?;
        if !bytes.is_empty() {
            return Err(Refusal::because(format!("{} bytes behind the end of the message", bytes.len())));
        }
        emit(value);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::decoded;
    use super::*;

    #[derive(Clone, serde::Serialize, serde::Deserialize)]
    struct Nested(Vec<Nested>);

    impl Data for Nested {}

    #[test]
    fn a_message_is_a_value() {
        let bytes = rmp_serde::to_vec(&(7_u32, "x".to_owned())).unwrap();
        let mut decoder = MessagePack::<(u32, String)>::default();
        assert_eq!(decoded(&mut decoder, &bytes), Ok(vec![(7, "x".to_owned())]));
    }

    #[test]
    fn bytes_behind_the_message_are_refused() {
        let reason = decoded(&mut MessagePack::<u32>::default(), &[7, 8, 9]).unwrap_err();
        assert_eq!(reason, "2 bytes behind the end of the message");
    }

    #[test]
    fn a_field_that_comes_twice_is_refused() {
        #[derive(Clone, serde::Serialize, serde::Deserialize)]
        struct Reading {
            value: u32,
        }
        impl Data for Reading {}
        let field = rmp_serde::to_vec(&"value").unwrap();
        let reason = |bytes: &[u8]| decoded(&mut MessagePack::<Reading>::default(), bytes).map(drop);
        assert_eq!(reason(&[&[0x81][..], &field, &[1]].concat()), Ok(()));
        let twice = [&[0x82][..], &field, &[1], &field, &[2]].concat();
        assert_eq!(reason(&twice).unwrap_err(), "duplicate field `value`");
    }

    #[test]
    fn a_message_that_nests_too_deep_is_refused() {
        let nested =
            |depth| decoded(&mut MessagePack::<Nested>::default(), &[vec![0x91; depth], vec![0x90]].concat());
        assert!(nested(10).is_ok());
        assert!(nested(100_000).is_err_and(|reason| reason.contains("depth limit")));
    }

    #[test]
    fn a_length_that_lies_is_refused_without_the_memory_for_it() {
        // An array and a string of 2^32 - 1 elements and bytes, of which none follows.
        assert!(decoded(&mut MessagePack::<Vec<u64>>::default(), &[0xdd, 255, 255, 255, 255]).is_err());
        assert!(decoded(&mut MessagePack::<String>::default(), &[0xdb, 255, 255, 255, 255]).is_err());
    }
}
