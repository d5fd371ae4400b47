//! Roles as a form writes them: a line each, `ROLE`, `ROLE ORG` or `ROLE ORG/PROJECT`.

use shuntyard_domain::access::Role;
use shuntyard_domain::runner::BadName;
use shuntyard_domain::wire::access::GrantBody;

use crate::http::error::ApiError;
use crate::http::pages::bad;

/// What a line may be, for the form.
pub(super) const HINT: &str =
    "A line each: ROLE, ROLE ORG or ROLE ORG/PROJECT. Roles: admin, committer, reviewer, shipper, observer.";

/// # Errors
/// `BadRequest` with the line.
pub(super) fn read(text: &str) -> Result<Vec<GrantBody>, ApiError> {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(line).collect()
}

fn line(line: &str) -> Result<GrantBody, ApiError> {
    let refused = |why: String| bad("grants", format!("`{line}`: {why}"), &["ROLE", "ROLE ORG", "ROLE ORG/PROJECT"]);
    let words: Vec<&str> = line.split_whitespace().collect();
    let (role, place) = match words[..] {
        [role] => (role, None),
        [role, place] => (role, Some(place)),
        _ => return Err(refused("there are more than two words".into())),
    };
    let role: Role = role.parse().map_err(|error: BadName| refused(error.to_string()))?;
    let name = |text: &str| text.parse().map_err(|error: BadName| refused(error.to_string()));
    let (org, project) = match place.map(|place| place.split_once('/').map_or((place, None), |(o, p)| (o, Some(p)))) {
        None => (None, None),
        Some((org, project)) => (Some(name(org)?), project.map(name).transpose()?),
    };
    Ok(GrantBody { role, org, project })
}

/// As `read` takes them.
pub(super) fn written(grants: &[GrantBody]) -> Vec<String> {
    let place = |grant: &GrantBody| match (&grant.org, &grant.project) {
        (Some(org), Some(project)) => format!(" {org}/{project}"),
        (Some(org), None) => format!(" {org}"),
        (None, _) => String::new(),
    };
    grants.iter().map(|grant| format!("{}{}", grant.role.as_str(), place(grant))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_read_as_they_are_written() {
        let text = "admin\n  committer shop \n\nshipper shop/web";
        let grants = read(text).unwrap();
        assert_eq!(written(&grants), ["admin", "committer shop", "shipper shop/web"]);
        for wrong in ["root", "admin a b", "admin a b/c", "admin /x", "admin x/"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
