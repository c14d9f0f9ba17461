//! Times as people and APIs write them (RFC 3339).

use jiff::Timestamp;

/// A time in Unix seconds as RFC 3339 writes it, in UTC: `2026-11-27T09:41:00Z`. A time after the year 9999 stays a number.
pub(super) fn date(seconds: u64) -> String {
    let time = i64::try_from(seconds).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    time.map_or_else(|| format!("{seconds} (Unix seconds)"), |time| time.to_string())
}

/// A time that RFC 3339 describes, in Unix seconds; `None` for any other text and for times before 1970.
pub(super) fn seconds_of(text: &str) -> Option<u64> {
    let time: Timestamp = text.parse().ok()?;
    u64::try_from(time.as_second()).ok()
}

#[cfg(test)]
mod tests {
    use super::{date, seconds_of};

    #[test]
    fn a_time_is_written_and_read() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (1_798_761_600, "2027-01-01T00:00:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(date(seconds), text);
            assert_eq!(seconds_of(text), Some(seconds));
        }
    }

    #[test]
    fn a_time_of_no_calendar_is_written_as_a_number() {
        for seconds in [300_000_000_000, u64::MAX] {
            assert_eq!(date(seconds), format!("{seconds} (Unix seconds)"));
        }
    }

    #[test]
    fn a_time_is_read_in_each_of_its_forms() {
        for text in ["2027-01-01T00:00:00.999999Z", "2027-01-01t02:30:00+02:30", "2026-12-31 23:00:00-01:00"] {
            assert_eq!(seconds_of(text), Some(1_798_761_600), "{text}");
        }
        for text in [
            "",
            "2027",
            "2027-01-01",
            "2027-01-01T00:00:00",
            "2027-13-01T00:00:00Z",
            "1700000000",
            "1969-12-31T23:59:59Z",
        ] {
            assert_eq!(seconds_of(text), None, "{text}");
        }
    }
}
