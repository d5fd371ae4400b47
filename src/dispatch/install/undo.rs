//! Taking back what a bootstrap did on a host.

use shuntyard_domain::wrapper::{
    InstallFault, SYSTEM_HOME, SYSTEM_USER, UninstallPlan, drop_key_script, parse_uninstall, uninstall_script,
    wrapper_version,
};

use super::{Install, NewKey, Placed};
use crate::ssh::Session;
use crate::ssh::bootstrap::{Rights, ScriptError, nonce, run_script};

/// What went, and what could not go.
#[derive(Default)]
pub(super) struct Undone {
    pub rolled_back: Vec<String>,
    pub left_behind: Vec<String>,
}

impl Install<'_> {
    /// After a failure: a first bootstrap leaves nothing. A refresh, and one that found a base directory, only take
    /// their new key away: wrapper and base are those of a runner that goes on working.
    pub(super) async fn undo(&self, placed: &Placed) -> Undone {
        let (session, rights) = (&placed.session, &placed.rights);
        let result = if self.before.is_some() || !placed.installed.made.contains("base") {
            self.drop_key(session, rights, placed.system_mode, &placed.installed.base_dir, &placed.key.public_line)
                .await
        } else {
            let installed = &placed.installed;
            let remove_user = installed.made.contains("user");
            let key = &placed.key.public_line;
            let paths = (installed.base_dir.as_str(), installed.wrapper_path.as_str());
            self.uninstall(session, rights, placed.system_mode, paths, key, remove_user).await
        };
        result.unwrap_or_else(|error| Undone {
            left_behind: vec![format!("{} and the key in authorized_keys: {error}", placed.installed.wrapper_path)],
            ..Undone::default()
        })
    }

    /// As `undo`, when the install itself failed. What it had made is known when it said so to its end.
    pub(super) async fn undo_partial(
        &self,
        session: &Session,
        rights: &Rights,
        system_mode: bool,
        error: &ScriptError,
        key: &NewKey,
    ) -> Undone {
        match error {
            ScriptError::Install { source: InstallFault::Refused { made, .. }, .. } if made.is_empty() => {
                Undone::default()
            }
            ScriptError::Install { source: InstallFault::Refused { made, .. }, .. }
                if system_mode && made.contains("base") && self.before.is_none() =>
            {
                let base = format!("{SYSTEM_HOME}/runner");
                let wrapper = format!("{SYSTEM_HOME}/wrapper-{}", wrapper_version());
                let (paths, user) = ((base.as_str(), wrapper.as_str()), made.contains("user"));
                self.uninstall(session, rights, true, paths, &key.public_line, user)
                    .await
                    .unwrap_or_else(|_| Undone { left_behind: made.iter().cloned().collect(), ..Undone::default() })
            }
            ScriptError::Install { source: InstallFault::Refused { made, .. }, .. } => {
                // The base was not told; a private directory with the wrapper in it is all that can be there.
                let mut undone = self.take_key_back(session, rights, system_mode, key).await;
                undone.left_behind.extend(made.iter().filter(|made| *made != "key").cloned());
                undone
            }
            ScriptError::Plan(_) | ScriptError::Random => Undone::default(),
            ScriptError::Exec(_) | ScriptError::Answer { .. } | ScriptError::Install { .. } => {
                let mut undone = self.take_key_back(session, rights, system_mode, key).await;
                if self.before.is_none() {
                    undone.left_behind.push(whatever_was_begun(system_mode));
                }
                undone
            }
        }
    }

    /// Removes the new key, over a new connection when the first one is lost.
    async fn take_key_back(&self, session: &Session, rights: &Rights, system_mode: bool, key: &NewKey) -> Undone {
        let again = if session.is_closed() { self.login().await.map(Some) } else { Ok(None) };
        let dropped = match &again {
            Ok(again) => {
                let session = again.as_ref().unwrap_or(session);
                let base = format!("{SYSTEM_HOME}/runner");
                self.drop_key(session, rights, system_mode, &base, &key.public_line).await.map_err(|e| e.to_string())
            }
            Err(error) => Err(error.to_string()),
        };
        if let Ok(Some(again)) = again {
            again.close().await;
        }
        dropped.unwrap_or_else(|why| Undone {
            left_behind: vec![format!(
                "perhaps a line ending in job_runner@{} in authorized_keys: {why}",
                self.checked.hostname
            )],
            ..Undone::default()
        })
    }

    async fn uninstall(
        &self,
        session: &Session,
        rights: &Rights,
        system_mode: bool,
        (base_dir, wrapper_path): (&str, &str),
        public_key_line: &str,
        remove_user: bool,
    ) -> Result<Undone, ScriptError> {
        let nonce = nonce()?;
        let script = uninstall_script(&UninstallPlan {
            nonce: &nonce,
            system_mode,
            base_dir,
            wrapper_path,
            public_key_line: Some(public_key_line),
            hostname: &self.checked.hostname,
            kill_jobs: true,
            remove_user,
        })?;
        let answer = run_script(session, rights, &script, &nonce, parse_uninstall).await?;
        Ok(Undone { rolled_back: answer.removed, left_behind: answer.left })
    }

    async fn drop_key(
        &self,
        session: &Session,
        rights: &Rights,
        system_mode: bool,
        base_dir: &str,
        public_key_line: &str,
    ) -> Result<Undone, ScriptError> {
        let nonce = nonce()?;
        let script = drop_key_script(&nonce, system_mode, base_dir, public_key_line)?;
        let answer = run_script(session, rights, &script, &nonce, parse_uninstall).await?;
        Ok(Undone { rolled_back: answer.removed, left_behind: answer.left })
    }

    /// The key of the earlier bootstrap is of no use any more; what could not go is said.
    pub(super) async fn drop_old_key(&self, placed: &Placed) -> Vec<String> {
        let Some(known) = self.before else { return Vec::new() };
        let (base, line) = (&placed.installed.base_dir, &known.runner.openssh_public_key);
        match self.drop_key(&placed.session, &placed.rights, placed.system_mode, base, line).await {
            Ok(undone) => undone.left_behind,
            Err(error) => vec![format!("the runner's earlier key: {error}")],
        }
    }
}

/// What an install that was cut off may have made.
fn whatever_was_begun(system_mode: bool) -> String {
    if system_mode {
        format!("perhaps the account {SYSTEM_USER} and {SYSTEM_HOME}")
    } else {
        "perhaps a private directory with the wrapper, such as ~/.cache/shuntyard".to_owned()
    }
}
