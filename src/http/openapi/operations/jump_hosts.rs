//! `/jump-hosts`.

use shuntyard_domain::wire::api::{AcceptHostKey, StepEvent};
use shuntyard_domain::wire::jump_host::{CreateJumpHost, InstallJumpHost, JumpHostBody, PatchJumpHost};

use super::super::operation::{Operation, delete, get, of, patch, post};
use crate::http::error::words::ErrorWord as E;

pub(super) fn all() -> Vec<Operation> {
    vec![
        get("/jump-hosts", "list_jump_hosts", "Lists the jump hosts.").answers::<Vec<JumpHostBody>>(),
        post("/jump-hosts", "create_jump_host", "Makes a record and a key pair; nothing is done on the host.")
            .takes::<CreateJumpHost>()
            .creates::<JumpHostBody>()
            .fails(&[E::Conflict]),
        get("/jump-hosts/{jump_host}", "show_jump_host", "Shows one jump host.").answers::<JumpHostBody>(),
        patch("/jump-hosts/{jump_host}", "patch_jump_host", "Changes where and how it is reached.")
            .takes::<PatchJumpHost>()
            .answers::<JumpHostBody>(),
        delete("/jump-hosts/{jump_host}", "delete_jump_host", "Removes its record.").done().fails(&[E::InUse]),
        post("/jump-hosts/{jump_host}/install", "install_jump_host", "Puts our key on the host and stores its record.")
            .takes::<InstallJumpHost>()
            .streams(&[("step", of::<StepEvent>)]),
        post("/jump-hosts/{jump_host}/health", "test_jump_host", "Tests it.").streams(&[("step", of::<StepEvent>)]),
        post(
            "/jump-hosts/{jump_host}/accept-host-key",
            "accept_jump_host_key",
            "Confirms its host key, the first or a new one.",
        )
        .takes::<AcceptHostKey>()
        .streams(&[("step", of::<StepEvent>)]),
    ]
}
