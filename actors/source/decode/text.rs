//! Lines as text, and as whatever a function makes of text.

use std::fmt::Display;
use std::marker::PhantomData;

use watershed_core::Data;

use super::{Decode, Refusal};

/// A line is a `String`. It must be UTF-8.
#[derive(Clone, Copy, Debug, Default)]
pub struct Text;

impl Decode for Text {
    type Out = String;

    #[inline]
    fn decode(&mut self, bytes: &[u8], emit: &mut impl FnMut(String)) -> Result<(), Refusal> {
        emit(utf8(bytes)?.to_owned());
        Ok(())
    }
}

/// A line is what a function makes of it; what the function refuses is set aside.
#[derive(Debug)]
pub struct Parse<F, T, E> {
    function: F,
    of: PhantomData<fn() -> (T, E)>,
}

impl<F: Clone, T, E> Clone for Parse<F, T, E> {
    fn clone(&self) -> Self {
        Parse { function: self.function.clone(), of: PhantomData }
    }
}

impl<F: Fn(&str) -> Result<T, E>, T, E> Parse<F, T, E> {
    /// A decoder by this function.
    pub fn by(function: F) -> Self {
        Parse { function, of: PhantomData }
    }
}

impl<F, T, E> Decode for Parse<F, T, E>
where
    F: Fn(&str) -> Result<T, E> + Clone + Send + 'static,
    T: Data,
    E: Display + 'static,
{
    type Out = T;

    #[inline]
    fn decode(&mut self, bytes: &[u8], emit: &mut impl FnMut(T)) -> Result<(), Refusal> {
        emit((self.function)(utf8(bytes)?).map_err(Refusal::because)?);
        Ok(())
    }
}

#[inline]
pub(super) fn utf8(bytes: &[u8]) -> Result<&str, Refusal> {
    str::from_utf8(bytes).map_err(|error| Refusal::because(format!("not UTF-8: {error}")))
}

#[cfg(test)]
mod tests {
    use super::super::decoded;
    use super::*;

    #[test]
    fn text_that_is_not_utf8_is_refused() {
        assert_eq!(decoded(&mut Text, "grüße".as_bytes()), Ok(vec!["grüße".to_owned()]));
        assert!(decoded(&mut Text, b"ab\xff").unwrap_err().contains("not UTF-8"));
    }

    #[test]
    fn what_the_function_refuses_is_refused_with_its_reason() {
        let mut numbers = Parse::by(str::parse::<u32>);
        assert_eq!(decoded(&mut numbers, b"17"), Ok(vec![17]));
        assert!(decoded(&mut numbers, b"x").unwrap_err().contains("invalid digit"));
    }
}
