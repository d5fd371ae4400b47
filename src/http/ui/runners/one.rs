//! One runner: what is known of it, what runs on it, and what may be done.

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use shuntyard_domain::access::Place;
use shuntyard_domain::runner::RunnerState;
use shuntyard_domain::wire::api::RunnerBody;

use super::steps::test;
use super::{jobs, page_of, probes, steps, trust};
use crate::http::Api;
use crate::http::access::Administer;
use crate::http::error::ApiError;
use crate::http::path::PathHost;
use crate::http::ui::bar::Section;
use crate::http::ui::page::Page;
use crate::http::ui::parts::{self, Ask, Leaving, ask, ask_to_leave};
use crate::http::ui::viewer::Viewer;
use crate::http::ui::{history, live};
use crate::store::{PastTest, past_tests};

/// Tests that the page lists.
const TESTS: i64 = 20;

pub(super) async fn page(
    State(api): State<Api>,
    viewer: Viewer,
    PathHost(hostname): PathHost,
) -> Result<Response, ApiError> {
    live::answer(api, viewer, |_| true, move |api, viewer| draw(api, viewer, hostname.clone())).await
}

async fn draw(api: Api, viewer: Viewer, hostname: String) -> Result<Page, ApiError> {
    let runner = api.dispatcher.runner_body(&hostname).await?;
    let place = runner.scope.org().map_or(Place::Enterprise, |org| Place::of(org, ""));
    let may = viewer.may(Administer::ROLES, &place);
    let (running, past) = jobs::of(&api, viewer.known()?, runner.id).await?;
    let id = runner.id;
    let tests: Vec<PastTest> = api.dispatcher.store().read(move |c| past_tests(c, id, TESTS)).await?;
    let done = history::of_runner(&api, &hostname).await?;
    let main = html! {
        div.top {
            h1 { (hostname) }
            (parts::runner_state(&runner))
            span { (parts::contact(&runner)) }
            div.right.acts { (acts(&runner, may)) }
        }
        (steps::place(false))
        (trust::alarm(&runner, may))
        @if let Some(note) = &runner.state_note {
            p.muted { "Is " (runner.state) " since " (parts::at(&note.since)) " by " (note.by)
                @if let Some(reason) = &note.reason { ": " (reason) } }
        }
        div.columns {
            section { h2 { "What it is" } (facts(&runner)) }
            section { h2 { "What it takes" } (takes(&runner, may)) }
        }
        h2 { "Running jobs" }
        @if running.is_empty() { p.muted { "Nothing runs on it." } } @else { (jobs::table(&running)) }
        h2 { "Last Test" }
        @match &runner.last_test {
            Some(test) => (probes::of(test)),
            None if runner.health.status.as_deref() == Some("ok") => p.muted { "It was found good when it was added, and has not been tested since." },
            None => p.muted { "It was never tested." },
        }
        @if tests.len() > 1 { details { summary { "Earlier Tests" } (probes::past(&tests)) } }
        h2 { "Last jobs" }
        @if past.is_empty() { p.muted { "None has run on it yet." } } @else { (jobs::table(&past)) }
        @if !done.is_empty() { h2 { "What was done to it" } (history::table(&done)) }
    };
    Ok(Page::live(hostname, Section::Runners, main).with(&["steps.js"]))
}

fn acts(runner: &RunnerBody, may: bool) -> Markup {
    let at = page_of(&runner.hostname);
    html! {
        (test(runner))
        @if may {
            @if runner.state == RunnerState::Pending {
                form method="post" action={ (at) "/approve" } { button.primary { "Approve" } }
            }
            @if matches!(runner.state, RunnerState::Draining | RunnerState::Disabled) {
                form method="post" action={ (at) "/state" } { button name="state" value="enrolled" { "Enable" } }
            }
            @if runner.state == RunnerState::Enrolled { (with_reason(&at, "Drain", "draining", "It ends the jobs that it has and gets no more.")) }
            @if matches!(runner.state, RunnerState::Enrolled | RunnerState::Draining) {
                (with_reason(&at, "Disable", "disabled", "It gets no more jobs."))
            }
            @if !runner.local { (delete(&at, runner)) }
        }
    }
}

