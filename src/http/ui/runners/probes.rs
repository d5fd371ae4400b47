//! What the last Test has looked at.

use maud::{Markup, html};
use shuntyard_domain::probe::Verdict;
use shuntyard_domain::wire::api::LastTestBody;

use crate::http::ui::parts::{Tone, ago, state};

pub(super) fn probes(test: &LastTestBody) -> Markup {
    html! {
        p { (verdict(test.verdict)) " " span.muted { (test.kind) ", " (ago(&test.at)) } }
        div.table { table {
            thead { tr { th { "Probe" } th { "Verdict" } th { "What was seen" } th { "What to do" } } }
            tbody { @for probe in &test.probes.probes { tr {
                td { code { (probe.name) } }
                td { (verdict(probe.verdict)) }
                td { (probe.evidence) }
                td { (probe.fix.as_deref().unwrap_or_default()) }
            } } }
        } }
    }
}

fn verdict(found: Verdict) -> Markup {
    let tone = match found {
        Verdict::Ok => Tone::Good,
        Verdict::Warn => Tone::Warn,
        Verdict::Fail => Tone::Bad,
        Verdict::Skipped => Tone::Off,
    };
    state(tone, found.as_str())
}
