//! Values that were set from outside, before their types are known.

use std::collections::BTreeMap;

use serde::de::value::StrDeserializer;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, forward_to_deserialize_any};

use super::error::ParameterError;
use super::listing::Parameter;
use super::nearest;
use super::text::Text;

/// Values by the names of their parameters, with where each was set.
///
/// ```
/// use std::time::Duration;
/// use watershed::parameters::Values;
///
/// #[derive(Default, serde::Serialize, serde::Deserialize)]
/// #[serde(default)]
/// struct Rotations {
///     gap: Duration,
///     airports: Vec<String>,
/// }
///
/// let mut values = Values::default();
/// values.set("gap", "6h", "--set");
/// values.set("airports", "EWR,JFK", "--set");
/// let rotations: Rotations = values.read().unwrap();
/// assert_eq!(rotations.gap, Duration::from_secs(6 * 3600));
/// assert_eq!(rotations.airports, ["EWR", "JFK"]);
///
/// values.set("gpa", "6h", "--set");
/// let error = values.read::<Rotations>().err().unwrap();
/// assert_eq!(error.to_string(), "--set: there is no \"gpa\", did you mean \"gap\"?");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Values(BTreeMap<String, Value>);

#[derive(Clone, Debug)]
struct Value {
    text: String,
    origin: String,
}

impl Values {
    /// Sets a value, instead of one that was set before. `origin` says where, for error messages.
    pub fn set(&mut self, name: impl Into<String>, text: impl Into<String>, origin: impl Into<String>) {
        self.0.insert(name.into(), Value { text: text.into(), origin: origin.into() });
    }

    /// Reads the values into a struct; what was not set is left to the struct's `#[serde(default)]`.
    ///
    /// # Errors
    ///
    /// Names an unknown parameter and the nearest known one, or the value that does not suit.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, ParameterError> {
        T::deserialize(Fields(self))
    }

    /// The values that are set, by name, as they were written.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.text.as_str()))
    }

    /// These values, and the default values of the parameters that are not set.
    pub(crate) fn or(&self, defaults: &[Parameter]) -> Values {
        let mut values = self.clone();
        for Parameter { name, default } in defaults {
            let value = || Value { text: default.clone(), origin: "the default value".to_owned() };
            values.0.entry(name.clone()).or_insert_with(value);
        }
        values
    }

    fn check_names(&self, known: &[&str]) -> Result<(), ParameterError> {
        let Some((name, value)) = self.0.iter().find(|(name, _)| !known.contains(&name.as_str())) else {
            return Ok(());
        };
        Err(ParameterError::Unknown {
            origin: value.origin.clone(),
            name: name.clone(),
            nearest: nearest(name, known.iter().copied()).map(str::to_owned),
            known: known.iter().map(|&name| name.to_owned()).collect(),
        })
    }
}

/// Presents the values as a struct's fields.
struct Fields<'a>(&'a Values);

impl<'de> Deserializer<'de> for Fields<'_> {
    type Error = ParameterError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ParameterError> {
        visitor.visit_map(Entries { left: self.0.0.iter(), value: None })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ParameterError> {
        self.0.check_names(fields)?;
        self.deserialize_any(visitor)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ParameterError> {
        self.0.check_names(&[])?;
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, ParameterError> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, ParameterError> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option seq tuple
        tuple_struct map enum identifier ignored_any
    }
}

/// Walks through the values.
struct Entries<'a> {
    left: std::collections::btree_map::Iter<'a, String, Value>,
    value: Option<(&'a String, &'a Value)>,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = ParameterError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, ParameterError> {
        self.value = self.left.next();
        let Some((name, _)) = self.value else { return Ok(None) };
        seed.deserialize(StrDeserializer::new(name)).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, ParameterError> {
        let (name, value) = self.value.expect("a value is asked for after its name");
        seed.deserialize(Text(&value.text)).map_err(|error| ParameterError::Value {
            origin: value.origin.clone(),
            name: name.clone(),
            value: value.text.clone(),
            reason: error.to_string(),
        })
    }
}

/// The names of the fields of a struct, as serde knows them; empty for what is no struct.
pub(super) fn fields_of<T: DeserializeOwned>() -> &'static [&'static str] {
    let mut fields: &'static [&'static str] = &[];
    // The probe answers with an error once it has heard the names.
    let _ = <T as Deserialize>::deserialize(Probe(&mut fields));
    fields
}

