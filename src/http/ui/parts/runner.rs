//! What pages show of a runner.

use maud::{Markup, html};
use shuntyard_domain::runner::RunnerState;
use shuntyard_domain::wire::api::RunnerBody;
use shuntyard_domain::wire::time_text::rfc3339;

use super::state::{Tone, state};
use super::times::ago;
use crate::http::ui::assets;

/// What the inventory says about it.
pub(in crate::http::ui) fn runner_state(runner: &RunnerBody) -> Markup {
    let tone = match runner.state {
        RunnerState::Enrolled => Tone::Good,
        RunnerState::Pending => Tone::Calm,
        RunnerState::Draining => Tone::Warn,
        RunnerState::Disabled => Tone::Off,
        RunnerState::Quarantined => Tone::Bad,
    };
    state(tone, runner.state.as_str())
}

/// Whether there is a connection, since when, and why not.
pub(in crate::http::ui) fn contact(runner: &RunnerBody) -> Markup {
    let contact = &runner.contact;
    let tone = match contact.status.as_str() {
        "connected" => Tone::Good,
        "connecting" => Tone::Busy,
        _ => Tone::Bad,
    };
    html! {
        (state(tone, &contact.status)) " "
        @if !contact.since.is_empty() { span.muted { (ago(&contact.since)) } }
        @if let Some(reason) = contact.reason.as_deref().filter(|_| contact.status != "connected") {
            div.muted.cut title=(reason) { (reason) }
        }
    }
}

/// What the last Test has found, in a word, and when that was.
pub(in crate::http::ui) fn test_result(runner: &RunnerBody, at_ms: Option<i64>) -> Markup {
    let (tone, word) = match runner.health.status.as_deref() {
        Some("ok") => (Tone::Good, "ok"),
        Some("pending") => (Tone::Busy, "under way"),
        Some("error") => (Tone::Bad, "failed"),
        _ => (Tone::Off, "never tested"),
    };
    let said = runner.health.command_output.as_deref().filter(|_| tone == Tone::Bad);
    html! {
        (state(tone, word)) " "
        @if let Some(at_ms) = at_ms { span.muted { (ago(&rfc3339(at_ms))) } }
        @if let Some(said) = said { div.muted.cut title=(said) { (said.lines().next().unwrap_or_default()) } }
    }
}

/// `ubuntu 22.04` behind the family's sign.
pub(in crate::http::ui) fn platform(runner: &RunnerBody) -> Markup {
    let family = match (runner.os.as_str(), runner.platform_family.as_str()) {
        (_, "debian") => "debian",
        (_, "rhel" | "fedora" | "amazon") => "rhel",
        (_, "suse") => "suse",
        (_, "alpine") => "alpine",
        (_, "arch") => "arch",
        (os, family) if os.contains("bsd") || family.contains("bsd") => "bsd",
        ("darwin", _) | (_, "mac_os_x") => "mac",
        _ => "host",
    };
    html! {
        svg.icon aria-hidden="true" { use href={ (assets::at("platforms.svg")) "#" (family) } {} }
        " " (runner.platform) " " (runner.platform_version)
    }
}

/// One mark a slot, taken ones filled; many as numbers.
pub(in crate::http::ui) fn pips(runner: &RunnerBody) -> Markup {
    let taken = runner.slots.saturating_sub(runner.slots_free);
    let told = format!("{taken} of {} slots taken", runner.slots);
    html! {
        @if runner.slots <= 24 {
            span.pips role="img" aria-label=(told) title=(told) {
                @for n in 0..runner.slots { @if n < taken { i.taken {} } @else { i {} } }
            }
        } @else {
            span title=(told) { (taken) " / " (runner.slots) }
        }
    }
}
