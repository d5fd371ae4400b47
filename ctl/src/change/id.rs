//! The id of a change as a user gives it: whole, or as much of its beginning or end as no other change has.

use shuntyard_domain::ids::ChangeId;
use shuntyard_domain::wire::change::ChangeBody;

use crate::client::Client;
use crate::failure::{Failure, Usage};
use crate::terminal::plain;

/// Fewer characters than these are a slip.
const FEWEST_CHARS: usize = 4;
/// Changes that are looked through, newest first.
const LOOKED_AT: u32 = 500;

/// Resolves what was given.
///
/// # Errors
/// `Usage` when it cannot be an id, or is that of no change or of several; `Client` when the server cannot be asked.
pub async fn resolve(client: &Client, text: &str) -> Result<ChangeId, Failure> {
    let text = text.trim().to_ascii_lowercase();
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    if text.len() < FEWEST_CHARS || !text.chars().all(|c| c.is_ascii_hexdigit() || c == '-') {
        return Err(Usage::BadChangeId { found: plain(&text) }.into());
    }
    let changes: Vec<ChangeBody> = client.get_with("changes", &[("limit", LOOKED_AT.to_string())]).await?;
    let ids = changes.iter().map(|change| change.id);
    Ok(one_of(&text, ids)?)
}

fn one_of(text: &str, ids: impl Iterator<Item = ChangeId>) -> Result<ChangeId, Usage> {
    let fits = |id: &ChangeId| {
        let id = id.to_string();
        id.starts_with(text) || id.ends_with(text)
    };
    let mut fitting = ids.filter(fits);
    let found = || plain(text);
    match (fitting.next(), fitting.count()) {
        (None, _) => Err(Usage::UnknownChange { found: found() }),
        (Some(id), 0) => Ok(id),
        (Some(_), others) => Err(Usage::AmbiguousChange { found: found(), count: others + 1 }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_an_id_is_enough_when_one_change_has_it() {
        let ids = || {
            ["01890000-0000-7000-8000-00000000000a", "01890000-0000-7000-8000-00000000001b"]
                .into_iter()
                .map(|id| id.parse::<ChangeId>().unwrap())
        };
        assert_eq!(one_of("001b", ids()).ok(), ids().nth(1));
        assert!(matches!(one_of("0189", ids()), Err(Usage::AmbiguousChange { count: 2, .. })));
        assert!(matches!(one_of("beef", ids()), Err(Usage::UnknownChange { .. })));
    }
}