/// Hears the names of a struct's fields.
struct Probe<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = ParameterError;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, ParameterError> {
        Err(ParameterError::Other("parameters are a struct with named fields".to_owned()))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ParameterError> {
        *self.0 = fields;
        self.deserialize_any(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, ParameterError> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::Duration;

    use super::*;

    #[derive(Debug, PartialEq, Default, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Order {
        #[default]
        ByTime,
        ByName,
    }

    #[derive(Debug, PartialEq, Default, Deserialize)]
    #[serde(default)]
    struct Every {
        count: u64,
        ratio: f64,
        fast: bool,
        name: String,
        path: Option<PathBuf>,
        gap: Duration,
        rate: Option<u32>,
        order: Order,
        weights: Vec<i8>,
    }

    fn read(set: &[(&str, &str)]) -> Result<Every, ParameterError> {
        let mut values = Values::default();
        for (name, text) in set {
            values.set(*name, *text, "--set");
        }
        values.read()
    }

    #[test]
    fn text_becomes_what_the_field_is() {
        let set = [
            ("count", "1_000_000"),
            ("ratio", "0.25"),
            ("fast", "true"),
            ("name", "42"),
            ("path", "a/b.csv"),
            ("gap", "1h 30m"),
            ("rate", "7"),
            ("order", "by-name"),
            ("weights", "1, -2,3"),
        ];
        let expected = Every {
            count: 1_000_000,
            ratio: 0.25,
            fast: true,
            name: "42".to_owned(),
            path: Some(PathBuf::from("a/b.csv")),
            gap: Duration::from_secs(5400),
            rate: Some(7),
            order: Order::ByName,
            weights: vec![1, -2, 3],
        };
        assert_eq!(read(&set), Ok(expected));
    }

    #[test]
    fn what_is_not_set_keeps_its_default_and_empty_means_none() {
        assert_eq!(read(&[]), Ok(Every::default()));
        assert_eq!(read(&[("rate", ""), ("weights", "")]), Ok(Every::default()));
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_nearest_known_one() {
        let error = read(&[("wieghts", "1")]).unwrap_err().to_string();
        assert_eq!(error, "--set: there is no \"wieghts\", did you mean \"weights\"?");
        let error = read(&[("zzz", "1")]).unwrap_err().to_string();
        assert!(error.starts_with("--set: there is no \"zzz\", known are count, ratio, "), "{error}");
    }

    #[test]
    fn a_value_that_does_not_suit_is_named_with_its_place() {
        let error = |name, text| read(&[(name, text)]).unwrap_err().to_string();
        assert_eq!(
            error("count", "many"),
            "--set: count=\"many\": expected a whole number between 0 and 18446744073709551615"
        );
        assert_eq!(
            error("weights", "1,300"),
            "--set: weights=\"1,300\": expected a whole number between -128 and 127"
        );
        assert_eq!(error("fast", "yes"), "--set: fast=\"yes\": expected true or false");
        assert!(
            error("order", "by-size").contains("unknown variant `by-size`"),
            "{}",
            error("order", "by-size")
        );
        assert!(error("gap", "7").contains("write 250ms, 30s, 6h"), "{}", error("gap", "7"));
    }

    #[test]
    fn the_fields_of_a_struct_are_known_without_a_value() {
        assert_eq!(fields_of::<Every>()[..3], ["count", "ratio", "fast"]);
    }
}
