//! A job's output as lines: what a page shows of it, and what a search finds.

use std::ops::Not;

use serde::{Deserialize, Serialize};

/// How text is shown. Colours are numbers: 0 to 15 are the sixteen of a terminal, 16 to 79 a cube of four levels each of
/// red, green and blue, to which all others are rounded (`16 + 16 * red + 4 * green + blue`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct LogStyle {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(range(max = 79)))]
    pub fg: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(range(max = 79)))]
    pub bg: Option<u8>,
    #[serde(default, skip_serializing_if = "Not::not")]
    pub bold: bool,
    #[serde(default, skip_serializing_if = "Not::not")]
    pub dim: bool,
    #[serde(default, skip_serializing_if = "Not::not")]
    pub italic: bool,
    #[serde(default, skip_serializing_if = "Not::not")]
    pub underline: bool,
    #[serde(default, skip_serializing_if = "Not::not")]
    pub strike: bool,
    /// Text in the page's background, on the page's text colour.
    #[serde(default, skip_serializing_if = "Not::not")]
    pub inverse: bool,
}

impl LogStyle {
    #[must_use]
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }
}

/// Text of one style. It holds no control characters but tabs: others are shown as visible text or left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct LogRun {
    pub text: String,
    #[serde(default, skip_serializing_if = "LogStyle::is_plain")]
    pub style: LogStyle,
}

/// One line of a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct LogLine {
    /// Counts from 1, in the text that `GET /jobs/:id/log` sends.
    pub line: u64,
    /// Where the line begins, in bytes of the whole output.
    pub offset: u64,
    /// When its first byte came, to about 100 ms; absent where that was not noted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    pub runs: Vec<LogRun>,
    /// Bytes of a long line that are not shown.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cut_bytes: u64,
    /// The line stands for this many bytes of output that are not kept.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub elided_bytes: u64,
    /// When the connection had been lost and came back, in front of this line or within it; nothing was lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reattached_at: Option<String>,
}

/// `GET /jobs/:id/log/lines`. Fewer lines than asked for may come: as many as make up about 1 MiB of text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct LogLines {
    /// Whose output it is; that of another attempt begins anew.
    pub attempt: u32,
    /// Lines so far. While `complete` is false the last one may still grow.
    pub total: u64,
    /// The job has ended: nothing more comes.
    pub complete: bool,
    /// The line that stands for the middle of a large log. While such a log grows, lines behind it move up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elided_line: Option<u64>,
    pub lines: Vec<LogLine>,
}

/// SSE `data` of `GET /jobs/:id/log/growth`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct LogGrowth {
    pub attempt: u32,
    pub total: u64,
    /// Of the whole output, as far as it has come.
    pub bytes: u64,
    pub complete: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elided_line: Option<u64>,
    /// Bytes for which that line stands; when there are more, lines behind it have other numbers.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub elided_bytes: u64,
}

/// A line in which the words stand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct LogMatch {
    pub line: u64,
    pub offset: u64,
    /// The line's text around the first place where they stand.
    pub text: String,
}

/// `GET /jobs/:id/log/search`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct LogMatches {
    pub attempt: u32,
    pub total: u64,
    pub complete: bool,
    pub matches: Vec<LogMatch>,
    /// `from` of the request that goes on; absent: that was the end of what there is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}
