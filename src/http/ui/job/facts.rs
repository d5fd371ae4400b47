//! What is known of a job beside its log.

use maud::{Markup, html};
use shuntyard_domain::wire::api::JobBody;

use super::words;
use crate::http::ui::parts::{self, Lasting};

/// What most readers look for, in a line.
pub(super) fn short(job: &JobBody) -> Markup {
    html! {
        dl.line {
            @if let Some(runner) = &job.runner { div { dt { "Runner" } dd { (runner_link(job, runner)) } } }
            @if job.attempt > 0 { div { dt { "Attempt" } dd { (job.attempt) } } }
            @if let Some(code) = job.exit_code { div { dt { "Exit code" } dd { (code) } } }
            @if job.started_at.is_some() {
                div { dt { "Took" } dd { (parts::lasting(Lasting { from: job.started_at.as_deref(), to: job.finished_at.as_deref() })) } }
            }
            div { dt { "Submitted" } dd { (parts::ago(&job.created_at)) } }
            @if let Some(at) = &job.finished_at { div { dt { "Ended" } dd { (parts::ago(at)) } } }
            @if !job.project.is_empty() { div { dt { "Project" } dd { (job.org) "/" (job.project) } } }
            @if !job.change.id.is_empty() {
                div { dt { "Change" } dd { a href={ "/changes/" (job.change.id) } { (job.change.title) } } }
            }
            @if let Some(phase) = job.phase {
                div { dt { "Phase" } dd { @if let Some(stage) = job.stage { (stage) ", " } (phase) } }
            }
        }
    }
}

fn runner_link(job: &JobBody, runner: &str) -> Markup {
    html! {
        @if job.deleted_runner.is_some() { (runner) " " span.muted { "(deleted)" } }
        @else { a href={ "/runners/" (runner) } { (runner) } }
    }
}

/// What a reader must not miss: how it was stopped, and what is not there.
pub(super) fn alarms(job: &JobBody) -> Markup {
    html! {
        @if let Some(receipt) = &job.receipt { p.receipt { strong { "Stopped: " } (receipt) "." } }
        @if let Some(why) = job.truncated_reason {
            p.alarm { "The log is not the whole output, but its first " (job.log_bytes) " bytes: " (words::truncated(why)) "." }
        }
        @for fault in [&job.outputs_fault, &job.artifacts_fault].into_iter().flatten() { p.alarm { (fault) } }
    }
}

/// All of it, for who opens it.
pub(super) fn all(job: &JobBody) -> Markup {
    let seconds = |limit: Option<u32>| limit.map(|s| parts::clock(i64::from(s) * 1000));
    html! {
        details.more-facts {
            summary { "Details" }
            dl.facts {
                dt { "Job" } dd { code { (job.id) } }
                dt { "Filter" } dd { (parts::filter(&job.filter)) }
                dt { "Priority" } dd { (job.priority) }
                dt { "Submitted" } dd { (parts::at(&job.created_at)) }
                @if let Some(at) = &job.started_at { dt { "Started" } dd { (parts::at(at)) } }
                @if let Some(at) = &job.finished_at { dt { "Ended" } dd { (parts::at(at)) } }
                @for (name, limit) in [
                    ("May wait for", seconds(job.queue_limit_s)),
                    ("May run for", seconds(job.run_limit_s)),
                    ("May be silent for", seconds(job.silence_limit_s)),
                    ("Runs on alone for", seconds(job.stop_after_disconnect_s)),
                ] { @if let Some(limit) = limit { dt { (name) } dd { (limit) } } }
                @if let Some(concurrency) = &job.concurrency {
                    dt { "Group" } dd { (concurrency.group) ", " (concurrency.limit) " at a time" }
                }
                @if let Some(digest) = &job.workspace { dt { "Workspace" } dd { code { (digest) } } }
                @if let Some(git) = &job.git { dt { "Repository" } dd { code { (git.url) } } }
                dt { "Started again when lost" } dd { @if job.retry.on_lost { "yes" } @else { "no" } }
                dt { "Output" } dd { (job.log_bytes) " bytes"
                    @if job.elided_bytes > 0 { ", of which " (job.elided_bytes) " are not kept" } }
            }
        }
    }
}
