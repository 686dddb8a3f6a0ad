//! JSON as MessagePack, for what people and programs write: the way back from [`to_json`](super::to_json).
//!
//! | JSON | MessagePack |
//! | --- | --- |
//! | null, booleans, texts, arrays | the same |
//! | a number without fraction and exponent, up to 64 bits | an integer, exactly |
//! | any other number | a float of 64 bits |
//! | an object | a map, in the order in which it is written |
//! | `{"$map": [[key, value], ..]}` | a map with any keys |
//! | `{"$bytes": "00ff"}` | bytes |
//! | `{"$integer": "9007199254740993"}` | an integer, for whoever writes JSON with floats of 64 bits alone |
//! | `{"$float": "1"}`, `"inf"`, `"-inf"`, `"NaN"` | a float of 64 bits |
//! | `{"$extension": [type, "00ff"]}` | an extension |
//!
//! Whatever would come in as something else than was written is refused: an integer of more than 64 bits, a name that
//! stands twice in an object, another name that begins with `$`.

use std::fmt;

use rmpv::Value;
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{self, Serialize, Serializer};

use super::to_json;

/// One value in MessagePack that was written as JSON.
#[derive(Clone, Debug, PartialEq)]
pub struct Packed(Value);

impl Packed {
    /// Its bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        rmpv::encode::write_value(&mut bytes, &self.0).expect("a vector takes all bytes");
        bytes
    }

    /// Whether a float in it is NaN: that equals nothing, not even itself, so it finds no key and resolves nothing.
    pub fn has_nan(&self) -> bool {
        let mut open = vec![&self.0];
        while let Some(value) = open.pop() {
            match value {
                Value::F32(number) if number.is_nan() => return true,
                Value::F64(number) if number.is_nan() => return true,
                Value::Array(items) => open.extend(items),
                Value::Map(pairs) => open.extend(pairs.iter().flat_map(|(key, value)| [key, value])),
                Value::Nil
                | Value::Boolean(_)
                | Value::Integer(_)
                | Value::F32(_)
                | Value::F64(_)
                | Value::String(_)
                | Value::Binary(_)
                | Value::Ext(..) => {}
            }
        }
        false
    }
}

/// The MessagePack of one JSON text.
///
/// # Errors
///
/// Where the text is no JSON, nests deeper than 127 levels, or cannot be taken exactly.
pub fn from_json(text: &str) -> Result<Packed, String> {
    match inexact_number(text) {
        Some(number) => Err(format!("{number} has more than 64 bits")),
        None => serde_json::from_str(text).map_err(|error| error.to_string()),
    }
}

/// The first integer of a JSON text that has no place in 64 bits: a parser would make a float of it, and say nothing.
pub fn inexact_number(text: &str) -> Option<&str> {
    let (mut quoted, mut escaped, mut start) = (false, false, None);
    let ends = text.bytes().enumerate().chain([(text.len(), b' ')]);
    for (at, byte) in ends {
        let is_of_number = matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
        match (start, is_of_number && !quoted) {
            (None, true) => start = Some(at),
            (Some(from), false) => {
                let number = &text[from..at];
                let digits = number.strip_prefix('-').unwrap_or(number);
                let is_whole = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
                if is_whole && integer(number).is_none() {
                    return Some(number);
                }
                start = None;
            }
            (None, false) | (Some(_), true) => {}
        }
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ => {}
        }
    }
    None
}

fn integer(text: &str) -> Option<Value> {
    let signed = || text.parse::<i64>().ok().map(Value::from);
    text.parse::<u64>().ok().map(Value::from).or_else(signed)
}

impl<'de> Deserialize<'de> for Packed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Anything)
    }
}

impl Serialize for Packed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        to_json(&self.bytes()).map_err(ser::Error::custom)?.serialize(serializer)
    }
}

/// Takes whatever comes, from the inside out.
struct Anything;

