//! Times as text: RFC 3339 for our keys, Chef's two forms for Chef's keys; and lengths of time as people type them.

use std::time::{Duration, UNIX_EPOCH};

/// `2026-11-21T11:40:00.123Z` for unix milliseconds; times before 1970 read as 1970.
#[must_use]
pub fn rfc3339(unix_ms: i64) -> String {
    humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(u64::try_from(unix_ms).unwrap_or(0)))
        .to_string()
}

/// Unix milliseconds of what `rfc3339` has written; `None` for any other text.
#[must_use]
pub fn unix_ms(text: &str) -> Option<i64> {
    let since = humantime::parse_rfc3339(text).ok()?.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_millis()).ok()
}

/// `2026-11-21 11:40:00`, UTC: Chef's `submittedAt`.
#[must_use]
pub fn chef_time(unix_ms: i64) -> String {
    rfc3339(unix_ms).chars().take(19).map(|c| if c == 'T' { ' ' } else { c }).collect()
}

/// `HH:MM:SS`, or `Nd HH:MM:SS` from one day on: Chef's `timeInState`. Negative durations read as zero.
#[must_use]
pub fn chef_duration(ms: i64) -> String {
    let seconds = ms.max(0) / 1000;
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let clock = format!("{:02}:{:02}:{:02}", rest / 3600, rest / 60 % 60, rest % 60);
    if days == 0 { clock } else { format!("{days}d {clock}") }
}

/// A text that is no length of time.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum BadLength {
    #[error(transparent)]
    Unreadable(#[from] humantime::DurationError),
    #[error("it is zero")]
    Zero,
    #[error("it is longer than a century")]
    TooLong,
}

/// Seconds of `90s`, `10m` or `1h 30m`; a part of a second counts as a whole one.
///
/// # Errors
/// `BadLength`
pub fn length_s(text: &str) -> Result<u32, BadLength> {
    let length = humantime::parse_duration(text)?;
    match u32::try_from(length.as_secs().saturating_add(u64::from(length.subsec_nanos() > 0))) {
        Ok(0) => Err(BadLength::Zero),
        Ok(seconds) => Ok(seconds),
        Err(_) => Err(BadLength::TooLong),
    }
}

/// As `length_s` reads it: `10m`, `1h 30m`.
#[must_use]
pub fn length(seconds: u32) -> String {
    humantime::format_duration(Duration::from_secs(seconds.into())).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_chef_and_rfc_3339_write_them() {
        assert_eq!(rfc3339(1_700_000_000_123), "2023-11-14T22:13:20.123Z");
        assert_eq!(unix_ms("2023-11-14T22:13:20.123Z"), Some(1_700_000_000_123));
        assert_eq!(unix_ms("yesterday"), None);
        assert_eq!(chef_time(1_700_000_000_123), "2023-11-14 22:13:20");
        assert_eq!(chef_duration(59_999), "00:00:59");
        assert_eq!(chef_duration(2 * 86_400_000 + 3_661_000), "2d 01:01:01");
        assert_eq!(chef_duration(-5), "00:00:00");
    }

    #[test]
    fn lengths_of_time_are_whole_seconds_from_one_on() {
        for (text, seconds) in
            [("10m", 600), ("90s", 90), ("1h 30m", 5400), ("1500ms", 2), ("1ms", 1), ("30days", 2_592_000)]
        {
            assert_eq!(length_s(text), Ok(seconds), "{text}");
            assert_eq!(length_s(&length(seconds)), Ok(seconds), "{text}");
        }
        for bad in ["", "10", "0s", "-1s", "10 bananas", "200years"] {
            assert!(length_s(bad).is_err(), "{bad}");
        }
    }
}
