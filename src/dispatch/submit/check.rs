//! What a new job may hold; every refusal names the key and what is allowed.

use std::collections::BTreeMap;

use shuntyard_domain::artifacts::{MAX_PATTERNS, Pattern};
use shuntyard_domain::filter::{Filter, check_value};
use shuntyard_domain::job::Concurrency;
use shuntyard_domain::output::OUTPUT_CAP_BYTES;
use shuntyard_domain::wire::api::SubmitJob;
use shuntyard_domain::wire::frame::{BadFrame, check_variable, is_ours};

use crate::dispatch::DispatchError;
use crate::dispatch::engine_error::bad;

/// A script larger than this belongs into a file of the project.
const MAX_SCRIPT_BYTES: usize = 1024 * 1024;
const MAX_NAME_CHARS: usize = 500;
const MAX_LIMIT_S: u32 = 30 * 24 * 3600;
const MAX_GRACE_S: u32 = 3600;

/// # Errors
/// `BadRequest` for the first key that cannot be used.
pub(super) fn check_job(request: &SubmitJob) -> Result<(), DispatchError> {
    check_script("script", &request.script)?;
    check_name("title", request.title.as_deref().unwrap_or_default())?;
    check_name("project", &request.project)?;
    check_filter("filter", &request.filter)?;
    check_env("env", &request.env)?;
    check_concurrency(request.concurrency.as_ref())?;
    check_artifacts("artifacts", &request.artifacts)?;
    check_limit("queue_limit_s", request.queue_limit_s)?;
    check_limit("run_limit_s", request.run_limit_s)?;
    check_limit("silence_limit_s", request.silence_limit_s)?;
    if let Some(cap) = request.output_cap_bytes.filter(|cap| !OUTPUT_CAP_BYTES.contains(cap)) {
        let message = format!("a cap of {cap} bytes is out of range");
        return Err(bad("output_cap_bytes", &message, &["65536 to 1099511627776 bytes"]));
    }
    if request.stop_grace_s.is_some_and(|s| s > MAX_GRACE_S) {
        return Err(bad("stop_grace_s", "the grace is too long", &["0 to 3600 seconds"]));
    }
    if let Some(s) = request.stop_after_disconnect_s.filter(|s| *s > MAX_LIMIT_S) {
        let message = format!("{s} seconds are too many");
        return Err(bad("stop_after_disconnect_s", message, &["0 to 2592000 seconds"]));
    }
    Ok(())
}

pub(super) fn check_concurrency(told: Option<&Concurrency>) -> Result<(), DispatchError> {
    let Some(Err(wrong)) = told.map(Concurrency::check) else { return Ok(()) };
    let key = if wrong.what == "limit" { "concurrency.limit" } else { "concurrency.group" };
    Err(bad(key, format!("`{}` cannot be used", wrong.found), &[wrong.allowed]))
}

fn check_artifacts(path: &str, patterns: &[String]) -> Result<(), DispatchError> {
    if patterns.len() > MAX_PATTERNS {
        return Err(bad(path, format!("{} patterns are too many", patterns.len()), &["up to 50 patterns"]));
    }
    for (n, text) in patterns.iter().enumerate() {
        Pattern::parse(text).map_err(|fault| bad(format!("{path}[{n}]"), fault.to_string(), &[fault.allowed]))?;
    }
    Ok(())
}

pub(super) fn check_script(path: &str, script: &str) -> Result<(), DispatchError> {
    if script.trim().is_empty() {
        return Err(bad(path, "the script is empty", &["a shell script"]));
    }
    if script.contains('\0') {
        return Err(bad(path, "the script holds a NUL byte, which no shell can read", &["text"]));
    }
    if script.len() > MAX_SCRIPT_BYTES {
        return Err(bad(path, format!("the script has {} bytes", script.len()), &["up to 1 MiB"]));
    }
    Ok(())
}

/// What people read in lists and terminals, and what the database keeps as text.
pub(super) fn check_name(path: &str, name: &str) -> Result<(), DispatchError> {
    if name.chars().any(char::is_control) {
        return Err(bad(path, "the text holds a control character", &["one line of text"]));
    }
    if name.chars().count() > MAX_NAME_CHARS {
        return Err(bad(path, "the text is too long", &["up to 500 characters"]));
    }
    Ok(())
}

pub(in crate::dispatch) fn check_filter(path: &str, filter: &Filter) -> Result<(), DispatchError> {
    for (key, values) in filter.clauses() {
        for (n, value) in values.iter().enumerate() {
            check_value(key, value).map_err(|wrong| {
                let meant =
                    wrong.nearest.iter().map(|nearest| format!("; did you mean `{nearest}`?")).collect::<String>();
                let message = format!("no runner can have such a {}: found `{}`{meant}", wrong.what, wrong.found);
                bad(format!("{path}.{key}[{n}]"), message, &[wrong.allowed])
            })?;
        }
    }
    Ok(())
}

fn check_limit(path: &str, limit: Option<u32>) -> Result<(), DispatchError> {
    match limit {
        Some(0) => Err(bad(path, "a limit of 0 seconds would end the job before it starts", &["1 to 2592000 seconds"])),
        Some(s) if s > MAX_LIMIT_S => Err(bad(path, format!("{s} seconds are too many"), &["1 to 2592000 seconds"])),
        _ => Ok(()),
    }
}

pub(super) fn check_env(path: &str, env: &BTreeMap<String, String>) -> Result<(), DispatchError> {
    for (name, value) in env {
        let at = format!("{path}.{name}");
        check_variable(name, value).map_err(|fault| {
            let allowed = match fault {
                BadFrame::BadName(_) => "[A-Za-z_][A-Za-z0-9_]*",
                BadFrame::ReservedName(_) => "any other name",
                BadFrame::NulInValue(_) | BadFrame::NulInScript | BadFrame::NulInSecret => "text",
            };
            bad(at.clone(), fault.to_string(), &[allowed])
        })?;
        if is_ours(name) {
            return Err(bad(at, "the variable belongs to Shuntyard", &["any other name"]));
        }
    }
    Ok(())
}
