//! Which columns a record has.

use crate::sink::fields::{Field, Kind, fields};
use serde::de::DeserializeOwned;

/// A column of the sink's table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

/// The columns of a record: those that its author has named, or else its fields. An error where there are none, or
/// where the key is not among them.
pub(crate) fn columns<T: DeserializeOwned>(
    named: Option<&[String]>,
    key: &[String],
) -> Result<Vec<Column>, String> {
    let known = fields::<T>().unwrap_or_default();
    let columns: Vec<Column> = match named {
        None => known.iter().map(|field| Column { name: field.name.to_owned(), kind: field.kind }).collect(),
        Some(names) => {
            let kind = |name: &String| {
                let found = known.iter().find(|field| field.name == name);
                found.map_or(Kind::Other, |Field { kind, .. }| *kind)
            };
            names.iter().map(|name| Column { name: name.clone(), kind: kind(name) }).collect()
        }
    };
    if columns.is_empty() {
        return Err("the record's type does not name its columns: say .columns(..)".to_owned());
    }
    match key.iter().find(|key| columns.iter().all(|column| column.name != **key)) {
        Some(stray) => Err(format!("has no column {stray:?} that could be a key")),
        None => Ok(columns),
    }
}

/// A column that a table has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) name: String,
    /// Whether a row must bring a value for it.
    pub(crate) needed: bool,
}

/// Whether rows of these columns go into a table that is there; an error that names both where they do not.
/// `same` is how the database compares names.
pub(crate) fn fit(columns: &[Column], found: &[Found], same: fn(&str, &str) -> bool) -> Result<(), String> {
    let missing = columns.iter().any(|column| found.iter().all(|found| !same(&column.name, &found.name)));
    let empty =
        |found: &&Found| found.needed && columns.iter().all(|column| !same(&column.name, &found.name));
    if !missing && !found.iter().any(|found| empty(&found)) {
        return Ok(());
    }
    let list = |names: Vec<&str>| names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ");
    Err(format!(
        "is there with the columns {}, and the records have {}: choose another table, or say .columns(..)",
        list(found.iter().map(|found| found.name.as_str()).collect()),
        list(columns.iter().map(|column| column.name.as_str()).collect()),
    ))
}

/// A name as SQL writes it, whatever is in it.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(name: &str, needed: bool) -> Found {
        Found { name: name.to_owned(), needed }
    }

    #[test]
    fn rows_fit_where_each_value_has_a_column_and_each_needed_column_a_value() {
        let columns = columns::<(u8, u8)>(Some(&["a".to_owned(), "b".to_owned()]), &[]).unwrap();
        let same = |a: &str, b: &str| a == b;
        fit(&columns, &[found("b", true), found("a", false), found("id", false)], same).unwrap();
        let refused = fit(&columns, &[found("a", true), found("c", false)], same).unwrap_err();
        let expected = "is there with the columns \"a\", \"c\", and the records have \"a\", \"b\": choose another \
                        table, or say .columns(..)";
        assert_eq!(refused, expected);
        fit(&columns, &[found("a", true), found("b", true), found("c", true)], same).unwrap_err();
    }

    #[test]
    fn a_name_cannot_end_itself() {
        assert_eq!(quoted("a\"; DROP TABLE b; --"), "\"a\"\"; DROP TABLE b; --\"");
    }
}
