//! Which parameters a pipeline has, for people.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::duration;
use super::values::fields_of;

/// A parameter, as lists of pipelines show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Its default value, as text that could be set; empty where there is none.
    pub default: String,
}

/// The parameters of a struct, in the order of its fields.
pub fn parameters_of<P: Serialize + DeserializeOwned + Default>() -> Vec<Parameter> {
    parameters_like(&P::default())
}

/// The parameters of a struct with these default values, in the order of its fields.
pub fn parameters_like<P: Serialize + DeserializeOwned>(defaults: &P) -> Vec<Parameter> {
    let defaults = match serde_json::to_value(defaults) {
        Ok(Value::Object(defaults)) => defaults,
        // Not a struct with named fields: nothing can be set, and reading it says so.
        Ok(_) | Err(_) => Map::new(),
    };
    fields_of::<P>()
        .iter()
        .filter_map(|&name| Some(Parameter { name: name.to_owned(), default: text_of(defaults.get(name)?) }))
        .collect()
}

/// A value as the text that would set it.
fn text_of(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(elements) => elements.iter().map(text_of).collect::<Vec<_>>().join(","),
        Value::Object(fields) => duration_of(fields).map_or_else(|| value.to_string(), duration::print),
    }
}

/// The duration that the standard library's type is written as.
fn duration_of(fields: &Map<String, Value>) -> Option<Duration> {
    let (secs, nanos) = (fields.get("secs")?.as_u64()?, fields.get("nanos")?.as_u64()?);
    (fields.len() == 2).then(|| Duration::new(secs, u32::try_from(nanos).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Serialize, Deserialize)]
    #[serde(default)]
    struct Delays {
        rate: Option<u32>,
        gap: Duration,
        airports: Vec<String>,
        bound: f64,
    }

    impl Default for Delays {
        fn default() -> Self {
            let airports = vec!["EWR".to_owned(), "JFK".to_owned()];
            Delays { rate: None, gap: Duration::from_secs(6 * 3600), airports, bound: 0.5 }
        }
    }

    #[test]
    fn parameters_are_listed_in_their_order_with_defaults_that_could_be_set() {
        let listed = parameters_of::<Delays>();
        let listed: Vec<_> = listed.iter().map(|one| (one.name.as_str(), one.default.as_str())).collect();
        assert_eq!(listed, [("rate", ""), ("gap", "6h"), ("airports", "EWR,JFK"), ("bound", "0.5")]);
    }
}
