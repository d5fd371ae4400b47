//! Secrets of an enterprise, organisations, projects and runners: kept sealed, and told to nobody.
//!
//! A job that names one is handed the most specific: its runner's, else its project's, its organisation's, the enterprise's.

use std::collections::BTreeMap;

use shuntyard_domain::git_source::GitSource;
use shuntyard_domain::ids::RunnerId;
use shuntyard_domain::secret::{SecretName, SecretUse, check_secret, check_uses, secrets_needed_for};
use shuntyard_domain::tenancy::Name;
use zeroize::Zeroizing;

use super::engine_error::bad;
use super::{DispatchError, Dispatcher};
use crate::store::{
    SecretKey, SecretRow, StoreError, org_since, secret_delete, secret_first, secret_list, secret_of_a_runner,
    secret_set,
};

/// Who has a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretOwner {
    Enterprise(Name),
    Org(Name, Name),
    /// Enterprise, organisation, project.
    Project(Name, Name, Name),
    /// Enterprise, host name.
    Runner(Name, String),
}

impl std::fmt::Display for SecretOwner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Enterprise(name) => write!(f, "enterprise {name}"),
            Self::Org(_, org) => write!(f, "organisation {org}"),
            Self::Project(_, _, project) => write!(f, "project {project}"),
            Self::Runner(_, hostname) => write!(f, "runner {hostname}"),
        }
    }
}

/// Where a job's secrets are looked for.
#[derive(Clone, Copy)]
pub(super) struct Scope<'s> {
    /// Enterprise, organisation, project.
    pub(super) place: (&'s str, &'s str, &'s str),
    /// `None` before the job is placed.
    pub(super) runner: Option<RunnerId>,
}

impl Scope<'_> {
    /// The keys of a name, the most specific first.
    pub(super) fn keys(self, name: &str) -> Vec<SecretKey> {
        let (enterprise, org, project) = self.place;
        let key = |org: &str, project: &str, runner: String| SecretKey {
            enterprise: enterprise.to_owned(),
            org: org.to_owned(),
            project: project.to_owned(),
            runner,
            name: name.to_owned(),
        };
        let runner = self.runner.map(|id| key("", "", id.to_string()));
        let project = (!project.is_empty()).then(|| key(org, project, String::new()));
        let wider = [key(org, "", String::new()), key("", "", String::new())];
        runner.into_iter().chain(project).chain(wider).collect()
    }

    /// Where it was looked, for people.
    pub(super) fn told(self, hostname: &str) -> String {
        let (enterprise, org, project) = self.place;
        let project = if project.is_empty() { String::new() } else { format!(", project {project}") };
        format!("runner {hostname}{project}, organisation {org} and enterprise {enterprise}")
    }
}

pub(super) fn missing_for_git(project: &str, name: &str) -> String {
    if project.parse::<Name>().is_ok() {
        format!(
            "project {project} has no secret {name}, which a clone over ssh needs: `shunt secret set {name} --project {project}`"
        )
    } else {
        format!("a clone over ssh needs the secret {name} of a project, and the job belongs to none")
    }
}

impl Dispatcher {
    /// Keeps a secret, over what was there.
    ///
    /// # Errors
    /// `BadRequest` for a value that cannot be kept, `NoPlace` for an organisation and `NoRunner` for a runner that does
    /// not exist. A project need not exist: jobs name projects that nobody has made.
    pub async fn set_secret(
        &self,
        owner: &SecretOwner,
        name: &SecretName,
        value: Zeroizing<String>,
        by: &str,
    ) -> Result<(), DispatchError> {
        check_secret(&value).map_err(|wrong| bad("value", "the value cannot be kept", &[wrong.allowed]))?;
        let key = self.secret_key(owner, name.as_str()).await?;
        let sealed = self.0.sealer.seal(&context(&key), value.as_bytes())?;
        let (by, now_ms, kept) = (by.to_owned(), self.0.clock.now_ms(), key.clone());
        let keep = move || {
            let (kept, sealed, by) = (kept.clone(), sealed.clone(), by.clone());
            self.0.store.write(move |c| secret_set(c, &kept, &sealed, &by, now_ms))
        };
        match keep().await {
            // Another dispatcher kept its first value at the same moment.
            Err(StoreError::Conflict { .. }) => keep().await?,
            kept => kept?,
        }
        tracing::info!(secret = %key, "a secret was set");
        Ok(())
    }

