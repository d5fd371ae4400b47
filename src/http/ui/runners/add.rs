//! A new runner: by its login, with the steps as they are taken, or by a command for the host itself.

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use shuntyard_domain::wire::api::{InstallRunner, default_ssh_port};
use shuntyard_domain::wire::enrolment::{CreateEnrolmentToken, default_slots, default_ttl_s};
use shuntyard_domain::wrapper::enrol_command;

use super::{page_of, steps};
use crate::http::Api;
use crate::http::access::Caller;
use crate::http::error::ApiError;
use crate::http::pages::bad;
use crate::http::path::enterprise;
use crate::http::peer::{OverTls, Peer};
use crate::http::ui::bar::Section;
use crate::http::ui::done::Done;
use crate::http::ui::fields::Fields;
use crate::http::ui::own_url::OwnUrl;
use crate::http::ui::page::Page;
use crate::http::ui::viewer::Viewer;

pub(super) async fn page(viewer: Viewer) -> Response {
    form(&viewer, &Fields::default(), None)
}

/// The page with what was typed before, but for secrets, and what was wrong with it.
fn form(viewer: &Viewer, typed: &Fields, complaint: Option<String>) -> Response {
    let main = html! {
        h1 { "Add a runner" }
        @if let Some(complaint) = &complaint { p.complaint role="alert" { (complaint) } }
        div.columns {
            section { h2 { "Shuntyard logs in and sets it up" } (by_login(typed)) }
            section { h2 { "The host enrols itself" } (by_itself()) }
        }
    };
    Page::still("Add a runner", Some(Section::Runners), main).with(&["steps.js"]).response(viewer)
}

fn by_login(typed: &Fields) -> Markup {
    let text = |name: &str| typed.filled(name).map(str::to_owned);
    let port = text("port").unwrap_or_else(|| default_ssh_port().to_string());
    let slots = text("slots").unwrap_or_else(|| default_slots().to_string());
    html! {
        form method="post" action="/add-runner" data-steps="#steps" autocomplete="off" {
            label { "Name" input name="hostname" required maxlength="253" value=[text("hostname")] spellcheck="false"; }
            label { "Address" span.hint { " if the name does not resolve" } input name="address" value=[text("address")] spellcheck="false"; }
            label { "Port" input type="number" name="port" min="1" max="65535" value=(port); }
            label { "User" input name="user" required value=[text("user")] spellcheck="false"; }
            label { "Password" input type="password" name="password" autocomplete="off"; }
            details {
                summary { "A private key instead" }
                label { "Private key" textarea name="private_key" rows="5" spellcheck="false" {} }
                label { "Its passphrase" input type="password" name="passphrase" autocomplete="off"; }
            }
            label { "Labels" input name="labels" value=[text("labels")] spellcheck="false"; }
            label { "Slots" input type="number" name="slots" min="1" value=(slots); }
            label { "Host key" span.hint { " leave it empty to be shown it first" } input name="host_key" value=[text("host_key")] placeholder="SHA256:…" spellcheck="false"; }
            label { input type="checkbox" name="no_sudo" checked[typed.has("no_sudo")]; " Jobs run as this user; nothing is done with root's rights" }
            p.hint { "Password and key are used for this once and are never stored." }
            button.primary { "Add it" }
        }
        (steps::place(false))
    }
}

fn by_itself() -> Markup {
    html! {
        p { "Makes a token that is good once, and the command to type on the host. Nothing has to reach the host before." }
        form method="post" action="/add-runner/token" {
            label { "What it is for" input name="name" required maxlength="100"; }
            label { "Labels" input name="labels" spellcheck="false"; }
            label { "Slots" input type="number" name="slots" min="1" value=(default_slots()); }
            label { "Good for, in minutes" input type="number" name="minutes" min="1" max="43200" value=(default_ttl_s() / 60); }
            label { input type="checkbox" name="one_off"; " It takes one job and is then removed" }
            button { "Make a token" }
        }
    }
}

pub(super) async fn add(
    State(api): State<Api>,
    viewer: Viewer,
    Extension(Peer(peer)): Extension<Peer>,
    Extension(OverTls(secure)): Extension<OverTls>,
    fields: Fields,
) -> Result<Response, ApiError> {
    if !secure && !peer.ip().to_canonical().is_loopback() {
        let message =
            "a password or key is not sent over plain HTTP; open this page by https:// or on the server itself";
        return Err(bad("password", message.into(), &[]));
    }
    let hostname = fields.text("hostname")?;
    let labels = fields.words("labels");
    let request = InstallRunner {
        address: fields.filled("address").map(str::to_owned),
        port: fields.parsed("port")?.unwrap_or_else(default_ssh_port),
        user: fields.text("user")?,
        password: fields.secret("password"),
        private_key: fields.secret("private_key"),
        passphrase: fields.secret("passphrase"),
        host_key: fields.filled("host_key").map(str::to_owned),
        no_sudo: fields.has("no_sudo"),
        labels: (!labels.is_empty()).then_some(labels),
        capabilities: None,
        slots: fields.parsed("slots")?,
        one_off: false,
        scope: None,
        jump: None,
    };
    let told = api.dispatcher.install(hostname.clone(), request)?;
    let done = Done::at(page_of(&hostname)).saying(format!("{hostname} is a runner."));
    match steps::follow(&api, &viewer, told, done).await {
        // Without scripts this is the next page: nothing that was typed is lost.
        Err(refused) if !viewer.live => Ok(form(&viewer, &fields, Some(refused.sentence()))),
        answer => answer,
    }
}

/// Answers with the page itself: it is the only one that holds the token.
pub(super) async fn token(
    State(api): State<Api>,
    viewer: Viewer,
    caller: Caller,
    OwnUrl(url): OwnUrl,
    fields: Fields,
) -> Result<Response, ApiError> {
    let minutes: u32 = fields.parsed("minutes")?.unwrap_or(default_ttl_s() / 60);
    let wanted = CreateEnrolmentToken {
        name: fields.text("name")?,
        ttl_s: minutes.saturating_mul(60),
        cidr: None,
        hostname: None,
        labels: fields.words("labels"),
        capabilities: [].into(),
        scope: shuntyard_domain::runner::Scope::default(),
        slots: fields.parsed("slots")?.unwrap_or_else(default_slots),
        jump: None,
        one_off: fields.has("one_off"),
        dial_out: false,
    };
    let made = api.dispatcher.create_enrolment_token(enterprise()?, wanted, &caller.name).await?;
    let main = html! {
        h1 { "A token for " (made.about.name) }
        div.once {
            p { strong { "This is the only time that the token is shown." } " It is good until " (super::super::parts::at(&made.about.expires_at)) "." }
            p { "On the host, as root:" }
            pre.command { (enrol_command(&url, &made.token)) }
            @if url.starts_with("https:") { p.hint {
                "If this server has made its certificate itself, bring " code { "tls.crt" } " of its data directory to the host and type "
                code { "export CURL_CA_BUNDLE=tls.crt" } " first."
            } }
        }
        p { a.button href="/runners" { "To the runners" } " " a.button href="/settings/enrolment" { "All tokens" } }
    };
    Ok(Page::still("A token", Some(Section::Runners), main).response(&viewer))
}
