//! What a job is handed that is secret: opened at the moment in which its frame is written, and masked in its output.
//!
//! What it was handed is kept sealed with the job until its end: only so a dispatcher that takes the job up after a
//! restart masks the right values, whatever has become of the secrets meanwhile.

use std::collections::BTreeMap;
use std::sync::Arc;

use shuntyard_domain::git_source::GitAccess;
use shuntyard_domain::ids::JobId;
use shuntyard_domain::job::{Job, JobSpec};
use shuntyard_domain::mask::Patterns;
use shuntyard_domain::secret::{
    GIT_KNOWN_HOSTS, GIT_SSH_KEY, GIT_TOKEN, GIT_USERNAME, GivenAs, MAX_GIVEN_BYTES, SecretName, secrets_for,
    secrets_needed_for,
};
use shuntyard_domain::wire::secret_files::FrameSecrets;
use zeroize::Zeroizing;

use super::inventory::Known;
use super::secrets::{Scope, context, missing_for_git};
use super::{DispatchError, Dispatcher};
use crate::sealed::SealError;
use crate::store::{SecretKey, StoreError, job_secrets_find, job_secrets_put, secret_first};

/// The secrets of one job, opened. Has no `Debug`: it is secret.
#[derive(Default)]
pub(super) struct Handed {
    git: BTreeMap<&'static str, Zeroizing<String>>,
    given: BTreeMap<SecretName, Zeroizing<String>>,
}

impl Handed {
    fn value(&self, name: &SecretName) -> Option<&str> {
        self.given.get(name).map(|value: &Zeroizing<String>| value.as_str())
    }

    /// What of it is in the frame beside variables.
    pub(super) fn for_frame<'h>(&'h self, spec: &'h JobSpec) -> FrameSecrets<'h> {
        let git = |name| self.git.get(name).map(|value: &Zeroizing<String>| value.as_str());
        let files = spec.secrets.iter().filter(|one| matches!(one.given, GivenAs::File { .. }));
        FrameSecrets {
            git: GitAccess {
                username: git(GIT_USERNAME),
                token: git(GIT_TOKEN),
                ssh_key: git(GIT_SSH_KEY),
                known_hosts: git(GIT_KNOWN_HOSTS),
            },
            files: files.filter_map(|one| Some((one.secret.as_str(), self.value(&one.secret)?))).collect(),
        }
    }

    /// The variables that hold secrets.
    pub(super) fn variables(&self, spec: &JobSpec) -> Vec<(String, String)> {
        let variable = |one: &shuntyard_domain::secret::SecretUse| match &one.given {
            GivenAs::Variable(name) => Some((name.clone(), self.value(&one.secret)?.to_owned())),
            GivenAs::File { .. } => None,
        };
        spec.secrets.iter().filter_map(variable).collect()
    }

    /// What must not be read in what the job says. Names of users and keys of hosts are in many texts, and open nothing.
    fn masked(&self) -> Vec<&str> {
        let of_git = [GIT_TOKEN, GIT_SSH_KEY].into_iter().filter_map(|name| self.git.get(name));
        of_git.chain(self.given.values()).map(|value| value.as_str()).collect()
    }
}

