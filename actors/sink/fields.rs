//! The names of a record's fields, known before there is a record.
//!
//! A file without records still needs its header, and a table its columns. `serde`'s derive tells every
//! deserializer the names of the fields that it expects; [`fields`] listens to that and reads nothing.

use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, Visitor};

/// One field of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
}

/// What a field holds, as far as its type says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Truth,
    Integer,
    Real,
    Text,
    Bytes,
    /// Anything else.
    Other,
}

/// The fields of a struct, in the order of declaration; `None` for types that are no struct, or that
/// flatten another into themselves.
pub(crate) fn fields<T: DeserializeOwned>() -> Option<Vec<Field>> {
    let mut names = None;
    let _ = T::deserialize(Names(&mut names));
    let field = |name| {
        let mut kind = Kind::Other;
        let _ = T::deserialize(Probe { name, kind: &mut kind });
        Field { name, kind }
    };
    Some(names?.iter().copied().map(field).collect())
}

/// Ends a reading of nothing as soon as it has been heard out.
#[derive(Debug)]
struct Heard;

impl fmt::Display for Heard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing is read")
    }
}

impl std::error::Error for Heard {}

impl serde::de::Error for Heard {
    fn custom<M: fmt::Display>(_: M) -> Self {
        Heard
    }
}

/// Hears the names of a struct's fields.
struct Names<'a>(&'a mut Option<&'static [&'static str]>);

impl<'de> Deserializer<'de> for Names<'_> {
    type Error = Heard;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Heard> {
        Err(Heard)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Heard> {
        *self.0 = Some(fields);
        Err(Heard)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Heard> {
        visitor.visit_newtype_struct(self)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// Offers a struct with one field, and hears what is asked of it.
struct Probe<'a> {
    name: &'static str,
    kind: &'a mut Kind,
}

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = Heard;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Heard> {
        Err(Heard)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Heard> {
        visitor.visit_map(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Heard> {
        visitor.visit_newtype_struct(self)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

impl<'de> MapAccess<'de> for Probe<'_> {
    type Error = Heard;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Heard> {
        seed.deserialize(StrDeserializer::new(self.name)).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Heard> {
        seed.deserialize(Asked(self.kind))
    }
}

/// Hears what type is asked for.
struct Asked<'a>(&'a mut Kind);

macro_rules! asked {
    ($($method:ident)* => $kind:ident) => {$(
        fn $method<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Heard> {
            *self.0 = Kind::$kind;
            Err(Heard)
        }
    )*};
}

impl<'de> Deserializer<'de> for Asked<'_> {
    type Error = Heard;

    asked!(deserialize_bool => Truth);
    asked!(deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_u8
        deserialize_u16 deserialize_u32 deserialize_u64 => Integer);
    asked!(deserialize_f32 deserialize_f64 => Real);
    asked!(deserialize_char deserialize_str deserialize_string => Text);
    asked!(deserialize_bytes deserialize_byte_buf => Bytes);
    asked!(deserialize_any => Other);

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Heard> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Heard> {
        visitor.visit_newtype_struct(self)
    }

    serde::forward_to_deserialize_any! {
        i128 u128 unit unit_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use watershed_core::EventTime;

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only its description is read")]
    struct Reading {
        #[serde(rename = "id")]
        sensor: u8,
        at: EventTime,
        value: Option<f64>,
        unit: String,
        history: Vec<f64>,
    }

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only its description is read")]
    struct Row(Reading);

    #[test]
    fn fields_are_named_as_serde_names_them() {
        let found: Vec<_> =
            fields::<Row>().unwrap().into_iter().map(|field| (field.name, field.kind)).collect();
        let expected = [
            ("id", Kind::Integer),
            ("at", Kind::Integer),
            ("value", Kind::Real),
            ("unit", Kind::Text),
            ("history", Kind::Other),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn what_is_no_struct_has_no_fields() {
        assert_eq!(fields::<(u8, String)>(), None);
        assert_eq!(fields::<u64>(), None);
    }
}
