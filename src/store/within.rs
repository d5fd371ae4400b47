//! Lists that hold only what their reader may see.

use shuntyard_domain::access::Place;

/// Places as lists of what columns hold.
pub(super) struct Within {
    /// The whole of these organisations.
    pub orgs: Vec<String>,
    /// `ORG/PROJECT`; neither name holds a slash.
    pub projects: Vec<String>,
}

impl Within {
    /// `None` asks for no condition, as does a place that is the enterprise.
    pub(super) fn of(places: Option<&[Place]>) -> Option<Self> {
        let places = places.filter(|places| !places.contains(&Place::Enterprise))?;
        let mut within = Self { orgs: Vec::new(), projects: Vec::new() };
        for place in places {
            match place {
                Place::Enterprise => (),
                Place::Org(org) => within.orgs.push(org.to_string()),
                Place::Project(org, project) => within.projects.push(format!("{org}/{project}")),
            }
        }
        Some(within)
    }
}

/// Adds the condition to a boxed query over a table with the columns `org` and `project`.
macro_rules! within {
    ($found:expr, $table:ident, $places:expr) => {
        match $crate::store::within::Within::of($places) {
            None => $found,
            Some($crate::store::within::Within { orgs, projects }) => {
                let project = $table::org.concat("/").concat($table::project).eq_any(projects);
                $found.filter($table::org.eq_any(orgs).or(project))
            }
        }
    };
}

pub(super) use within;
