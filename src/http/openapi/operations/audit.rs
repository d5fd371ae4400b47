//! `/audit`: who did what.

use shuntyard_domain::wire::audit::{AuditBody, AuditCheckBody};

use super::super::operation::{Operation, get};
use crate::http::audit::AuditFilter;

pub(super) fn all() -> Vec<Operation> {
    vec![
        get("/audit", "list_audit", "Lists what was done, newest first.")
            .query::<AuditFilter>()
            .answers::<Vec<AuditBody>>(),
        get("/audit/check", "check_audit", "Reads the whole log and says whether it is as it was written.")
            .answers::<AuditCheckBody>(),
    ]
}
