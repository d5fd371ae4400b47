//! What people say about a pool, as fields of a form: drawn, and read.

use maud::{Markup, html};
use serde_json::{Map, Value, json};
use shuntyard_domain::pool::{ExpectedFacts, MAX_INSTANCES, PoolSpec};
use shuntyard_domain::runner::{MAX_SLOTS, Scope};
use shuntyard_domain::wire::time_text::{length, length_s};

use crate::http::error::ApiError;
use crate::http::pages::bad;
use crate::http::ui::fields::Fields;
use crate::http::ui::parts::joined;

/// A fact that machines are expected to have: its key, what it is called, one for example, its value.
fn facts(of: &ExpectedFacts) -> [(&'static str, &'static str, &'static str, &str); 5] {
    [
        ("os", "Operating system", "linux", &of.os),
        ("platform", "Platform", "ubuntu", &of.platform),
        ("platform_family", "Platform's family", "debian", &of.platform_family),
        ("platform_version", "Platform's version", "24.04", &of.platform_version),
        ("arch", "Architecture", "x86_64", &of.arch),
    ]
}

/// Those that are said, as `KEY=VALUE`.
pub(super) fn expected(of: &ExpectedFacts) -> Vec<String> {
    let said = facts(of).into_iter().filter(|(.., value)| !value.is_empty());
    let git = of.git.then(|| "git=yes".to_owned());
    said.map(|(key, .., value)| format!("{key}={value}")).chain(git).collect()
}

/// All fields, as the pool has them now; each is called like its key of the API. Only a new pool is given a name.
pub(super) fn inputs(of: &PoolSpec, is_new: bool) -> Markup {
    html! {
        div.fields {
            @if is_new { label { "Name" span.hint { " its machines' names begin with it" }
                input name="name" required maxlength="40" placeholder="cloud" spellcheck="false"; } }
            label { "Provider's URL" span.hint { " starts and stops machines" }
                input type="url" name="url" required value=(of.url) placeholder="https://provider.example/hook" spellcheck="false"; }
            label { "This server's URL" span.hint { " as its machines reach it" }
                input type="url" name="enrol_url" required value=(of.enrol_url) spellcheck="false"; }
            (number("max", "At most", "machines at a time", (1, MAX_INSTANCES), of.max))
            (number("min", "Always", "machines, also without jobs", (0, MAX_INSTANCES), of.min))
            (number("warm", "Held ready", "machines without a job", (0, MAX_INSTANCES), of.warm))
            label { "Idle limit" span.hint { " goes after that without a job" }
                input name="idle_limit_s" required value=(length(of.idle_limit_s)) spellcheck="false"; }
            (words("labels", "Labels", "of its runners, between commas", &joined(&of.labels)))
        }
        (seldom(of))
    }
}

fn seldom(of: &PoolSpec) -> Markup {
    html! { details {
        summary { "Limits, slots, who is served, and what its machines will be" }
        div.fields {
            label { "Start limit" span.hint { " must have enrolled by then" }
                input name="start_limit_s" value=(length(of.start_limit_s)) spellcheck="false"; }
            label { "Lifetime" span.hint { " takes no more jobs after that" }
                input name="lifetime_s" value=(of.lifetime_s.map(length).unwrap_or_default()) placeholder="empty: no limit; 8h" spellcheck="false"; }
            label { "Slots" span.hint { " jobs that a machine runs at a time" }
                input type="number" name="slots" min="1" max=(MAX_SLOTS) value=(of.slots); }
            (words("scope", "Organisation", "the only one that it serves", of.scope.org().unwrap_or_default()))
            (words("capabilities", "Capabilities", "of its runners, between commas", &joined(&of.capabilities)))
            label { "Network" span.hint { " that its machines must enrol from" }
                input name="cidr" value=(of.cidr.as_deref().unwrap_or_default()) placeholder="empty: any; 10.0.0.0/8" spellcheck="false"; }
        }
        label { input type="checkbox" name="one_off" checked[of.one_off]; " Each machine takes one job and is then stopped" }
        fieldset {
            legend { "What its machines will be" }
            p.hint { "A job that asks for one of these starts a machine only when it is said here. Empty: not known." }
            div.fields {
                @for (key, name, example, value) in facts(&of.facts) {
                    label { (name) input name=(key) value=(value) placeholder=(example) maxlength="100" spellcheck="false"; }
                }
            }
            label { input type="checkbox" name="git" checked[of.facts.git]; " Git is on them" }
        }
    } }
}

fn number(key: &str, name: &str, hint: &str, (least, most): (u32, u32), value: u32) -> Markup {
    html! { label { (name) span.hint { " " (hint) }
    input type="number" name=(key) required min=(least) max=(most) value=(value); } }
}

fn words(key: &str, name: &str, hint: &str, value: &str) -> Markup {
    html! { label { (name) span.hint { " " (hint) } input name=(key) value=(value) spellcheck="false"; } }
}

/// Every key of the API that the form has; `null` for what is empty.
///
/// # Errors
/// `BadRequest` with the field.
pub(super) fn keys(fields: &Fields) -> Result<Map<String, Value>, ApiError> {
    let mut keys = Map::new();
    for key in ["url", "enrol_url"] {
        keys.insert(key.into(), fields.text(key)?.into());
    }
    for key in ["max", "min", "warm", "slots"] {
        keys.insert(key.into(), json!(fields.parsed::<u32>(key)?));
    }
    for key in ["idle_limit_s", "start_limit_s", "lifetime_s"] {
        keys.insert(key.into(), json!(seconds(fields, key)?));
    }
    for key in ["labels", "capabilities"] {
        keys.insert(key.into(), json!(fields.words(key)));
    }
    keys.insert("one_off".into(), fields.has("one_off").into());
    keys.insert("cidr".into(), json!(fields.filled("cidr")));
    keys.insert("scope".into(), json!(fields.filled("scope").map(|org| Scope::Org(org.to_owned()))));
    let none = ExpectedFacts::default();
    let said = facts(&none).into_iter().filter_map(|(key, ..)| Some((key, fields.filled(key)?)));
    let mut expected: Map<String, Value> = said.map(|(key, value)| (key.to_owned(), value.into())).collect();
    expected.insert("git".into(), fields.has("git").into());
    keys.insert("facts".into(), expected.into());
    Ok(keys)
}

fn seconds(fields: &Fields, key: &str) -> Result<Option<u32>, ApiError> {
    let wrong = |text: &str, why: String| {
        bad(key, format!("`{key}`: `{text}` is no length of time: {why}"), &["90s, 10m, 1h 30m"])
    };
    fields.filled(key).map(|text| length_s(text).map_err(|why| wrong(text, why.to_string()))).transpose()
}
