//! What may travel between subtasks, the shape it has, and how many of it are laid out together.

mod generic;
mod known;

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::columns::{self, ColumnError, ColumnReader, ColumnWriter};

/// A value that records, state and messages may be made of.
///
/// Derive it beside serde's traits: `#[derive(Clone, Serialize, Deserialize, Data)]`. Values are moved
/// between subtasks of one process without encoding; elsewhere they travel and rest as MessagePack.
pub trait Data: Clone + Send + Serialize + DeserializeOwned + 'static {
    /// Describes the type for the plan's fingerprint: its name, fields and their shapes.
    ///
    /// The default, for hand-written implementations, is the type's Rust name alone.
    fn shape() -> Shape {
        Shape::named(std::any::type_name::<Self>())
    }

    /// Whether the type's MessagePack is the same to serde whether fields are told by their place or by their name.
    /// Nobody knows of an implementation by hand, so its rows have names.
    #[doc(hidden)]
    fn is_plain() -> bool {
        false
    }

    /// Lays out values for a batch, `count` of them: as rows, where the type knows nothing better.
    #[doc(hidden)]
    fn write_columns<'a>(
        count: usize,
        values: impl Iterator<Item = &'a Self> + Clone,
        columns: &mut ColumnWriter<'_>,
    ) {
        columns::rows::write(count, values, columns);
    }

    /// Reads as many values as were laid out. All of them are checked before the first comes out.
    #[doc(hidden)]
    fn read_columns(
        count: usize,
        columns: &ColumnReader<'_>,
    ) -> Result<impl Iterator<Item = Self>, ColumnError> {
        columns::rows::read(count, columns).map(Vec::into_iter)
    }

    /// The hash that says its key group, where that is not the hash of the whole value: what is kept under a key and
    /// something more belongs to the group of the key. For state inside this crate; records are routed by their own.
    #[doc(hidden)]
    #[inline(always)]
    fn group_hash(&self) -> Option<u64> {
        None
    }
}

/// The description of a [`Data`] type, as text: equal shapes are taken for equal types.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Shape(String);

impl Shape {
    /// A type that is known by its name alone.
    pub fn named(name: &str) -> Shape {
        Shape(name.to_owned())
    }

    /// A struct or variant with named fields, in the order of declaration.
    pub fn record<const N: usize>(name: &str, fields: [(&str, Shape); N]) -> Shape {
        let fields: Vec<String> = fields.iter().map(|(field, shape)| format!("{field}: {shape}")).collect();
        Shape(format!("{name} {{ {} }}", fields.join(", ")))
    }

    /// An enum with its variants, in the order of declaration.
    pub fn choice<const N: usize>(name: &str, variants: [(&str, Shape); N]) -> Shape {
        let variants: Vec<String> = variants.iter().map(|(_, shape)| shape.to_string()).collect();
        Shape(format!("{name} = {}", variants.join(" | ")))
    }

    /// A type made of others: `Option<u64>`.
    pub fn generic(name: &str, inner: &[Shape]) -> Shape {
        let inner: Vec<&str> = inner.iter().map(|shape| shape.0.as_str()).collect();
        Shape(format!("{name}<{}>", inner.join(", ")))
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Data;

    #[derive(Clone, Serialize, Deserialize, Data)]
    struct Reading {
        sensor: u32,
        values: Vec<Option<f64>>,
    }

    #[derive(Clone, Serialize, Deserialize, Data)]
    enum Event {
        Read(Reading),
        Lost { sensor: u32 },
    }

    #[test]
    fn derived_shapes_name_every_field_and_variant() {
        assert_eq!(Reading::shape().to_string(), "Reading { sensor: u32, values: Vec<Option<f64>> }");
        assert_eq!(
            Event::shape().to_string(),
            "Event = Read { 0: Reading { sensor: u32, values: Vec<Option<f64>> } } | Lost { sensor: u32 }"
        );
        assert_eq!(<(u8, String)>::shape().to_string(), "<u8, String>");
    }
}
