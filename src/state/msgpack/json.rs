//! MessagePack as JSON, for people and for tools, with nothing lost.
//!
//! | MessagePack | JSON |
//! | --- | --- |
//! | nil, booleans, numbers, strings, arrays | the same |
//! | a map whose keys are strings, none twice and none beginning with `$` | an object |
//! | any other map | `{"$map": [[key, value], ..]}` |
//! | bytes | `{"$bytes": "00ff"}` |
//! | an extension | `{"$extension": [type, "00ff"]}` |
//! | a float that JSON has no word for | `{"$float": "NaN"}`, `"inf"`, `"-inf"` |

use std::fmt::Write;

use rmpv::Value;
use serde_json::{Map, Number, json};

use crate::msgpack::{DEPTH_MAX, walk};

/// The JSON of one whole value in MessagePack. Bytes and other things that JSON has no word for are objects whose
/// names begin with `$`.
///
/// # Errors
///
/// Where the bytes are no single value, or one that nests too deep.
pub fn to_json(bytes: &[u8]) -> Result<serde_json::Value, String> {
    walk::whole(bytes, DEPTH_MAX).map_err(|malformed| malformed.to_string())?;
    let value = rmpv::decode::read_value_with_max_depth(&mut &*bytes, 2 * DEPTH_MAX)
        .map_err(|error| error.to_string())?;
    Ok(json(value))
}

/// Recursive, over a value whose depth has been checked.
fn json(value: Value) -> serde_json::Value {
    match value {
        Value::Nil => serde_json::Value::Null,
        Value::Boolean(truth) => truth.into(),
        Value::Integer(number) => match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => number.into(),
            (None, number) => number.into(),
        },
        Value::F32(number) => float(f64::from(number)),
        Value::F64(number) => float(number),
        Value::String(text) => text.into_str().map_or(serde_json::Value::Null, Into::into),
        Value::Binary(bytes) => json!({ "$bytes": hex(&bytes) }),
        Value::Ext(kind, bytes) => json!({ "$extension": [kind, hex(&bytes)] }),
        Value::Array(items) => items.into_iter().map(json).collect::<Vec<_>>().into(),
        Value::Map(pairs) => map(pairs),
    }
}

fn float(number: f64) -> serde_json::Value {
    match Number::from_f64(number) {
        Some(number) => number.into(),
        None => json!({ "$float": number.to_string() }),
    }
}

fn map(pairs: Vec<(Value, Value)>) -> serde_json::Value {
    let plain = |key: &Value| key.as_str().is_some_and(|key| !key.starts_with('$'));
    let mut names: Vec<&str> = pairs.iter().filter_map(|(key, _)| key.as_str()).collect();
    names.sort_unstable();
    let distinct = names.windows(2).all(|pair| pair[0] != pair[1]);
    if distinct && pairs.iter().all(|(key, _)| plain(key)) {
        let fields =
            pairs.into_iter().filter_map(|(key, value)| Some((key.as_str()?.to_owned(), json(value))));
        return fields.collect::<Map<_, _>>().into();
    }
    let pairs: Vec<_> = pairs.into_iter().map(|(key, value)| json!([json(key), json(value)])).collect();
    json!({ "$map": pairs })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string succeeds");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_value_has_its_json() {
        let cases: [(&[u8], &str); 12] = [
            (&[0xc0], "null"),
            (&[0xc3], "true"),
            (&[0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], "18446744073709551615"),
            (&[0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0], "-9223372036854775808"),
            (&[0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0], r#"{"$float":"NaN"}"#),
            (&[0xa2, b'h', b'i'], r#""hi""#),
            (&[0xc4, 2, 0, 0xff], r#"{"$bytes":"00ff"}"#),
            (&[0xd4, 5, 0x0a], r#"{"$extension":[5,"0a"]}"#),
            (&[0x92, 1, 2], "[1,2]"),
            (&[0x81, 0xa1, b'a', 1], r#"{"a":1}"#),
            (&[0x81, 7, 1], r#"{"$map":[[7,1]]}"#),
            (&[0x82, 0xa1, b'a', 1, 0xa1, b'a', 2], r#"{"$map":[["a",1],["a",2]]}"#),
        ];
        for (bytes, expected) in cases {
            assert_eq!(to_json(bytes).unwrap().to_string(), expected);
        }
    }

    #[test]
    fn a_name_that_could_be_taken_for_ours_is_not() {
        assert_eq!(to_json(&[0x81, 0xa2, b'$', b'm', 1]).unwrap().to_string(), r#"{"$map":[["$m",1]]}"#);
    }

    #[test]
    fn a_million_levels_are_refused_and_not_descended() {
        let mut bytes = vec![0x91; 1_000_000];
        bytes.push(0x90);
        assert_eq!(to_json(&bytes), Err("MessagePack that nests deeper than is allowed".to_owned()));
    }
}
