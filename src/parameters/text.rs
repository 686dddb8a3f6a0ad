//! One value as text, read as whatever type its field has.

use std::str::FromStr;

use serde::de::value::{MapDeserializer, SeqDeserializer, StrDeserializer};
use serde::de::{Deserializer, Error as _, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

use super::duration;
use super::error::ParameterError;

/// What separates the elements of a list.
const SEPARATOR: char = ',';

/// A value as text.
pub(super) struct Text<'a>(pub(super) &'a str);

impl Text<'_> {
    fn number<N: FromStr>(&self, expected: impl Fn() -> String) -> Result<N, ParameterError> {
        let digits: String = self.0.trim().chars().filter(|&c| c != '_').collect();
        digits.parse().map_err(|_| ParameterError::custom(expected()))
    }
}

macro_rules! integers {
    ($($method:ident $visit:ident $kind:ty;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ParameterError> {
            let between =
                || format!("expected a whole number between {} and {}", <$kind>::MIN, <$kind>::MAX);
            visitor.$visit(self.number::<$kind>(between)?)
        }
    )*};
}

impl<'de> Deserializer<'de> for Text<'_> {
    type Error = ParameterError;

    /// Text is text where the field does not say what it is.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ParameterError> {
        visitor.visit_str(self.0)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ParameterError> {
        match self.0.trim() {
            "true" => visitor.visit_bool(true),
            "false" => visitor.visit_bool(false),
            _ => Err(ParameterError::custom("expected true or false")),
        }
    }

    integers! {
        deserialize_i8 visit_i8 i8;
        deserialize_i16 visit_i16 i16;
        deserialize_i32 visit_i32 i32;
        deserialize_i64 visit_i64 i64;
        deserialize_i128 visit_i128 i128;
        deserialize_u8 visit_u8 u8;
        deserialize_u16 visit_u16 u16;
        deserialize_u32 visit_u32 u32;
        deserialize_u64 visit_u64 u64;
        deserialize_u128 visit_u128 u128;
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ParameterError> {
        visitor.visit_f32(self.number(|| "expected a number".to_owned())?)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ParameterError> {
        visitor.visit_f64(self.number(|| "expected a number".to_owned())?)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ParameterError> {
        if self.0.is_empty() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, ParameterError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ParameterError> {
        let elements = self.0.split(SEPARATOR).map(str::trim).filter(|element| !element.is_empty());
        visitor.visit_seq(SeqDeserializer::new(elements.map(Element)))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, ParameterError> {
        self.deserialize_seq(visitor)
    }

    /// The one struct that is written as text is the standard library's duration.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ParameterError> {
        if name != "Duration" {
            return self.deserialize_any(visitor);
        }
        let duration = duration::parse(self.0).map_err(ParameterError::custom)?;
        let fields = [("secs", duration.as_secs()), ("nanos", u64::from(duration.subsec_nanos()))];
        visitor.visit_map(MapDeserializer::new(fields.into_iter()))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ParameterError> {
        visitor.visit_enum(StrDeserializer::new(self.0.trim()))
    }

    forward_to_deserialize_any! {
        char str string bytes byte_buf unit unit_struct tuple_struct map identifier ignored_any
    }
}

/// An element of a list.
struct Element<'a>(&'a str);

impl<'de, 'a> IntoDeserializer<'de, ParameterError> for Element<'a> {
    type Deserializer = Text<'a>;

    fn into_deserializer(self) -> Text<'a> {
        Text(self.0)
    }
}
