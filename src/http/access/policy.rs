//! Policies as types: what a route asks for, and where. A route without one does not compile.

use shuntyard_domain::access::Role;

/// Where the thing lies that a route is about; the guard finds it out from the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// Of the enterprise as a whole.
    Enterprise,
    /// A role anywhere will do; the handler answers only what its caller sees, and asks `Caller` about what the body names.
    Anywhere,
    Org,
    /// A role in one of its projects will do; the handler answers only what its caller sees.
    PartOfOrg,
    Project,
    Runner,
    Job,
    PhaseRun,
    FanOut,
    Change,
}

/// What the guard checks before the handler is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum Access {
    /// No token.
    Open,
    /// A valid token; whose it is does not matter.
    SignedIn,
    /// One of these roles there; an admin may always.
    Role(&'static [Role], At),
}

/// What a route is declared with.
pub(in crate::http) trait Policy {
    fn access(&self) -> Access;
}

/// Everybody, without a token.
pub(in crate::http) struct Open;

/// Whoever has a valid token.
pub(in crate::http) struct SignedIn;

impl Policy for Open {
    fn access(&self) -> Access {
        Access::Open
    }
}

impl Policy for SignedIn {
    fn access(&self) -> Access {
        Access::SignedIn
    }
}

/// Declares policies that differ in their roles.
macro_rules! policies {
    ($($(#[$doc:meta])* $name:ident: $roles:expr;)*) => {$(
        $(#[$doc])*
        pub(in crate::http) struct $name(pub At);

        impl $name {
            pub(in crate::http) const ROLES: &'static [Role] = &$roles;
        }

        impl Policy for $name {
            fn access(&self) -> Access {
                Access::Role(Self::ROLES, self.0)
            }
        }
    )*};
}

policies! {
    /// All five roles.
    Look: Role::ALL;
    /// All but observers.
    Act: [Role::Admin, Role::Committer, Role::Reviewer, Role::Shipper];
    /// Who may submit changes and jobs.
    Commit: [Role::Admin, Role::Committer];
    /// Who may approve.
    Review: [Role::Admin, Role::Reviewer];
    /// Who may deliver.
    Ship: [Role::Admin, Role::Shipper];
    /// Who may run stages again.
    Trigger: [Role::Admin, Role::Reviewer, Role::Committer];
    /// Admins of the place.
    Administer: [Role::Admin];
}
