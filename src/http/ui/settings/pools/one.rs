//! One pool: what it is, its machines, and what may be done with it.

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use shuntyard_domain::pool::ExpectedFacts;
use shuntyard_domain::wire::pools::{HookError, PoolBody};
use shuntyard_domain::wire::time_text::length;

use super::{TAB, form, machines, page_of, pool_state};
use crate::http::Api;
use crate::http::error::ApiError;
use crate::http::path::PathPool;
use crate::http::ui::parts::{self, Ask, ask};
use crate::http::ui::settings;
use crate::http::ui::viewer::Viewer;

pub(super) async fn page(
    State(api): State<Api>,
    viewer: Viewer,
    PathPool(name): PathPool,
) -> Result<Response, ApiError> {
    let pool = api.dispatcher.pool(&name).await?;
    let of_it = pool.instances.as_deref().unwrap_or_default();
    let inside = html! {
        div.top {
            h2 { (pool.name) }
            (pool_state(&pool))
            div.right.acts { (acts(&pool)) }
        }
        (trouble(&pool))
        (counts(&pool))
        div.columns {
            section { h2 { "What it is" } (facts(&pool)) }
            section { h2 { "What its machines are" } (of_machines(&pool)) }
        }
        @if !pool.deleting { (change(&pool)) }
        h2 { "Machines" }
        @if of_it.is_empty() { (machines::none(&pool)) } @else { (machines::table(&api, of_it)) }
    };
    Ok(settings::page_below(&viewer, TAB, &name, &inside))
}

fn acts(pool: &PoolBody) -> Markup {
    let at = page_of(pool.name.as_str());
    let (switch, secret) = (format!("{at}/switch"), format!("{at}/secret"));
    html! {
        @if !pool.deleting {
            @if pool.spec.enabled {
                (ask(&Ask { button: "Disable", danger: false, action: &switch }, &html! {
                    p { "It starts no machines. Those that are there end their jobs and are stopped." }
                    input type="hidden" name="enabled" value="no";
                    button { "Disable " (pool.name) }
                }))
            } @else {
                form method="post" action=(switch) { button name="enabled" value="yes" { "Enable" } }
            }
            (ask(&Ask { button: "New secret", danger: false, action: &secret }, &html! {
                p { "Calls are signed with it from now on. The provider refuses them until it knows it." }
                button { "Make a new secret" }
            }))
        }
        (delete(&at, pool))
    }
}

fn delete(at: &str, pool: &PoolBody) -> Markup {
    let action = format!("{at}/delete");
    ask(
        &Ask { button: "Delete", danger: true, action: &action },
        &html! {
            p { "What becomes of its machines?" }
            (parts::ways("machines", &[
                ("stop", "They end their jobs and are stopped; the pool goes with the last one"),
                ("keep", "They stay as ordinary runners, which nobody stops"),
                ("force", "The same, though the provider is gone: stop those that come or go yourself"),
            ]))
            button.danger { "Delete " (pool.name) }
        },
    )
}

/// What keeps it from starting machines, if something does.
fn trouble(pool: &PoolBody) -> Markup {
    html! {
        @if pool.deleting { p.muted { "It is being deleted, and goes when its last machine is stopped." } }
        @if pool.last_error.is_some() || pool.next_start_at.is_some() {
            section.alarm aria-label="Trouble" {
                @if let Some(error) = &pool.last_error { (failed_call(error)) }
                @if let Some(at) = &pool.next_start_at { p {
                    (pool.failures) @if pool.failures == 1 { " start" } @else { " starts" } " came to nothing. The next one: " (parts::at(at))
                } }
            }
        }
    }
}

fn failed_call(error: &HookError) -> Markup {
    html! {
        p { strong { "The call " code { (error.action) } " has failed: " } (error.error) }
        p.muted {
            @if let Some(instance) = &error.instance { "Of " (instance) ", " }
            (parts::ago(&error.at)) ", tried " @if error.tries == 1 { "once" } @else { (error.tries) " times" }
            @if let Some(at) = &error.next_try_at { "; again " (parts::at(at)) }
        }
    }
}

fn counts(pool: &PoolBody) -> Markup {
    let counts = &pool.counts;
    let figures = [
        ("Starting", counts.starting),
        ("Enrolled", counts.enrolled),
        ("Draining", counts.draining),
        ("Stopping", counts.stopping),
        ("At most", pool.spec.max),
        ("Jobs that wait", pool.waiting_jobs),
    ];
    html! { dl.figures { @for (name, number) in figures { div { dt { (name) } dd { (number) } } } } }
}

fn facts(pool: &PoolBody) -> Markup {
    let spec = &pool.spec;
    html! { dl.facts {
        dt { "Provider" } dd { code { (spec.url) } }
        dt { "Enrol at" } dd { code { (spec.enrol_url) } @if let Some(cidr) = &spec.cidr { " from " code { (cidr) } } }
        dt { "Machines" } dd { (spec.min) " always, " (spec.warm) " held ready, " (spec.max) " at most" }
        dt { "Limits" } dd { (length(spec.idle_limit_s)) " without a job, " (length(spec.start_limit_s)) " to enrol, "
            @if let Some(lifetime_s) = spec.lifetime_s { (length(lifetime_s)) " old" } @else { "as old as it likes" } }
        dt { "Serves" } dd { (spec.scope) }
        dt { "Made" } dd { (parts::at(&pool.created_at)) " by " (pool.created_by) }
    } }
}

fn of_machines(pool: &PoolBody) -> Markup {
    let spec = &pool.spec;
    html! { dl.facts {
        dt { "Labels" } dd { (parts::words(&spec.labels)) }
        dt { "Capabilities" } dd { (parts::words(&spec.capabilities)) }
        dt { "Slots" } dd { (spec.slots) @if spec.one_off { ", one job for each machine" } }
        dt { "Expected" } dd { @if spec.facts == ExpectedFacts::default() { span.muted { "nothing is said" } }
            @else { (parts::words(&form::expected(&spec.facts))) } }
    } }
}

fn change(pool: &PoolBody) -> Markup {
    html! { details.edit {
        summary.button { "Edit" }
        form method="post" action={ (page_of(pool.name.as_str())) "/change" } autocomplete="off" {
            (form::inputs(&pool.spec, false))
            p.hint { "Machines that are there keep what they were made with." }
            button.primary { "Save" }
        }
    } }
}
