//! Secrets of projects: kept sealed, told to nobody, opened at the moment in which a job's frame is written.

use std::collections::BTreeMap;

use shuntyard_domain::git_source::{GitAccess, GitSource};
use shuntyard_domain::job::Job;
use shuntyard_domain::secret::{
    GIT_KNOWN_HOSTS, GIT_SSH_KEY, GIT_TOKEN, GIT_USERNAME, SecretName, check_secret, secrets_for, secrets_needed_for,
};
use shuntyard_domain::tenancy::Name;
use zeroize::Zeroizing;

use super::engine_error::bad;
use super::{DispatchError, Dispatcher};
use crate::sealed::SealError;
use crate::store::{SecretKey, SecretRow, StoreError, org_since, secret_delete, secret_find, secret_list, secret_set};

/// What opens the repository of one job. Has no `Debug`: it is secret.
#[derive(Default)]
pub(super) struct Opened(BTreeMap<&'static str, Zeroizing<String>>);

impl Opened {
    pub(super) fn access(&self) -> GitAccess<'_> {
        let value = |name| self.0.get(name).map(|value: &Zeroizing<String>| value.as_str());
        GitAccess {
            username: value(GIT_USERNAME),
            token: value(GIT_TOKEN),
            ssh_key: value(GIT_SSH_KEY),
            known_hosts: value(GIT_KNOWN_HOSTS),
        }
    }
}

/// Why a clone has not got what opens its repository.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotOpened {
    #[error("{}", missing(project, name))]
    Missing { project: String, name: &'static str },
    #[error("the secret {key} cannot be used")]
    Sealed {
        key: SecretKey,
        #[source]
        source: SealError,
    },
    #[error("the secret {0} is no text")]
    NoText(SecretKey),
    /// It may pass.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn missing(project: &str, name: &str) -> String {
    if project.parse::<Name>().is_ok() {
        format!(
            "project {project} has no secret {name}, which a clone over ssh needs: `shunt secret set {name} --project {project}`"
        )
    } else {
        format!("a clone over ssh needs the secret {name} of a project, and the job belongs to none")
    }
}

/// The project that has a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretOwner {
    pub enterprise: Name,
    pub org: Name,
    pub project: Name,
}

impl SecretOwner {
    fn key(&self, name: &str) -> SecretKey {
        SecretKey {
            enterprise: self.enterprise.to_string(),
            org: self.org.to_string(),
            project: self.project.to_string(),
            name: name.to_owned(),
        }
    }
}

impl Dispatcher {
    /// Keeps a secret, over what was there.
    ///
    /// # Errors
    /// `BadRequest` for a value that cannot be kept, `NoPlace` for an organisation that does not exist. The project need
    /// not exist: jobs name projects that nobody has made.
    pub async fn set_secret(
        &self,
        owner: &SecretOwner,
        name: &SecretName,
        value: Zeroizing<String>,
        by: &str,
    ) -> Result<(), DispatchError> {
        check_secret(&value).map_err(|wrong| bad("value", "the value cannot be kept", &[wrong.allowed]))?;
        self.check_org(owner).await?;
        let key = owner.key(name.as_str());
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

    /// Names and times of a project's secrets.
    ///
    /// # Errors
    /// As `set_secret`.
    pub async fn secrets(&self, owner: &SecretOwner) -> Result<Vec<SecretRow>, DispatchError> {
        self.check_org(owner).await?;
        let of = owner.key("");
        Ok(self.0.store.read(move |c| secret_list(c, &of)).await?)
    }

    /// Forgets a secret; tells whether there was one.
    ///
    /// # Errors
    /// `Store`
    pub async fn delete_secret(&self, owner: &SecretOwner, name: &SecretName) -> Result<bool, DispatchError> {
        let key = owner.key(name.as_str());
        let forgotten = key.clone();
        let removed = self.0.store.write(move |c| secret_delete(c, &forgotten)).await?;
        if removed {
            tracing::info!(secret = %key, "a secret was removed");
        }
        Ok(removed)
    }

    async fn check_org(&self, owner: &SecretOwner) -> Result<(), DispatchError> {
        let (enterprise, org) = (owner.enterprise.clone(), owner.org.clone());
        let since = self.0.store.read(move |c| org_since(c, &enterprise, &org)).await?;
        since.map(drop).ok_or(DispatchError::NoPlace("organisation"))
    }

    /// Refuses a clone that cannot be made, as far as that is known now.
    pub(super) async fn check_git(
        &self,
        (enterprise, org, project): (&str, &str, &str),
        git: Option<&GitSource>,
        has_workspace: bool,
    ) -> Result<(), DispatchError> {
        let Some(git) = git else { return Ok(()) };
        if has_workspace {
            return Err(bad("git", "a job starts in a clone or in a workspace, not in both", &["one of the two"]));
        }
        git.check().map_err(|wrong| bad("git", wrong.to_string(), &[wrong.allowed]))?;
        for name in secrets_needed_for(git) {
            let key = key_of((enterprise, org, project), name);
            if self.0.store.read(move |c| secret_find(c, &key)).await?.is_none() {
                return Err(bad("git", missing(project, name), &["a project with the secret"]));
            }
        }
        Ok(())
    }

    /// Opens what the clone of this job may use; nothing for a job without one.
    pub(super) async fn open_for_clone(&self, job: &Job) -> Result<Opened, NotOpened> {
        let mut opened = Opened::default();
        let Some(source) = &job.spec.git else { return Ok(opened) };
        let origin = &job.origin;
        for name in secrets_for(source).iter().copied() {
            let key = key_of((&origin.enterprise, &origin.org, &origin.project), name);
            let wanted = key.clone();
            let Some(sealed) = self.0.store.read(move |c| secret_find(c, &wanted)).await? else { continue };
            let plain = self.0.sealer.open(&context(&key), &sealed);
            let plain = plain.map_err(|source| NotOpened::Sealed { key: key.clone(), source })?;
            let text = std::str::from_utf8(&plain).map_err(|_| NotOpened::NoText(key))?;
            opened.0.insert(name, Zeroizing::new(text.to_owned()));
        }
        match secrets_needed_for(source).iter().find(|name| !opened.0.contains_key(*name)) {
            Some(name) => Err(NotOpened::Missing { project: origin.project.clone(), name }),
            None => Ok(opened),
        }
    }
}

fn key_of((enterprise, org, project): (&str, &str, &str), name: &str) -> SecretKey {
    SecretKey { enterprise: enterprise.into(), org: org.into(), project: project.into(), name: name.into() }
}

/// The associated data under which a secret is sealed; no name holds a slash.
fn context(key: &SecretKey) -> String {
    format!("secret:{key}")
}
