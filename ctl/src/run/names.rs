//! Short names for the jobs of one run, to stand in front of their lines.

use std::collections::BTreeSet;

use shuntyard_domain::filter::Filter;
use shuntyard_domain::wire::api::JobBody;

use crate::terminal::{paint, plain};

const NAME_MAX_CHARS: usize = 32;
/// Cyan, magenta, green, yellow, blue, then their bright forms; red is left to errors.
const COLOURS: [&str; 10] = ["36", "35", "32", "33", "34", "96", "95", "92", "93", "94"];

/// What a row is called after.
#[derive(Clone, Copy, Debug)]
pub struct Called<'a> {
    /// Its phase, or what stands for it.
    pub word: &'a str,
    pub filter: &'a Filter,
    /// Counts from 0.
    pub row: usize,
}

/// Returns a name for each job: phase and filter values, or phase and row number where that is not unique.
#[must_use]
pub fn names(jobs: &[JobBody]) -> Vec<String> {
    let called = |job: &JobBody| job.phase.map_or("job", |phase| phase.as_str());
    let rows = jobs.iter().map(|job| Called { word: called(job), filter: &job.filter, row: job.row as usize });
    names_of(&rows.collect::<Vec<_>>())
}

/// As `names`, of any rows.
#[must_use]
pub fn names_of(rows: &[Called<'_>]) -> Vec<String> {
    let by_filter: Vec<String> = rows.iter().map(by_filter).collect();
    let distinct = by_filter.iter().collect::<BTreeSet<_>>().len() == rows.len();
    if distinct && by_filter.iter().all(|name| name.chars().count() <= NAME_MAX_CHARS) {
        return by_filter;
    }
    rows.iter().map(|row| format!("{}#{}", row.word, row.row + 1)).collect()
}

fn by_filter(row: &Called<'_>) -> String {
    let values: Vec<String> = row.filter.clauses().map(|(_, values)| values.join("|")).collect();
    if values.is_empty() { row.word.to_owned() } else { plain(&format!("{}[{}]", row.word, values.join(" "))) }
}

/// Returns the prefixes of the lines, padded to one width, each in its own colour.
#[must_use]
pub fn prefixes(names: &[String], colour: bool) -> Vec<String> {
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    names.iter().enumerate().map(|(index, name)| prefix(name, index, width, colour)).collect()
}

/// One prefix; `index` chooses its colour.
#[must_use]
pub fn prefix(name: &str, index: usize, width: usize, colour: bool) -> String {
    format!("{} ", paint(colour, COLOURS[index % COLOURS.len()], &format!("{name:width$} |")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::result::tests::job;

    fn row(row: u32, platforms: &[&str]) -> JobBody {
        let mut job = job(None, None);
        job.row = row;
        job.filter.platform = platforms.iter().map(|p| (*p).to_owned()).collect();
        job
    }

    #[test]
    fn rows_are_named_by_what_tells_them_apart() {
        assert_eq!(
            names(&[row(0, &["ubuntu"]), row(1, &["debian", "centos"])]),
            ["unit[ubuntu]", "unit[debian|centos]"]
        );
        assert_eq!(names(&[row(0, &["ubuntu"]), row(1, &["ubuntu"])]), ["unit#1", "unit#2"]);
        assert_eq!(names(&[row(0, &[])]), ["unit"]);
        assert_eq!(names(&[row(0, &["a-very-long-name-of-a-platform-that-nobody-reads"])]), ["unit#1"]);
    }

    #[test]
    fn prefixes_have_one_width() {
        assert_eq!(prefixes(&["a".into(), "bcd".into()], false), ["a   | ", "bcd | "]);
        assert_eq!(prefixes(&["a".into()], true), ["\x1b[36ma |\x1b[0m "]);
    }
}