fn with_reason(at: &str, word: &str, state: &str, what: &str) -> Markup {
    let action = format!("{at}/state");
    ask(
        &Ask { button: word, danger: false, action: &action },
        &html! {
            p { (what) }
            input type="hidden" name="state" value=(state);
            label { "Why (others read it where jobs wait)" input name="reason" maxlength="300" autocomplete="off" autofocus; }
            button { (word) }
        },
    )
}

fn delete(at: &str, runner: &RunnerBody) -> Markup {
    let action = format!("{at}/delete");
    let (what, said) = (format!("Delete {}", runner.hostname), format!("{} is deleted.", runner.hostname));
    ask_to_leave(
        &Ask { button: "Delete", danger: true, action: &action },
        &Leaving { what: &what, said: &said },
        &html! {
            p { "Shuntyard's files and key leave the host, and the runner leaves the inventory. Its jobs and their logs stay." }
            @let choices = [
                ("idle", "Only if nothing runs on it"),
                ("drain", "Let its jobs end first"),
                ("cancel", "Cancel its jobs first"),
                ("force", "Delete the record although the host cannot be reached"),
            ];
            (parts::ways("jobs", &choices))
            label { "Why (it stays in its history)" input name="reason" maxlength="300" autocomplete="off"; }
            button.danger { (what) }
        },
    )
}

fn facts(runner: &RunnerBody) -> Markup {
    let facts = &runner.facts;
    html! { dl.facts {
        dt { "Platform" } dd { (parts::platform(runner)) " " span.muted { (facts.platform_family) ", " (facts.os) } }
        dt { "Hardware" } dd { (facts.arch)
            @if facts.cpus > 0 { ", " (facts.cpus) " CPUs" }
            @if facts.memory_bytes > 0 { ", " (facts.memory_bytes >> 20) " MiB" } }
        dt { "Reached at" } dd { code { (runner.user) "@" (runner.address) ":" (runner.port) }
            @if let Some(jump) = &runner.jump { " through " (jump) }
            @if runner.dial_out.is_some() { " by a tunnel that it opens" } }
        dt { "Last seen" } dd {
            @if runner.contact.status == "connected" { "now" }
            @else if let Some(at) = &runner.last_seen_at { (parts::ago(at)) } @else { "never" } }
        dt { "Host keys" } dd { @for key in &runner.host_keys { code { (key) } br; } }
        dt { "Stops jobs by" } dd { (runner.stop_means.join(", ")) }
        dt { "Base directory" } dd { code { (runner.base_dir) } }
        dt { "Wrapper" } dd { code { (runner.wrapper_version) } }
        dt { "Added" } dd { (parts::at(&runner.created_at)) }
    } }
}

/// Labels, capabilities and slots, as words or as a form.
fn takes(runner: &RunnerBody, may: bool) -> Markup {
    html! {
        dl.facts {
            dt { "Scope" } dd { (runner.scope) }
            dt { "Slots" } dd { (parts::pips(runner)) " " (runner.slots_free) " of " (runner.slots) " free" }
            dt { "Labels" } dd { (parts::words(&runner.labels)) }
            dt { "Capabilities" } dd { (parts::words(&runner.capabilities)) }
        }
        @if may {
            @let action = format!("{}/change", page_of(&runner.hostname));
            (ask(&Ask { button: "Edit", danger: false, action: &action }, &html! {
                label { "Labels" input name="labels" value=(parts::joined(&runner.labels)) autocomplete="off" spellcheck="false" autofocus; }
                label { "Capabilities" input name="capabilities" value=(parts::joined(&runner.capabilities)) autocomplete="off" spellcheck="false"; }
                // Those of the dispatcher's own machine are in its configuration.
                @if !runner.local { label { "Slots" input type="number" name="slots" min="1" value=(runner.slots); } }
                p.hint { "Words between commas. Jobs that run go on; those that wait are looked at again at once." }
                button.primary { "Save" }
            }))
        }
    }
}
