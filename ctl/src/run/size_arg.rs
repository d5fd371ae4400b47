//! `--output-cap`: a number of bytes as people write it.

use shuntyard_domain::output::OUTPUT_CAP_BYTES;

use crate::failure::Usage;
use crate::terminal::plain;

/// The units and their bytes; capitals make no difference.
const UNITS: [(&str, u64); 9] = [
    ("B", 1),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

/// Reads `512MiB`: a whole number and its unit, within what may be kept of a job's output.
///
/// # Errors
/// `Usage::BadSize` says what is wrong with it.
pub fn parse(text: &str) -> Result<u64, Usage> {
    let bad = |why: &str| Usage::BadSize { found: plain(text), why: why.into() };
    Some(bytes(text)?)
        .filter(|bytes: &u64| OUTPUT_CAP_BYTES.contains(bytes))
        .ok_or_else(|| bad("it is not within 64KiB and 1TiB"))
}

/// Reads a whole number and its unit.
///
/// # Errors
/// As `parse`.
pub fn bytes(text: &str) -> Result<u64, Usage> {
    let bad = |why: &str| Usage::BadSize { found: plain(text), why: why.into() };
    let digits = text.trim().trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == ' ');
    let unit = text.trim()[digits.len()..].trim();
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(bad("it does not begin with a whole number"));
    }
    if unit.is_empty() {
        return Err(bad("it has no unit"));
    }
    let Some((_, factor)) = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)) else {
        return Err(bad(&format!("`{}` is no unit", plain(unit))));
    };
    // More than can be counted is more than anything takes.
    Ok(digits.parse::<u64>().ok().and_then(|number| number.checked_mul(*factor)).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_whole_numbers_with_a_unit() {
        for (text, bytes) in [
            ("512MiB", 512 << 20),
            ("2 GiB", 2 << 30),
            ("100MB", 100_000_000),
            ("64kib", 1 << 16),
            ("65536B", 1 << 16),
            ("1TiB", 1 << 40),
        ] {
            assert_eq!(parse(text).unwrap(), bytes, "{text}");
        }
        for (bad, why) in [
            ("", "whole number"),
            ("MiB", "whole number"),
            ("-1MiB", "whole number"),
            ("1.5GiB", "whole number"),
            ("1e3MiB", "whole number"),
            ("100", "no unit"),
            ("100 bananas", "`bananas` is no unit"),
            ("100 Mi", "`Mi` is no unit"),
            ("63KiB", "not within"),
            ("0MiB", "not within"),
            ("2TiB", "not within"),
            ("99999999999999999999GiB", "not within"),
            ("18446744073709551615TiB", "not within"),
        ] {
            let said = parse(bad).unwrap_err().to_string();
            assert!(said.contains(why) && said.contains("512MiB"), "{bad}: {said}");
        }
    }
}
