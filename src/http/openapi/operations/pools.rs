//! `/pools`: machines on demand.

use shuntyard_domain::wire::pools::{CreatePool, DeletedPool, NewPool, PatchPool, PatchedPool, PoolBody};

use super::super::operation::{Operation, delete, get, patch, post};
use crate::http::error::words::ErrorWord as E;
use crate::http::pools::DeleteQuery;

pub(super) fn all() -> Vec<Operation> {
    vec![
        get("/pools", "list_pools", "Lists the pools.").answers::<Vec<PoolBody>>(),
        post("/pools", "create_pool", "Makes a pool; this answer is the only one that holds its secret.")
            .takes::<CreatePool>()
            .creates_secret::<NewPool, PoolBody>()
            .fails(&[E::Conflict]),
        get("/pools/{pool}", "show_pool", "Shows one pool with its machines.").answers::<PoolBody>(),
        patch("/pools/{pool}", "patch_pool", "Changes a pool; `null` takes a key away.")
            .note("With `new_secret` the answer holds the secret, too.")
            .takes::<PatchPool>()
            .answers::<PatchedPool>(),
        delete("/pools/{pool}", "delete_pool", "Deletes a pool, with its last machine if it has any.")
            .query::<DeleteQuery>()
            .done()
            .answers::<DeletedPool>(),
    ]
}