/// Why a job has not got its secrets.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotOpened {
    #[error("{}", missing_for_git(project, name))]
    MissingForGit { project: String, name: &'static str },
    #[error("there is no secret {name} for this job: {places} have none; set it with `shunt secret set {name}`")]
    Missing { name: SecretName, places: String },
    #[error("the job's secrets have {found} bytes, and a job can be handed 262144")]
    TooLarge { found: usize },
    #[error("the secret {key} cannot be used")]
    Sealed {
        key: SecretKey,
        #[source]
        source: SealError,
    },
    #[error("the secret {0} is no text")]
    NoText(SecretKey),
    #[error("what the job is handed cannot be kept")]
    NotKept(#[source] Box<DispatchError>),
    /// It may pass.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Dispatcher {
    /// Opens the secrets of a job that is about to start on a runner, and keeps what has to be masked.
    pub(super) async fn hand_over(
        &self,
        job: &Job,
        known: &Known,
    ) -> Result<(Handed, Option<Arc<Patterns>>), NotOpened> {
        let mut handed = Handed::default();
        if !job.spec.may_hold_secrets() {
            return Ok((handed, None));
        }
        let origin = &job.origin;
        let scope = Scope { place: (&origin.enterprise, &origin.org, &origin.project), runner: Some(known.runner.id) };
        self.open_for_git(job, scope, &mut handed).await?;
        for one in &job.spec.secrets {
            if handed.given.contains_key(&one.secret) {
                continue;
            }
            let Some(value) = self.open_secret(scope, one.secret.as_str()).await? else {
                let places = scope.told(&known.runner.hostname);
                return Err(NotOpened::Missing { name: one.secret.clone(), places });
            };
            handed.given.insert(one.secret.clone(), value);
        }
        let found = handed.given.values().map(|value| value.len()).sum();
        if found > MAX_GIVEN_BYTES {
            return Err(NotOpened::TooLarge { found });
        }
        let masks = self.keep_handed(job.id, &handed).await.map_err(|error| match error {
            DispatchError::Store(error) => NotOpened::Store(error),
            error => NotOpened::NotKept(Box::new(error)),
        })?;
        Ok((handed, masks))
    }

    /// Opens what the clone of a job may use.
    async fn open_for_git(&self, job: &Job, scope: Scope<'_>, handed: &mut Handed) -> Result<(), NotOpened> {
        let Some(source) = &job.spec.git else { return Ok(()) };
        for name in secrets_for(source).iter().copied() {
            if let Some(value) = self.open_secret(scope, name).await? {
                handed.git.insert(name, value);
            }
        }
        match secrets_needed_for(source).iter().find(|name| !handed.git.contains_key(*name)) {
            Some(name) => Err(NotOpened::MissingForGit { project: job.origin.project.clone(), name }),
            None => Ok(()),
        }
    }

    /// Opens the most specific secret of this name.
    async fn open_secret(&self, scope: Scope<'_>, name: &str) -> Result<Option<Zeroizing<String>>, NotOpened> {
        let keys = scope.keys(name);
        let Some((key, sealed)) = self.0.store.read(move |c| secret_first(c, &keys)).await? else { return Ok(None) };
        let plain = self.0.sealer.open(&context(&key), &sealed);
        let plain = plain.map_err(|source| NotOpened::Sealed { key: key.clone(), source })?;
        let text = std::str::from_utf8(&plain).map_err(|_| NotOpened::NoText(key))?;
        Ok(Some(Zeroizing::new(text.to_owned())))
    }

    /// Keeps the values that are masked in what the job says, before anything of it is sent.
    async fn keep_handed(&self, id: JobId, handed: &Handed) -> Result<Option<Arc<Patterns>>, DispatchError> {
        let values = handed.masked();
        if values.is_empty() {
            return Ok(None);
        }
        let plain = Zeroizing::new(serde_json::to_vec(&values).map_err(|_| DispatchError::Interrupted)?);
        let sealed = self.0.sealer.seal(&handed_context(id), &plain)?;
        self.0.store.write(move |c| job_secrets_put(c, id, &sealed)).await?;
        patterns_of(plain).await.map(Some)
    }

    /// What is masked in the output of a job that was started before.
    ///
    /// # Errors
    /// `Store`; `Seal` when what it was handed cannot be opened: its output is not to be taken then.
    pub(super) async fn masks_of(&self, job: &Job) -> Result<Option<Arc<Patterns>>, DispatchError> {
        if !job.spec.may_hold_secrets() {
            return Ok(None);
        }
        let id = job.id;
        match self.0.store.read(move |c| job_secrets_find(c, id)).await? {
            Some(sealed) => patterns_of(self.0.sealer.open(&handed_context(id), &sealed)?).await.map(Some),
            // Nothing was sent: it is kept before. If there is output all the same, nobody knows what it shows.
            None if !job.spec.secrets.is_empty() => Ok(Some(Arc::new(Patterns::everything()))),
            None => Ok(None),
        }
    }
}

/// The patterns of a JSON list of values. Large values take a while.
async fn patterns_of(values: Zeroizing<Vec<u8>>) -> Result<Arc<Patterns>, DispatchError> {
    let made = tokio::task::spawn_blocking(move || {
        let values: Vec<Zeroizing<String>> = match serde_json::from_slice::<Vec<String>>(&values) {
            Ok(values) => values.into_iter().map(Zeroizing::new).collect(),
            Err(_) => return Patterns::everything(),
        };
        Patterns::of(values.iter().map(|value| value.as_str()))
    });
    made.await.map(Arc::new).map_err(|_| DispatchError::Interrupted)
}

/// The associated data under which is sealed what a job was handed.
fn handed_context(id: JobId) -> String {
    handed_context_of(&id.to_string())
}

/// The same, by the text of its id.
pub(super) fn handed_context_of(id: &str) -> String {
    format!("job:{id}:secrets")
}
