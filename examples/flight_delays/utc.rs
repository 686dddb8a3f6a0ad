//! Event times as people read and write them.

use std::fmt;

use jiff::Timestamp;
use serde::de::{Deserializer, Error, Visitor};
use serde::ser::{Error as _, Serializer};
use watershed::core::Shape;
use watershed::prelude::*;

/// The first time that is believed, 1970-01-01T00:00:00Z, in milliseconds after the Unix epoch.
const BELIEVED_FROM_MS: i64 = 0;
/// The first time that is not believed any more, 2100-01-01T00:00:00Z.
const BELIEVED_UNTIL_MS: i64 = 4_102_444_800_000;

/// An event time that is text in files for people, `2013-01-01T10:00:00Z` (RFC 3339, in UTC), and a number
/// elsewhere.
///
/// Text that tells a time before 1970 or after 2099 is refused: a slip of the pen must not become a flight that
/// makes all others late.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Utc(pub(super) EventTime);

impl Data for Utc {
    // By name alone: the module has another path in the stock binary than in a program of its own.
    fn shape() -> Shape {
        Shape::named("Utc")
    }
}

impl Serialize for Utc {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            return self.0.serialize(serializer);
        }
        let timestamp = Timestamp::from_millisecond(self.0.as_millis()).map_err(S::Error::custom)?;
        serializer.collect_str(&timestamp)
    }
}

impl<'de> Deserialize<'de> for Utc {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            deserializer.deserialize_str(Text)
        } else {
            EventTime::deserialize(deserializer).map(Utc)
        }
    }
}

/// Reads a time as text.
struct Text;

impl Visitor<'_> for Text {
    type Value = Utc;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time like 2013-01-01T10:00:00Z")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Utc, E> {
        let wrong = |why: &dyn fmt::Display| E::custom(format!("{text:?} is no believable time: {why}"));
        let timestamp: Timestamp = text.parse().map_err(|error| wrong(&error))?;
        let millis = timestamp.as_millisecond();
        if !(BELIEVED_FROM_MS..BELIEVED_UNTIL_MS).contains(&millis) {
            return Err(wrong(&"it lies before 1970 or after 2099"));
        }
        Ok(Utc(EventTime::from_millis(millis)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<i64, String> {
        let read = serde_json::from_value(serde_json::Value::from(text));
        read.map(|Utc(time)| time.as_millis()).map_err(|error| error.to_string())
    }

    #[test]
    fn times_are_read_as_they_are_written() {
        assert_eq!(read("1970-01-01T00:00:00Z"), Ok(0));
        assert_eq!(read("2013-01-01T10:00:00Z"), Ok(1_357_034_400_000));
        let written = serde_json::to_string(&Utc(EventTime::from_millis(1_357_034_400_000)));
        assert_eq!(written.unwrap(), "\"2013-01-01T10:00:00Z\"");
    }

    #[test]
    fn a_time_that_nobody_can_mean_is_refused() {
        for text in ["1969-12-31T23:59:59Z", "2100-01-01T00:00:00Z", "9999-12-30T00:00:00Z", "10:00", ""] {
            let refused = read(text).unwrap_err();
            assert!(refused.contains("is no believable time"), "{refused}");
        }
    }

    #[test]
    fn elsewhere_a_time_is_a_number() {
        let bytes = rmp_serde::to_vec(&Utc(EventTime::MAX)).unwrap();
        assert_eq!(rmp_serde::from_slice::<Utc>(&bytes).unwrap(), Utc(EventTime::MAX));
    }
}
