//! Words for people.

use std::fmt;

/// A number of bytes as people read it.
pub(super) struct Size(pub(super) u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = ["KiB", "MiB", "GiB", "TiB"];
        if self.0 < 1024 {
            return f.pad(&format!("{} B", self.0));
        }
        let mut number = self.0 as f64 / 1024.0;
        let mut unit = 0;
        while number >= 1024.0 && unit + 1 < units.len() {
            number /= 1024.0;
            unit += 1;
        }
        f.pad(&format!("{number:.1} {}", units[unit]))
    }
}

/// Text from a file, in which nothing can steer a terminal or break a line.
pub(super) struct Plain<'a>(pub(super) &'a str);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let printed: String = self
            .0
            .chars()
            .flat_map(|letter| {
                let quoted = matches!(letter, '"' | '\'' | '\\');
                let whole = quoted.then_some(letter);
                let escaped = (!quoted).then(|| letter.escape_debug());
                whole.into_iter().chain(escaped.into_iter().flatten())
            })
            .collect();
        f.pad(&printed)
    }
}

/// Milliseconds since 1970 as a time.
pub(super) struct Time(pub(super) i64);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(time) => f.pad(&format!("{time:.0}")),
            Err(_) => f.pad("at no time"),
        }
    }
}

/// "1 thing", "2 things".
pub(super) fn count(number: usize, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_are_for_people() {
        let sizes = [0, 1023, 1024, 1_572_864, u64::MAX].map(|bytes| Size(bytes).to_string());
        assert_eq!(sizes, ["0 B", "1023 B", "1.0 KiB", "1.5 MiB", "16777216.0 TiB"]);
        assert_eq!(Time(1_700_000_000_123).to_string(), "2023-11-14T22:13:20Z");
        assert_eq!(Time(i64::MAX).to_string(), "at no time");
    }

    #[test]
    fn nothing_from_a_file_steers_the_terminal() {
        let text = "it's\n\u{1b}[31mred\u{9b}0m\u{202e}";
        assert_eq!(Plain(text).to_string(), r"it's\n\u{1b}[31mred\u{9b}0m\u{202e}");
    }
}
