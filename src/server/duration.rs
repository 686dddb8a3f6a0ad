//! How long somebody is willing to wait, as it is written in a request: `500ms`, `2s`, `1m`.

use std::time::Duration;

/// The duration that a text names.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let millis = match unit {
        "ms" => Some(1),
        "s" => Some(1000),
        "m" => Some(60_000),
        _ => None,
    };
    let millis = millis.zip(number.parse::<u64>().ok()).and_then(|(unit, number)| number.checked_mul(unit));
    let wrong = || format!("{text:?} is no duration: write 500ms, 2s or 1m");
    millis.map(Duration::from_millis).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_a_number_and_a_unit() {
        assert_eq!(parse("0s"), Ok(Duration::ZERO));
        assert_eq!(parse("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse("2s"), Ok(Duration::from_secs(2)));
        assert_eq!(parse("1m"), Ok(Duration::from_secs(60)));
        for text in ["", "2", "s", "-1s", "1.5s", "2 s", "18446744073709551615s", "2h"] {
            assert_eq!(parse(text), Err(format!("{text:?} is no duration: write 500ms, 2s or 1m")));
        }
    }
}
