//! Times: UTC for who has no scripts, in the reader's zone and ticking for all others.

use maud::{Markup, html};
use shuntyard_domain::wire::time_text::rfc3339;

use crate::store::Span;

/// The time itself; `time` is RFC 3339 in UTC.
pub(in crate::http::ui) fn at(time: &str) -> Markup {
    written(time, "at")
}

/// How long ago it was.
pub(in crate::http::ui) fn ago(time: &str) -> Markup {
    written(time, "ago")
}

/// What has passed since, as a clock that goes on.
pub(in crate::http::ui) fn elapsed(since: &str) -> Markup {
    written(since, "elapsed")
}

fn written(time: &str, how: &str) -> Markup {
    let text: String = time.chars().take(19).map(|c| if c == 'T' { ' ' } else { c }).collect();
    html! { time datetime=(time) data-as=(how) { (text) " UTC" } }
}

/// From when to when something was.
pub(in crate::http::ui) struct Lasting<'a> {
    pub from: Option<&'a str>,
    pub to: Option<&'a str>,
}

/// How long it took, or has taken until now; nothing when it has not begun.
pub(in crate::http::ui) fn lasting(Lasting { from, to }: Lasting<'_>) -> Markup {
    match (from, to) {
        (Some(from), None) => elapsed(from),
        (Some(from), Some(to)) => html! { (clock(millis(to) - millis(from))) },
        (None, _) => html! {},
    }
}

/// As `lasting`, of times in Unix milliseconds.
pub(in crate::http::ui) fn spanning(Span { begun_ms, ended_ms }: Span) -> Markup {
    match ended_ms {
        Some(ended_ms) => html! { (clock(ended_ms - begun_ms)) },
        None => elapsed(&rfc3339(begun_ms)),
    }
}

/// Unix milliseconds of a time of ours; 0 for any other text.
pub(in crate::http::ui) fn millis(time: &str) -> i64 {
    shuntyard_domain::wire::time_text::unix_ms(time).unwrap_or(0)
}

/// `0:07`, `1:02:03`, `2d 01:02`: as the page's own clocks write it.
pub(in crate::http::ui) fn clock(ms: i64) -> String {
    let s = ms.max(0) / 1000;
    let (d, h, m) = (s / 86_400, s / 3600 % 24, s / 60 % 60);
    match (d, h) {
        (0, 0) => format!("{m}:{:02}", s % 60),
        (0, _) => format!("{h}:{m:02}:{:02}", s % 60),
        _ => format!("{d}d {h:02}:{m:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_read_as_a_clock() {
        for (ms, text) in [(-5, "0:00"), (7_999, "0:07"), (3_723_000, "1:02:03"), (176_520_000, "2d 01:02")] {
            assert_eq!(clock(ms), text);
        }
    }
}
