//! Tables for people: columns as wide as what stands in them.

use std::fmt;

/// A table with a heading.
pub(super) struct Table<const N: usize> {
    rows: Vec<[String; N]>,
    /// Whether a column is ranged to the right, as numbers are.
    right: [bool; N],
}

impl<const N: usize> Table<N> {
    pub(super) fn new(heading: [&str; N]) -> Self {
        Table { rows: vec![heading.map(str::to_uppercase)], right: [false; N] }
    }

    /// Ranges columns to the right.
    pub(super) fn right(&mut self, columns: &[usize]) {
        for column in columns {
            self.right[*column] = true;
        }
    }

    pub(super) fn row(&mut self, cells: [String; N]) {
        self.rows.push(cells);
    }
}

impl<const N: usize> fmt::Display for Table<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wide = |column: usize| self.rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: [usize; N] = std::array::from_fn(wide);
        for row in &self.rows {
            let cells = row.iter().zip(widths).zip(self.right).map(|((cell, width), right)| {
                if right { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
            });
            let line = cells.collect::<Vec<_>>().join("  ");
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_what_stands_in_them() {
        let mut table = Table::new(["job", "records", "why"]);
        table.right(&[1]);
        table.row(["flights".to_owned(), "7".to_owned(), String::new()]);
        table.row(["a".to_owned(), "12,345,678".to_owned(), "no room".to_owned()]);
        let expected = "JOB         RECORDS  WHY\nflights           7\na        12,345,678  no room\n";
        assert_eq!(table.to_string(), expected);
    }
}
