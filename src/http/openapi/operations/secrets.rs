//! Secrets of the enterprise, of organisations, projects and runners.

use shuntyard_domain::wire::secret::{SecretsBody, SetSecret};

use super::super::operation::{Operation, delete, get, put};

/// What can be done with the secrets below a path.
macro_rules! below {
    ($path:literal, $whose:literal) => {
        [
            get(
                concat!($path, "/secrets"),
                concat!("list_secrets_of_", $whose),
                "Lists them by name; values never come back.",
            )
            .answers::<SecretsBody>(),
            put(concat!($path, "/secrets/{secret}"), concat!("set_secret_of_", $whose), "Sets a secret.")
                .takes::<SetSecret>()
                .done(),
            delete(concat!($path, "/secrets/{secret}"), concat!("delete_secret_of_", $whose), "Removes a secret.")
                .done(),
        ]
    };
}

pub(super) fn all() -> Vec<Operation> {
    let below = [
        below!("", "enterprise"),
        below!("/orgs/{org}", "org"),
        below!("/orgs/{org}/projects/{project}", "project"),
        below!("/runners/{hostname}", "runner"),
    ];
    below.into_iter().flatten().collect()
}
