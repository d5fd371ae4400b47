//! `--filter KEY=VALUE,…` as a filter.

use shuntyard_domain::filter::{BadClause, Filter, filter_of};

use crate::failure::Usage;
use crate::terminal::plain;

/// Reads every `--filter`; a key given twice collects the values of both.
///
/// # Errors
/// `Usage::BadFilter` as `filter_of`.
pub fn parse(args: &[String]) -> Result<Filter, Usage> {
    let bad = |BadClause { found, why }| Usage::BadFilter { found: plain(&found), why };
    filter_of(args.iter().map(String::as_str)).map_err(bad)
}
