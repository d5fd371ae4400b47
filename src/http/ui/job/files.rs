//! What a job has left: files and outputs.

use maud::{Markup, html};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use shuntyard_domain::artifacts::Artifact;
use shuntyard_domain::wire::api::JobBody;

use super::log::api_of;
use crate::http::Api;
use crate::http::error::ApiError;
use crate::store::job_artifacts;

pub(super) async fn of(api: &Api, job: &JobBody) -> Result<Vec<Artifact>, ApiError> {
    let id = job.id;
    if job.artifacts == 0 {
        return Ok(Vec::new());
    }
    Ok(api.dispatcher.store().read(move |c| job_artifacts(c, id)).await?)
}

pub(super) fn section(job: &JobBody, files: &[Artifact]) -> Markup {
    html! {
        @if !files.is_empty() {
            details open[files.len() <= 8] {
                summary { (files.len()) @if files.len() == 1 { " artifact" } @else { " artifacts" } }
                div.table { table {
                    thead { tr { th { "File" } th.number { "Bytes" } th { "SHA-256" } } }
                    tbody { @for file in files { tr {
                        td { a href=(address(job, &file.path)) { (file.path) } }
                        td.number { (file.size) }
                        td { code { (file.digest) } }
                    } } }
                } }
            }
        }
        @if !job.outputs.is_empty() {
            details open {
                summary { (job.outputs.len()) @if job.outputs.len() == 1 { " output" } @else { " outputs" } }
                dl.facts { @for (name, value) in &job.outputs { dt { code { (name) } } dd { code { (value) } } } }
            }
        }
    }
}

/// Where its bytes are; the slashes of its path stay.
fn address(job: &JobBody, path: &str) -> String {
    let parts: Vec<String> =
        path.split('/').map(|part| utf8_percent_encode(part, NON_ALPHANUMERIC).to_string()).collect();
    format!("{}/artifacts/{}", api_of(job.id), parts.join("/"))
}