    /// Names and times of the secrets of exactly this owner.
    ///
    /// # Errors
    /// As `set_secret`.
    pub async fn secrets(&self, owner: &SecretOwner) -> Result<Vec<SecretRow>, DispatchError> {
        let of = self.secret_key(owner, "").await?;
        Ok(self.0.store.read(move |c| secret_list(c, &of)).await?)
    }

    /// Forgets a secret; tells whether there was one.
    ///
    /// # Errors
    /// As `set_secret`.
    pub async fn delete_secret(&self, owner: &SecretOwner, name: &SecretName) -> Result<bool, DispatchError> {
        let key = self.secret_key(owner, name.as_str()).await?;
        let forgotten = key.clone();
        let removed = self.0.store.write(move |c| secret_delete(c, &forgotten)).await?;
        if removed {
            tracing::info!(secret = %key, "a secret was removed");
        }
        Ok(removed)
    }

    /// The key of a name of an owner who exists.
    async fn secret_key(&self, owner: &SecretOwner, name: &str) -> Result<SecretKey, DispatchError> {
        let key = |enterprise: &Name, org: &str, project: &str, runner: String| SecretKey {
            enterprise: enterprise.to_string(),
            org: org.to_owned(),
            project: project.to_owned(),
            runner,
            name: name.to_owned(),
        };
        Ok(match owner {
            SecretOwner::Enterprise(enterprise) => key(enterprise, "", "", String::new()),
            SecretOwner::Org(enterprise, org) => {
                self.check_org(enterprise, org).await?;
                key(enterprise, org.as_str(), "", String::new())
            }
            SecretOwner::Project(enterprise, org, project) => {
                self.check_org(enterprise, org).await?;
                key(enterprise, org.as_str(), project.as_str(), String::new())
            }
            SecretOwner::Runner(enterprise, hostname) => key(enterprise, "", "", self.runner(hostname)?.id.to_string()),
        })
    }

    async fn check_org(&self, enterprise: &Name, org: &Name) -> Result<(), DispatchError> {
        let (enterprise, org) = (enterprise.clone(), org.clone());
        let since = self.0.store.read(move |c| org_since(c, &enterprise, &org)).await?;
        since.map(drop).ok_or(DispatchError::NoPlace("organisation"))
    }

    /// Refuses a clone that cannot be made, as far as that is known now.
    pub(super) async fn check_git(
        &self,
        place: (&str, &str, &str),
        git: Option<&GitSource>,
        has_workspace: bool,
    ) -> Result<(), DispatchError> {
        let Some(git) = git else { return Ok(()) };
        if has_workspace {
            return Err(bad("git", "a job starts in a clone or in a workspace, not in both", &["one of the two"]));
        }
        git.check().map_err(|wrong| bad("git", wrong.to_string(), &[wrong.allowed]))?;
        for name in secrets_needed_for(git) {
            if !self.may_have(place, name).await? {
                return Err(bad("git", missing_for_git(place.2, name), &["a project with the secret"]));
            }
        }
        Ok(())
    }

    /// Refuses secrets that a job cannot be handed, as far as that is known before it is placed.
    pub(super) async fn check_secrets(
        &self,
        place: (&str, &str, &str),
        path: &str,
        uses: &[SecretUse],
        env: &BTreeMap<String, String>,
    ) -> Result<(), DispatchError> {
        check_uses(uses, env).map_err(|wrong| bad(path, wrong.to_string(), &[wrong.allowed]))?;
        for one in uses {
            let name = one.secret.as_str();
            if !self.may_have(place, name).await? {
                let (_, org, project) = place;
                let (of, flag) = match project {
                    "" => (String::new(), format!("--org {org}")),
                    project => (format!("project {project}, "), format!("--project {project}")),
                };
                let message = format!(
                    "there is no secret {name}: {of}organisation {org}, the enterprise and the runners have none; set it \
                     with `shunt secret set {name} {flag}`"
                );
                return Err(bad(path, message, &["a secret that is set"]));
            }
        }
        Ok(())
    }

    /// Tells whether a job of this place may find a secret, on some runner at least.
    async fn may_have(&self, place: (&str, &str, &str), name: &str) -> Result<bool, DispatchError> {
        let keys = Scope { place, runner: None }.keys(name);
        let (enterprise, name) = (place.0.to_owned(), name.to_owned());
        let look = move |c: &mut crate::store::Connection| {
            Ok::<_, StoreError>(secret_first(c, &keys)?.is_some() || secret_of_a_runner(c, &enterprise, &name)?)
        };
        Ok(self.0.store.read(look).await?)
    }
}

/// The associated data under which a secret is sealed; no name holds a slash.
pub(super) fn context(key: &SecretKey) -> String {
    format!("secret:{key}")
}
