//! Clauses as people write them: `KEY=VALUE,VALUE`.

use super::{Filter, FilterKey, check_value};
use crate::closed::UnknownWord;

/// A clause that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct BadClause {
    pub found: String,
    pub why: String,
}

/// Reads clauses, one a text; a key given twice collects the values of both.
///
/// # Errors
/// `BadClause` for an unknown key, no value, an empty value, or a value that no runner can have.
pub fn filter_of<'a>(clauses: impl IntoIterator<Item = &'a str>) -> Result<Filter, BadClause> {
    let mut filter = Filter::default();
    for clause in clauses {
        let bad = |why: String| BadClause { found: clause.to_owned(), why };
        // Labels may hold a `=` themselves: only the first one separates.
        let (key, values) =
            clause.split_once('=').ok_or_else(|| bad("write it as KEY=VALUE or KEY=VALUE,VALUE".into()))?;
        let key: FilterKey = key.parse().map_err(|e: UnknownWord| bad(e.to_string()))?;
        for (n, value) in values.split(',').enumerate() {
            // A label may read like a key, but only where nobody can have meant the key.
            let may_be_a_label = n == 0 && key == FilterKey::Labels;
            if let Some(other) = key_in(value).filter(|_| !may_be_a_label) {
                return Err(bad(format!("`{other}=` begins another clause, which is written by itself")));
            }
            check_value(key, value).map_err(|e| bad(e.to_string()))?;
            let list = filter.values_mut(key);
            if !list.iter().any(|known| known == value) {
                list.push(value.to_owned());
            }
        }
    }
    Ok(filter)
}

/// The key of a filter that `value` begins with, as in `arch=x86_64`.
fn key_in(value: &str) -> Option<FilterKey> {
    value.split_once('=')?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(clauses: &[&str]) -> Result<String, String> {
        filter_of(clauses.iter().copied()).map(|filter| filter.to_string()).map_err(|e| e.to_string())
    }

    #[test]
    fn filters_read_as_keys_and_lists() {
        for (args, expected) in [
            (&[][..], "{}"),
            (&["platform=ubuntu"], r#"{"platform":["ubuntu"]}"#),
            (&["labels=gpu,x", "os=linux"], r#"{"os":["linux"],"labels":["gpu","x"]}"#),
            (&["platform=ubuntu", "platform=debian,ubuntu"], r#"{"platform":["ubuntu","debian"]}"#),
            (&["labels=region=eu,gpu"], r#"{"labels":["region=eu","gpu"]}"#),
            (&["labels=gpu", "labels=os=linux"], r#"{"labels":["gpu","os=linux"]}"#),
        ] {
            assert_eq!(parsed(args).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn bad_filters_say_what_is_allowed() {
        for (arg, said) in [
            ("platform", "write it as KEY=VALUE"),
            ("plattform=x", "is not one of os, platform,"),
            ("os=", "value `` is not allowed"),
            ("os=linux,", "value `` is not allowed"),
            ("hostname=$(id)", "host name `$(id)` is not allowed"),
            ("labels=GPU", "label `GPU` is not allowed"),
            ("os=a\nb", "control character"),
            ("platform=ubuntu,arch=x86_64", "`arch=` begins another clause, which is written by itself"),
            ("platform=arch=x86_64", "which is written by itself"),
            ("labels=gpu,os=linux", "which is written by itself"),
            ("capabilities=os=linux", "which is written by itself"),
        ] {
            let error = parsed(&[arg]).unwrap_err();
            assert!(error.contains(said), "{arg:?}: {error}");
        }
    }
}
