//! Which known name somebody may have meant.

/// How alike two names must be, from 0 to 1, before one is offered for the other.
const ALIKE_MIN: f64 = 0.75;

/// The known name that is most like a mistaken one, if one is like it at all.
pub(crate) fn nearest<'a>(mistaken: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let mistaken = mistaken.to_lowercase();
    known
        .into_iter()
        .map(|name| (strsim::jaro_winkler(&mistaken, &name.to_lowercase()), name))
        .filter(|(alike, _)| *alike >= ALIKE_MIN)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, name)| name)
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
    }

    #[test]
    fn a_name_like_no_other_finds_none() {
        assert_eq!(nearest("xyz", ["flight-delays", "word-count", "hello"]), None);
    }
}
