//! Durations as people write them: `250ms`, `6h`, `1h 30m`, `2d` (a day is 24 hours).

use std::time::Duration;

use jiff::{SignedDuration, Span, SpanRelativeTo};

/// The duration that a text names.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no duration: write 250ms, 30s, 6h or 1h 30m");
    let span: Span = text.trim().parse().map_err(|_| wrong())?;
    let signed = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| wrong())?;
    Duration::try_from(signed).map_err(|_| format!("{text:?} is a negative duration"))
}

/// A duration as text that [`parse`] reads.
pub(super) fn print(duration: Duration) -> String {
    SignedDuration::try_from(duration)
        .map_or_else(|_| format!("{duration:?}"), |signed| format!("{signed:#}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_in_the_units_of_people() {
        assert_eq!(parse("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(parse("6h"), Ok(Duration::from_secs(6 * 3600)));
        assert_eq!(parse("1h 30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(parse("2d"), Ok(Duration::from_secs(48 * 3600)));
        assert_eq!(parse("0s"), Ok(Duration::ZERO));
    }

    #[test]
    fn what_is_no_duration_is_refused_with_an_example() {
        assert_eq!(parse("soon"), Err("\"soon\" is no duration: write 250ms, 30s, 6h or 1h 30m".to_owned()));
        assert_eq!(parse("-5s"), Err("\"-5s\" is a negative duration".to_owned()));
        assert!(parse("7").is_err(), "a number without a unit could mean anything");
    }

    #[test]
    fn what_is_printed_is_read_again() {
        for millis in [0, 1, 250, 1000, 90_061_000] {
            let duration = Duration::from_millis(millis);
            assert_eq!(parse(&print(duration)), Ok(duration), "{}", print(duration));
        }
        assert_eq!(print(Duration::from_secs(6 * 3600)), "6h");
        assert_eq!(print(Duration::from_secs(24 * 3600)), "24h");
    }
}
