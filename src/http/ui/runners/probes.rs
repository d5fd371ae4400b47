//! What the last Test has looked at.

use maud::{Markup, html};
use shuntyard_domain::probe::{TestKind, Verdict};
use shuntyard_domain::wire::api::LastTestBody;
use shuntyard_domain::wire::time_text::rfc3339;

use crate::http::ui::parts::{Tone, ago, state};
use crate::store::PastTest;

pub(super) fn of(test: &LastTestBody) -> Markup {
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

/// What the Tests before came to, newest first.
pub(super) fn past(tests: &[PastTest]) -> Markup {
    html! { div.table { table {
        thead { tr { th { "When" } th { "Made by" } th { "Verdict" } th { "What was seen" } } }
        tbody { @for test in tests { tr {
            td { (ago(&rfc3339(test.at_ms))) }
            td { @match test.kind { TestKind::Test => "a person", TestKind::Check => "the dispatcher" } }
            td { (verdict(test.verdict)) }
            td { (test.said.as_deref().unwrap_or_default()) }
        } } }
    } } }
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
