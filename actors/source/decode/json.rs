//! JSON lines.

use std::marker::PhantomData;

use watershed_core::Data;

use super::{Decode, Refusal};

/// A line is a `T` in JSON; blank lines are nothing.
#[derive(Clone, Copy, Debug)]
pub struct Json<T>(PhantomData<fn() -> T>);

impl<T> Default for Json<T> {
    fn default() -> Self {
        Json(PhantomData)
    }
}

impl<T: Data> Decode for Json<T> {
    type Out = T;

    #[inline]
    fn decode(&mut self, bytes: &[u8], emit: &mut impl FnMut(T)) -> Result<(), Refusal> {
        if bytes.trim_ascii().is_empty() {
            return Ok(());
        }
        emit(serde_json::from_slice(bytes).map_err(|error| Refusal::because(reason(&error)))?);
        Ok(())
    }
}

/// What `serde_json` says, without the line number: it saw a single line.
fn reason(error: &serde_json::Error) -> String {
    let (text, place) = (error.to_string(), format!(" at line {} column {}", error.line(), error.column()));
    match text.strip_suffix(&place) {
        Some(what) => format!("{what}, in column {}", error.column()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::super::decoded;
    use super::*;

    #[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
    struct Nested(Vec<Nested>);

    impl Data for Nested {}

    #[test]
    fn lines_of_json_are_values_and_blank_lines_are_nothing() {
        let mut pairs = Json::<(u32, String)>::default();
        assert_eq!(decoded(&mut pairs, br#" [1, "a"] "#), Ok(vec![(1, "a".to_owned())]));
        assert_eq!(decoded(&mut pairs, b"  "), Ok(vec![]));
    }

    #[test]
    fn a_field_that_comes_twice_is_refused() {
        #[derive(Clone, serde::Serialize, serde::Deserialize)]
        struct Reading {
            value: u32,
        }
        impl Data for Reading {}
        let twice = decoded(&mut Json::<Reading>::default(), br#"{"value":1,"value":2}"#).map(drop);
        assert_eq!(twice.unwrap_err(), "duplicate field `value`, in column 18");
    }

    #[test]
    fn a_refusal_names_the_column_and_no_line() {
        let reason = decoded(&mut Json::<u32>::default(), b"12 x").unwrap_err();
        assert_eq!(reason, "trailing characters, in column 4");
    }

    #[test]
    fn deep_nesting_is_refused_and_does_not_exhaust_the_stack() {
        let deep = "[".repeat(100_000);
        let reason = decoded(&mut Json::<Nested>::default(), deep.as_bytes()).unwrap_err();
        assert!(reason.contains("recursion limit"), "{reason}");
    }
}