impl<'de> Visitor<'de> for Anything {
    type Value = Packed;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Packed, E> {
        Ok(Packed(Value::Nil))
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Packed, E> {
        Ok(Packed(truth.into()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Packed, E> {
        Ok(Packed(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Packed, E> {
        Ok(Packed(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Packed, E> {
        Ok(Packed(number.into()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Packed, E> {
        Ok(Packed(text.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Packed, A::Error> {
        let mut items = Vec::new();
        while let Some(Packed(item)) = array.next_element()? {
            items.push(item);
        }
        Ok(Packed(items.into()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Packed, A::Error> {
        let mut pairs: Vec<(String, Value)> = Vec::new();
        while let Some((name, Packed(value))) = object.next_entry()? {
            pairs.push((name, value));
        }
        whole(pairs).map(Packed).map_err(de::Error::custom)
    }
}

/// What an object stands for.
fn whole(mut pairs: Vec<(String, Value)>) -> Result<Value, String> {
    if pairs.iter().any(|(name, _)| name.starts_with('$')) {
        return match (pairs.pop(), pairs.pop()) {
            (Some((word, value)), None) => special(&word, value),
            (one, other) => {
                let names = [other, one].into_iter().flatten().map(|(name, _)| name);
                let names: Vec<String> = pairs.into_iter().map(|(name, _)| name).chain(names).collect();
                Err(format!("the names {names:?} cannot stand together: write {{\"$map\": [[\"$..\", ..]]}}"))
            }
        };
    }
    let mut names: Vec<&str> = pairs.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(format!("the name {:?} stands twice in an object", twice[0]));
    }
    Ok(Value::Map(pairs.into_iter().map(|(name, value)| (name.into(), value)).collect()))
}

/// What JSON has no word for.
fn special(word: &str, value: Value) -> Result<Value, String> {
    let text = value.as_str();
    match word {
        "$bytes" => match text.and_then(bytes) {
            Some(bytes) => Ok(Value::Binary(bytes)),
            None => Err("$bytes has to be a text of two hexadecimal digits for each byte".to_owned()),
        },
        "$integer" => text
            .and_then(integer)
            .ok_or_else(|| "$integer has to be a text of digits, of an integer up to 64 bits".to_owned()),
        "$float" => match text.and_then(|text| text.parse::<f64>().ok()) {
            Some(number) => Ok(number.into()),
            None => Err("$float has to be a text: a number, inf, -inf or NaN".to_owned()),
        },
        "$map" => {
            let pair = |pair: Value| match pair {
                Value::Array(pair) => <[Value; 2]>::try_from(pair).ok().map(Into::into),
                _ => None,
            };
            let pairs = match value {
                Value::Array(pairs) => pairs.into_iter().map(pair).collect::<Option<Vec<_>>>(),
                _ => None,
            };
            let pairs = pairs.ok_or_else(|| "$map has to be an array of pairs, [key, value]".to_owned())?;
            Ok(Value::Map(pairs))
        }
        "$extension" => {
            let parts = value.as_array().map(Vec::as_slice);
            let found = match parts {
                Some([kind, data]) => {
                    kind.as_i64().and_then(|kind| i8::try_from(kind).ok()).zip(data.as_str().and_then(bytes))
                }
                Some(_) | None => None,
            };
            let (kind, bytes) =
                found.ok_or_else(|| "$extension has to be [type, \"hexadecimal digits\"]".to_owned())?;
            Ok(Value::Ext(kind, bytes))
        }
        _ => Err(format!(
            "there is no {word:?}: write {{\"$map\": [[{word:?}, ..]]}} for a map with that name"
        )),
    }
}

/// The bytes of hexadecimal digits.
fn bytes(digits: &str) -> Option<Vec<u8>> {
    let digit = |digit: u8| char::from(digit).to_digit(16);
    let byte = |pair: &[u8]| match pair {
        [high, low] => u8::try_from(digit(*high)? << 4 | digit(*low)?).ok(),
        _ => None,
    };
    digits.as_bytes().chunks(2).map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a text means, as bytes.
    fn packed(text: &str) -> Vec<u8> {
        from_json(text).unwrap_or_else(|error| panic!("{text}: {error}")).bytes()
    }

    fn refused(text: &str) -> String {
        from_json(text).expect_err(text)
    }

    #[test]
    fn each_kind_of_json_has_its_bytes() {
        let cases: [(&str, &[u8]); 15] = [
            ("null", &[0xc0]),
            ("true", &[0xc3]),
            ("7", &[7]),
            ("-1", &[0xff]),
            ("18446744073709551615", &[0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
            ("-9223372036854775808", &[0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0]),
            ("9007199254740993", &[0xcf, 0, 0x20, 0, 0, 0, 0, 0, 1]),
            (r#"{"$integer":"9007199254740993"}"#, &[0xcf, 0, 0x20, 0, 0, 0, 0, 0, 1]),
            ("1.0", &[0xcb, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0]),
            (r#"{"$float":"1"}"#, &[0xcb, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0]),
            (r#""hi""#, &[0xa2, b'h', b'i']),
            (r#"{"$bytes":"00Ff"}"#, &[0xc4, 2, 0, 0xff]),
            (r#"{"$extension":[-1,"0a"]}"#, &[0xd4, 0xff, 0x0a]),
            (r#"{"b":1,"a":[2]}"#, &[0x82, 0xa1, b'b', 1, 0xa1, b'a', 0x91, 2]),
            (r#"{"$map":[[7,1],["$m",{}]]}"#, &[0x82, 7, 1, 0xa2, b'$', b'm', 0x80]),
        ];
        for (text, expected) in cases {
            assert_eq!(packed(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_shown_as_json_comes_back_as_the_same_bytes() {
        let values: [&[u8]; 9] = [
            &[0xc4, 2, 0, 0xff],
            &[0xd4, 5, 0x0a],
            &[0x81, 7, 1],
            &[0x82, 0xa1, b'a', 1, 0xa1, b'a', 2],
            &[0x81, 0xa2, b'$', b'm', 1],
            &[0xcb, 0x7f, 0xf0, 0, 0, 0, 0, 0, 0],
            &[0xcb, 0xff, 0xf0, 0, 0, 0, 0, 0, 0],
            &[0xcb, 0x43, 0x40, 0, 0, 0, 0, 0, 0],
            &[0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        ];
        for value in values {
            let shown = to_json(value).unwrap().to_string();
            assert_eq!(packed(&shown), value, "{shown}");
        }
        let nan = from_json(r#"[{"$float":"NaN"}]"#).unwrap();
        assert!(nan.has_nan() && !from_json(r#"["NaN", 1.5]"#).unwrap().has_nan());
        assert_eq!(to_json(&nan.bytes()).unwrap().to_string(), r#"[{"$float":"NaN"}]"#);
    }

    #[test]
    fn an_integer_that_would_be_rounded_is_refused() {
        assert_eq!(refused("18446744073709551616"), "18446744073709551616 has more than 64 bits");
        assert_eq!(refused("[1,-9223372036854775809]"), "-9223372036854775809 has more than 64 bits");
        assert!(from_json(r#"["18446744073709551616", 1e30, "\"18446744073709551616"]"#).is_ok());
        assert!(refused(r#"{"$integer":"18446744073709551616"}"#).starts_with("$integer has to be"));
        assert!(refused("1e400").contains("number out of range"));
    }

    #[test]
    fn what_could_be_understood_in_two_ways_is_refused() {
        assert!(refused(r#"{"a":1,"a":2}"#).starts_with("the name \"a\" stands twice in an object"));
        assert!(refused(r#"{"$bytes":"00","a":1}"#).contains("cannot stand together"));
        assert!(refused(r#"{"$other":1}"#).starts_with("there is no \"$other\""));
        for text in [
            r#"{"$bytes":"0"}"#,
            r#"{"$bytes":"0g"}"#,
            r#"{"$bytes":7}"#,
            r#"{"$float":1}"#,
            r#"{"$map":[[1]]}"#,
            r#"{"$map":{"a":1}}"#,
            r#"{"$extension":[200,"00"]}"#,
            "{} {}",
            "",
            "\u{0}",
        ] {
            refused(text);
        }
    }

    #[test]
    fn a_million_levels_are_refused_and_not_descended() {
        assert!(refused(&"[".repeat(1_000_000)).contains("recursion limit exceeded"));
    }
}
