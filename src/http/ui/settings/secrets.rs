//! Secrets that jobs are handed: their names are seen here, their values never.

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;
use shuntyard_domain::access::Place;
use shuntyard_domain::secret::SecretName;
use shuntyard_domain::tenancy::Name;
use shuntyard_domain::wire::time_text::rfc3339;
use zeroize::Zeroizing;

use crate::dispatch::{DispatchError, SecretOwner};
use crate::http::Api;
use crate::http::access::{Administer, Caller};
use crate::http::error::ApiError;
use crate::http::pages::bad;
use crate::http::path::enterprise;
use crate::http::query::{ApiQuery, filled, parsed};
use crate::http::ui::done::Done;
use crate::http::ui::fields::Fields;
use crate::http::ui::parts::{self, Ask, ask_about};
use crate::http::ui::viewer::Viewer;
use crate::store::SecretRow;

#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Whose {
    org: Option<String>,
    project: Option<String>,
}

impl Whose {
    fn of(fields: &Fields) -> Self {
        let text = |name: &str| fields.filled(name).map(str::to_owned);
        Self { org: text("org"), project: text("project") }
    }

    /// Whose they are, once it is known that the caller is an admin there.
    fn owner(&self, caller: &Caller) -> Result<SecretOwner, ApiError> {
        let enterprise = enterprise()?;
        let org: Option<Name> = parsed("org", filled(self.org.as_ref()))?;
        let project: Option<Name> = parsed("project", filled(self.project.as_ref()))?;
        let (place, owner) = match (org, project) {
            (None, None) => (Place::Enterprise, SecretOwner::Enterprise(enterprise)),
            (Some(org), None) => (Place::Org(org.clone()), SecretOwner::Org(enterprise, org)),
            (Some(org), Some(project)) => {
                (Place::Project(org.clone(), project.clone()), SecretOwner::Project(enterprise, org, project))
            }
            (None, Some(_)) => return Err(bad("org", "a project lies in an organisation".into(), &[])),
        };
        caller.check(Administer::ROLES, &place)?;
        Ok(owner)
    }

    fn is_unsaid(&self) -> bool {
        filled(self.org.as_ref()).is_none() && filled(self.project.as_ref()).is_none()
    }

    /// What sets one of theirs.
    fn command(&self) -> String {
        let flag = |name: &str, value: &Option<String>| {
            filled(value.as_ref()).map(|value| format!(" --{name} {value}")).unwrap_or_default()
        };
        let of = flag("org", &self.org) + &flag("project", &self.project);
        let of = if of.is_empty() { " --whole-enterprise" } else { &of };
        format!("shunt secret set NAME{of}")
    }

    fn page(&self) -> String {
        parts::address("/settings/secrets", &[("org", self.org.as_deref()), ("project", self.project.as_deref())])
    }

    fn hidden(&self) -> Markup {
        html! {
            @if let Some(org) = &self.org { input type="hidden" name="org" value=(org); }
            @if let Some(project) = &self.project { input type="hidden" name="project" value=(project); }
        }
    }
}

pub(super) async fn page(
    State(api): State<Api>,
    viewer: Viewer,
    ApiQuery(whose): ApiQuery<Whose>,
) -> Result<Response, ApiError> {
    let caller = viewer.known()?;
    // None for an admin of the enterprise, whose secrets are meant when nobody's are asked for.
    let own = if whose.is_unsaid() { own_places(caller) } else { Vec::new() };
    if !own.is_empty() {
        return Ok(super::page(&viewer, "Secrets", &choice(&own)));
    }
    let owner = whose.owner(caller)?;
    let rows = api.dispatcher.secrets(&owner).await?;
    let inside = html! {
        form.filterbox method="get" action="/settings/secrets" {
            label { "Organisation " input name="org" value=(whose.org.as_deref().unwrap_or_default()) size="14" spellcheck="false"; }
            label { "Project " input name="project" value=(whose.project.as_deref().unwrap_or_default()) size="14" spellcheck="false"; }
            button { "Show" }
            span.hint { "Both empty: those of the enterprise." }
        }
        h2 { "Secrets of " (owner) }
        @if rows.is_empty() { (parts::empty("There is none here. On the command line:", &whose.command())) } @else { (table(&rows, &whose)) }
        h2 { "Set a secret" }
        form method="post" action="/settings/secrets" autocomplete="off" {
            (whose.hidden())
            label { "Name" input name="name" required spellcheck="false"; }
            label { "Value" textarea name="value" rows="3" required autocomplete="off" spellcheck="false" {} }
            p.hint { "It is never shown again, here or anywhere. A job is handed it when it names it, and it is masked in its log." }
            button.primary { "Set it" }
        }
    };
    Ok(super::page(&viewer, "Secrets", &inside))
}

/// The organisations and projects whose admin the reader is; none for one of the whole enterprise.
fn own_places(caller: &Caller) -> Vec<Whose> {
    let whose = |place| match place {
        Place::Enterprise => Whose::default(),
        Place::Org(org) => Whose { org: Some(org.to_string()), project: None },
        Place::Project(org, project) => Whose { org: Some(org.to_string()), project: Some(project.to_string()) },
    };
    caller.within(Administer::ROLES).unwrap_or_default().into_iter().map(whose).collect()
}

/// For who may not see those of the enterprise.
fn choice(own: &[Whose]) -> Markup {
    html! {
        p { "Whose secrets?" }
        ul.rows { @for whose in own {
            li { a href=(whose.page()) { (whose.org.as_deref().unwrap_or_default()) @if let Some(project) = &whose.project { "/" (project) } } }
        } }
    }
}

fn table(rows: &[SecretRow], whose: &Whose) -> Markup {
    html! { div.table { table {
        thead { tr { th { "Name" } th { "Set" } th { "By" } th { span.unseen { "Delete" } } } }
        tbody { @for row in rows { tr {
            td { code { (row.name) } }
            td { (parts::ago(&rfc3339(row.updated_at_ms))) }
            td { (row.updated_by) }
            td { (ask_about(&Ask { button: "Delete", danger: true, action: "/settings/secrets/delete" }, row.name.as_str(), &html! {
                (whose.hidden())
                input type="hidden" name="name" value=(row.name);
                p { "Jobs that name it can no longer start." }
                button.danger { "Delete " (row.name) }
            })) }
        } } }
    } } }
}

pub(super) async fn set(State(api): State<Api>, caller: Caller, fields: Fields) -> Result<Done, ApiError> {
    let whose = Whose::of(&fields);
    let owner = whose.owner(&caller)?;
    let name: SecretName = fields.text("name")?.parse().map_err(DispatchError::BadName)?;
    let value = fields.secret("value").ok_or_else(|| bad("value", "the secret has no value".into(), &[]))?;
    api.dispatcher.set_secret(&owner, &name, Zeroizing::new(value), &caller.name).await?;
    Ok(Done::at(whose.page()).saying(format!("{name} is set.")))
}

pub(super) async fn delete(State(api): State<Api>, caller: Caller, fields: Fields) -> Result<Done, ApiError> {
    let whose = Whose::of(&fields);
    let owner = whose.owner(&caller)?;
    let name: SecretName = fields.text("name")?.parse().map_err(DispatchError::BadName)?;
    if !api.dispatcher.delete_secret(&owner, &name).await? {
        return Err(ApiError::NotFound(format!("{owner} has no secret `{name}`")));
    }
    Ok(Done::at(whose.page()).saying(format!("{name} is deleted.")))
}
