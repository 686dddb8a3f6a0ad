//! Compares values with the schemas of the document: as much of JSON Schema as stands in it.

use serde_json::{Map, Value};

/// What does not fit between a value and a schema.
pub(super) fn misfits(document: &Value, schema: &Value, value: &Value, place: &str) -> Vec<String> {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.strip_prefix("#/components/schemas/").expect("it refers to a schema");
        let schema = &document["components"]["schemas"][name];
        return match schema {
            Value::Null => vec![format!("{place}: there is no schema {name}")],
            schema => misfits(document, schema, value, place),
        };
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        several => several.as_array().into_iter().flatten().filter_map(Value::as_str).collect(),
    };
    if !types.iter().any(|one| is_of(value, one)) {
        return vec![format!("{place}: {value} is none of {types:?}")];
    }
    if schema["enum"].as_array().is_some_and(|all| !all.contains(value)) {
        return vec![format!("{place}: {value} is none of {}", schema["enum"])];
    }
    if schema["minimum"].as_i64().zip(value.as_i64()).is_some_and(|(least, value)| value < least) {
        return vec![format!("{place}: {value} is too small")];
    }
    match value {
        Value::Object(fields) => object(document, schema, fields, place),
        // Where nothing is said of the items, they may be anything.
        Value::Array(_) if schema["items"].is_null() => Vec::new(),
        Value::Array(items) => {
            let item =
                |(index, item)| misfits(document, &schema["items"], item, &format!("{place}[{index}]"));
            items.iter().enumerate().flat_map(item).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

fn object(document: &Value, schema: &Value, fields: &Map<String, Value>, place: &str) -> Vec<String> {
    let mut found = Vec::new();
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !fields.contains_key(name) {
            found.push(format!("{place}: {name} is missing"));
        }
    }
    for (name, value) in fields {
        let place = format!("{place}.{name}");
        match (&schema["properties"][name], &schema["additionalProperties"]) {
            (Value::Null, Value::Bool(false)) => found.push(format!("{place} is not in the schema")),
            (Value::Null, Value::Null) => {}
            (Value::Null, other) => found.extend(misfits(document, other, value, &place)),
            (known, _) => found.extend(misfits(document, known, value, &place)),
        }
    }
    found
}

fn is_of(value: &Value, name: &str) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("a schema names the type {other}"),
    }
}
