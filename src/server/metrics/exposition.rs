//! The text format in which Prometheus reads numbers.

use std::fmt::{Display, Write};

/// What a number means.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// It only grows, or begins anew.
    Counter,
    /// It comes and goes.
    Gauge,
}

/// A text of numbers.
#[derive(Debug, Default)]
pub(super) struct Exposition {
    text: String,
    /// The family that is being written.
    family: &'static str,
}

impl Exposition {
    /// Begins a family: all samples up to the next one are of it.
    pub(super) fn family(&mut self, name: &'static str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        self.family = name;
        writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}")
            .expect("writing to a string succeeds");
    }

    /// Writes one number.
    pub(super) fn sample(&mut self, labels: &[(&str, &str)], value: impl Display) {
        self.text.push_str(self.family);
        for (index, (name, label)) in labels.iter().enumerate() {
            self.text.push_str(if index == 0 { "{" } else { "," });
            self.text.push_str(name);
            self.text.push_str("=\"");
            for c in label.chars() {
                match c {
                    '\\' => self.text.push_str("\\\\"),
                    '"' => self.text.push_str("\\\""),
                    '\n' => self.text.push_str("\\n"),
                    c => self.text.push(c),
                }
            }
            self.text.push('"');
        }
        let end = if labels.is_empty() { "" } else { "}" };
        writeln!(self.text, "{end} {value}").expect("writing to a string succeeds");
    }

    /// All of it.
    pub(super) fn text(self) -> String {
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_cannot_leave_their_quotes() {
        let mut out = Exposition::default();
        out.family("a", Kind::Gauge, "It is.");
        out.sample(&[("job", "x\"} 1\n\\")], 7);
        out.sample(&[], 0.5);
        assert_eq!(out.text(), "# HELP a It is.\n# TYPE a gauge\na{job=\"x\\\"} 1\\n\\\\\"} 7\na 0.5\n");
    }
}
