//! Users, roles and tokens.

use shuntyard_domain::wire::access::{
    ChangePassword, CreateToken, CreateUser, GetToken, GotToken, NewToken, PatchUser, PutGrants, TokenBody, TokenList,
    UserBody, UserList,
};
use shuntyard_domain::wire::status::VerifiedBody;

use super::super::operation::{Operation, delete, get, patch, post, put};
use crate::http::error::words::ErrorWord as E;

pub(super) fn all() -> Vec<Operation> {
    vec![
        get("/users", "list_users", "Lists the users.").answers::<UserList>(),
        post("/users", "create_user", "Makes a user.")
            .takes::<CreateUser>()
            .creates::<UserBody>()
            .fails(&[E::Conflict]),
        get("/users/{user}", "show_user", "Shows a user; everybody may look at themselves.")
            .answers::<UserBody>()
            .fails(&[E::Forbidden]),
        patch("/users/{user}", "patch_user", "Changes a user; all that is asked is done, or nothing.")
            .takes::<PatchUser>()
            .answers::<UserBody>()
            .fails(&[E::LastAdmin]),
        delete("/users/{user}", "delete_user", "Deletes a user and their tokens.").done().fails(&[E::LastAdmin]),
        put("/users/{user}/grants", "set_grants", "Gives a user these roles and no others.")
            .takes::<PutGrants>()
            .answers::<UserBody>()
            .fails(&[E::LastAdmin]),
        post("/users/{user}/password", "change_password", "Changes the caller's own password.")
            .takes::<ChangePassword>()
            .done()
            .fails(&[E::Unauthorized, E::Forbidden, E::NoPassword, E::TooManyTries, E::Crowded]),
        post("/users/{user}/get-token", "get_token", "Makes a token for a password; the only answer that holds it.")
            .takes::<GetToken>()
            .answers::<GotToken>()
            .fails(&[E::Unauthorized, E::TooManyTries, E::Crowded]),
        get("/users/{user}/verify-token", "verify_token", "Says whether the token is good, and this user's.")
            .answers::<VerifiedBody>()
            .fails(&[E::Unauthorized]),
        post("/users/{user}/revoke-token", "log_out", "Revokes the token that comes with the request.")
            .done()
            .fails(&[E::Forbidden, E::FileToken]),
        get("/tokens", "list_tokens", "Lists the caller's tokens; an admin's list has all.").answers::<TokenList>(),
        post("/tokens", "create_token", "Makes a token; this answer is the only one that holds it.")
            .takes::<CreateToken>()
            .creates_secret::<NewToken, TokenBody>()
            .fails(&[E::Forbidden]),
        delete("/tokens/{id}", "revoke_token", "Revokes a token.").done().fails(&[E::FileToken]),
    ]
}
