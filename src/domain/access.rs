//! Who may do what where: roles, the places that they are given for, and what is decided from them.
//!
//! A role given for a place holds in all that lies in it. The roles are Chef's; an admin may do all that the others may.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::runner::BadName;
use crate::tenancy::Name;

/// What somebody may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Everything, also runners, users and settings.
    Admin,
    /// Submits changes and jobs, and triggers stages.
    Committer,
    /// Approves changes.
    Reviewer,
    /// Delivers changes.
    Shipper,
    /// Looks.
    Observer,
}

impl Role {
    pub const ALL: [Self; 5] = [Self::Admin, Self::Committer, Self::Reviewer, Self::Shipper, Self::Observer];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Committer => "committer",
            Self::Reviewer => "reviewer",
            Self::Shipper => "shipper",
            Self::Observer => "observer",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or_else(|| BadName {
            what: "role",
            found: text.chars().take(80).collect(),
            allowed: "admin, committer, reviewer, shipper or observer",
            nearest: None,
        })
    }
}

/// Where a role is given, or where a thing lies: in an enterprise, one of its organisations, or a project of one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    Enterprise,
    Org(Name),
    /// Organisation and project.
    Project(Name, Name),
}

impl Place {
    /// The place of what belongs to a project, or to none; what is no name of a project belongs to its organisation.
    #[must_use]
    pub fn of(org: &str, project: &str) -> Self {
        match (org.parse::<Name>(), project.parse::<Name>()) {
            (Ok(org), Ok(project)) => Self::Project(org, project),
            (Ok(org), Err(_)) => Self::Org(org),
            (Err(_), _) => Self::Enterprise,
        }
    }

    /// Whether `other` is this place or lies in it.
    #[must_use]
    pub fn holds(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Enterprise, _) => true,
            (Self::Org(mine), Self::Org(org) | Self::Project(org, _)) => mine == org,
            (Self::Project(..), Self::Project(..)) => self == other,
            (Self::Org(_), Self::Enterprise) | (Self::Project(..), Self::Enterprise | Self::Org(_)) => false,
        }
    }
}

/// `enterprise`, `ORG` or `ORG/PROJECT`.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Enterprise => f.write_str("enterprise"),
            Self::Org(org) => write!(f, "org {org}"),
            Self::Project(org, project) => write!(f, "project {org}/{project}"),
        }
    }
}

/// A role and where it holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Grant {
    pub role: Role,
    pub place: Place,
}

/// All that somebody was given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants(pub Vec<Grant>);

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Allowed,
    /// They see the place, but may not do this there.
    Forbidden,
    /// They have nothing to do with the place: it is answered as if it did not exist.
    Unseen,
}

impl Grants {
    /// May do everything everywhere.
    #[must_use]
    pub fn of_admin() -> Self {
        Self(vec![Grant { role: Role::Admin, place: Place::Enterprise }])
    }

    /// The roles that hold at `place`.
    pub fn at(&self, place: &Place) -> impl Iterator<Item = Role> {
        self.0.iter().filter(|grant| grant.place.holds(place)).map(|grant| grant.role)
    }

    /// Whether somebody with these sees that `place` exists: a role holds there, or somewhere in it.
    #[must_use]
    pub fn sees(&self, place: &Place) -> bool {
        self.0.iter().any(|grant| grant.place.holds(place) || place.holds(&grant.place))
    }

    /// Decides about something at `place` that asks for one of `roles`; an admin may always.
    #[must_use]
    pub fn decide(&self, roles: &[Role], place: &Place) -> Verdict {
        let mut seen = false;
        for role in self.at(place) {
            seen = true;
            if role == Role::Admin || roles.contains(&role) {
                return Verdict::Allowed;
            }
        }
        if seen || self.sees(place) { Verdict::Forbidden } else { Verdict::Unseen }
    }

    /// As `decide`, for what is asked of the enterprise but answered with only what the caller sees, such as a list.
    #[must_use]
    pub fn decide_anywhere(&self, roles: &[Role]) -> Verdict {
        let fits = |grant: &Grant| grant.role == Role::Admin || roles.contains(&grant.role);
        match self.0.as_slice() {
            [] => Verdict::Unseen,
            grants if grants.iter().any(fits) => Verdict::Allowed,
            _ => Verdict::Forbidden,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn org(name: &str) -> Place {
        Place::Org(name.parse().unwrap())
    }

    fn project(org: &str, name: &str) -> Place {
        Place::Project(org.parse().unwrap(), name.parse().unwrap())
    }

    fn grants(given: &[(Role, Place)]) -> Grants {
        Grants(given.iter().map(|(role, place)| Grant { role: *role, place: place.clone() }).collect())
    }

    #[test]
    fn a_role_holds_in_all_that_lies_in_its_place() {
        let mine = grants(&[(Role::Committer, org("shop"))]);
        let decide = |roles: &[Role], place| mine.decide(roles, &place);
        assert_eq!(decide(&[Role::Committer], org("shop")), Verdict::Allowed);
        assert_eq!(decide(&[Role::Committer], project("shop", "web")), Verdict::Allowed);
        assert_eq!(decide(&[Role::Shipper], project("shop", "web")), Verdict::Forbidden);
        assert_eq!(decide(&[Role::Committer], project("bank", "web")), Verdict::Unseen);
        assert_eq!(decide(&[Role::Committer], Place::Enterprise), Verdict::Forbidden);
    }

    #[test]
    fn a_role_in_a_project_says_that_its_org_exists_and_no_more() {
        let mine = grants(&[(Role::Admin, project("shop", "web"))]);
        assert_eq!(mine.decide(&Role::ALL, &org("shop")), Verdict::Forbidden);
        assert_eq!(mine.decide(&Role::ALL, &project("shop", "till")), Verdict::Unseen);
        assert_eq!(mine.decide(&[], &project("shop", "web")), Verdict::Allowed);
        assert_eq!(mine.decide_anywhere(&[Role::Observer]), Verdict::Allowed);
    }

    #[test]
    fn nobody_without_a_role_sees_anything() {
        assert_eq!(Grants::default().decide(&Role::ALL, &Place::Enterprise), Verdict::Unseen);
        assert_eq!(Grants::default().decide_anywhere(&Role::ALL), Verdict::Unseen);
    }

    #[test]
    fn a_role_is_read_as_it_is_written() {
        for role in Role::ALL {
            assert_eq!(role.as_str().parse::<Role>().unwrap(), role);
        }
        assert!("Admin".parse::<Role>().is_err());
    }
}
