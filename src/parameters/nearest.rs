//! Which known name somebody may have meant.

/// How alike two names must be, from 0 to 1, before one is offered for the other.
const ALIKE_MIN: f64 = 0.75;

/// The known name that is most like a mistaken one, if one is like it at all.
pub(crate) fn nearest<'a>(mistaken: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let mistaken = mistaken.to_lowercase();
    known
        .into_iter()
        .map(|name| (likeness(&mistaken, &name.to_lowercase()), name))
        .filter(|(alike, _)| *alike >= ALIKE_MIN)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, name)| name)
}

/// How alike two names are, from 0 to 1. One slip is forgiven to short names too, which a ratio would not do.
fn likeness(one: &str, other: &str) -> f64 {
    let alike = strsim::jaro_winkler(one, other);
    let slip = one.len() > 1 && other.len() > 1 && strsim::osa_distance(one, other) == 1;
    if slip { alike.max(ALIKE_MIN) } else { alike }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_keyboard_finds_its_name() {
        let known = ["flight-delays", "word-count", "hello"];
        assert_eq!(nearest("fligth-delays", known), Some("flight-delays"));
        assert_eq!(nearest("Hello", known), Some("hello"));
        assert_eq!(nearest("wordcount", known), Some("word-count"));
        assert_eq!(nearest("gpa", ["bound", "gap", "input"]), Some("gap"));
    }

    #[test]
    fn a_name_like_no_other_finds_none() {
        assert_eq!(nearest("xyz", ["flight-delays", "word-count", "hello"]), None);
    }
}
