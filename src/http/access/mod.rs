//! Who may call which route: each is declared with its policy, and looked after by one guard.

mod audited;
mod caller;
mod guard;
mod place;
mod policy;
mod routes;

pub(super) use caller::{Caller, cookie};
pub use policy::At;
pub(super) use policy::{Act, Administer, Commit, Look, Open, Review, Ship, SignedIn, Trigger};
pub(super) use routes::Routes;
pub use routes::{Declared, Needs};
