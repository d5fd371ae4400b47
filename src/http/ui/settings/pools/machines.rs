//! The machines of a pool: those that may exist, and the last that ended.

use maud::{Markup, html};
use shuntyard_domain::pool::instance::InstanceState;
use shuntyard_domain::wire::pools::{InstanceBody, PoolBody};

use crate::http::Api;
use crate::http::ui::parts::{self, Tone, state};

pub(super) fn table(api: &Api, machines: &[InstanceBody]) -> Markup {
    // The page of its runner, while that is in the inventory.
    let runner = |machine: &InstanceBody| machine.runner_id.and_then(|id| api.dispatcher.runner_name(id));
    html! { div.table { table {
        thead { tr { th { "Machine" } th { "State" } th { "Since" } th { "Why" } th { "Provider's name" } th { "Asked for" } th { "Accepted" } th { "Enrolled" } } }
        tbody { @for machine in machines { tr #{ "m-" (machine.instance) } {
            td { @if let Some(runner) = runner(machine) { a href={ "/runners/" (runner) } { (runner) } } @else { (machine.instance) } }
            td { (of_state(machine.state)) }
            td { (parts::ago(&machine.state_at)) }
            td { @if let Some(reason) = machine.reason { (reason.as_str().replace('_', " ")) }
                @if let Some(note) = &machine.note { div.muted { (note) } } }
            td { @if let Some(id) = &machine.provider_id { code { (id) } } }
            td { (parts::at(&machine.created_at)) }
            td { @if let Some(at) = &machine.accepted_at { (parts::at(at)) } }
            td { @if let Some(at) = &machine.enrolled_at { (parts::at(at)) } }
        } } }
    } } }
}

fn of_state(of: InstanceState) -> Markup {
    let tone = match of {
        InstanceState::Starting | InstanceState::Stopping => Tone::Busy,
        InstanceState::Enrolled => Tone::Good,
        InstanceState::Draining => Tone::Warn,
        InstanceState::Stopped => Tone::Off,
        InstanceState::Failed => Tone::Bad,
    };
    state(tone, of.as_str())
}

/// What stands in place of an empty table: a job that would start a machine, when one can be named.
pub(super) fn none(pool: &PoolBody) -> Markup {
    let label = pool.spec.labels.first().map(|label| format!("--filter labels={label} ")).unwrap_or_default();
    parts::empty(
        "It has no machine. One is started when a job waits that it could take:",
        &format!("shunt run {label}-- uname -a"),
    )
}
