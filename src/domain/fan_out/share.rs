//! A number of runners, or a part of all of them.

use std::fmt;
use std::str::FromStr;

use serde::de::{Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// `5`, or `10%`: a number or a text in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    Count(u32),
    /// 0 to 100.
    Percent(u32),
}

/// The text is neither a whole number nor a whole percentage.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither a number (5) nor a part of all (10%)")]
pub struct BadShare(pub String);

impl Share {
    /// So many of `all`, rounded up.
    #[must_use]
    pub fn rounded_up(self, all: u32) -> u32 {
        match self {
            Self::Count(count) => count,
            Self::Percent(percent) => part(all, percent, 99),
        }
    }

    /// So many of `all`, rounded down.
    #[must_use]
    pub fn rounded_down(self, all: u32) -> u32 {
        match self {
            Self::Count(count) => count,
            Self::Percent(percent) => part(all, percent, 0),
        }
    }

    /// It is none of however many.
    #[must_use]
    pub const fn is_nothing(self) -> bool {
        matches!(self, Self::Count(0) | Self::Percent(0))
    }
}

fn part(all: u32, percent: u32, round: u64) -> u32 {
    u32::try_from((u64::from(all) * u64::from(percent) + round) / 100).unwrap_or(u32::MAX)
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

impl FromStr for Share {
    type Err = BadShare;
    fn from_str(text: &str) -> Result<Self, BadShare> {
        let bad = || BadShare(text.chars().take(80).collect());
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let (number, is_percent) = text.strip_suffix('%').map_or((text, false), |number| (number, true));
        let number = Some(number).filter(|number| digits(number)).and_then(|number| number.parse().ok());
        match (number.ok_or_else(bad)?, is_percent) {
            (percent @ 0..=100, true) => Ok(Self::Percent(percent)),
            (_, true) => Err(bad()),
            (count, false) => Ok(Self::Count(count)),
        }
    }
}

impl Serialize for Share {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Count(count) => to.serialize_u32(*count),
            Self::Percent(_) => to.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(given: D) -> Result<Self, D::Error> {
        given.deserialize_any(NumberOrText)
    }
}

struct NumberOrText;

impl Visitor<'_> for NumberOrText {
    type Value = Share;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number (5) or a part of all (\"10%\")")
    }

    fn visit_u64<E: serde::de::Error>(self, count: u64) -> Result<Share, E> {
        u32::try_from(count).map(Share::Count).map_err(|_| E::invalid_value(Unexpected::Unsigned(count), &self))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Share, E> {
        text.parse().map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_number_or_a_percentage_and_reads_back_as_it_was_written() {
        for (text, share, json) in
            [("5", Share::Count(5), "5"), ("0", Share::Count(0), "0"), ("10%", Share::Percent(10), "\"10%\"")]
        {
            assert_eq!(text.parse(), Ok(share));
            assert_eq!(share.to_string(), text);
            assert_eq!(serde_json::to_string(&share).unwrap(), json);
            assert_eq!(serde_json::from_str::<Share>(json).unwrap(), share);
        }
        for bad in ["", "%", "-1", "+1", "1.5", "101%", "10 %", "x", "99999999999"] {
            assert_eq!(bad.parse::<Share>(), Err(BadShare(bad.into())));
        }
        for bad in ["-1", "1.5", "null", "\"101%\"", "5000000000"] {
            assert!(serde_json::from_str::<Share>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_part_of_all_is_rounded_where_it_is_asked_to_be() {
        for (share, all, up, down) in [
            (Share::Percent(10), 25, 3, 2),
            (Share::Percent(10), 5, 1, 0),
            (Share::Percent(100), 7, 7, 7),
            (Share::Percent(50), u32::MAX, 2_147_483_648, 2_147_483_647),
            (Share::Count(9), 5, 9, 9),
        ] {
            assert_eq!((share.rounded_up(all), share.rounded_down(all)), (up, down), "{share} of {all}");
        }
    }
}
