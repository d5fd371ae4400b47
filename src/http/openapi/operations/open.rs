//! What the server says of itself, most of it without a token.

use shuntyard_domain::wire::status::{SamlBody, StatusBody};

use super::super::operation::{Operation, get};
use crate::http::error::words::ErrorWord;

pub(super) fn all() -> Vec<Operation> {
    vec![
        get("/saml/enabled", "saml_enabled", "Tells Chef's clients that there is no SAML.").answers::<SamlBody>(),
        get("/api/_status", "status", "Says how the server is, as Chef's clients ask.")
            .at_root()
            .answers::<StatusBody>(),
        get("/healthz", "healthz", "Answers while the server lives.").at_root().sends("text/plain"),
        get("/readyz", "readyz", "Answers while requests should be sent here.")
            .at_root()
            .sends("text/plain")
            .fails(&[ErrorWord::NotReady]),
        get("/metrics", "metrics", "Sends what the server counts, in Prometheus' text format.")
            .note("`[metrics] open` answers it without a token.")
            .at_root()
            .sends("text/plain"),
        get("/enrol.sh", "enrol_script", "Sends the script by which a host enrols itself.")
            .at_root()
            .sends("text/x-shellscript"),
        get("/api/openapi.json", "openapi", "Sends this document.").at_root().sends("application/json"),
        get("/api/docs", "docs", "Sends this document as a page for people.").at_root().sends("text/html"),
        get("/api/docs/style.css", "docs_style", "Sends the style of that page.").at_root().sends("text/css"),
    ]
}
