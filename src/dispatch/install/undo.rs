//! Taking back what a bootstrap did on a host.

use std::collections::BTreeSet;

use shuntyard_domain::via::Via;
use shuntyard_domain::wrapper::{
    Begun, SYSTEM_HOME, SYSTEM_USER, UninstallPlan, drop_key_script, parse_uninstall, uninstall_script,
};

use super::{Install, NewKey, Placed};
use crate::dispatch::uninstall::whatever_is_left;
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
        let installed = &placed.installed;
        let begun = Begun {
            made: installed.made.clone(),
            places: Some((installed.base_dir.clone(), installed.wrapper_path.clone())),
        };
        self.undo_begun(&placed.session, &placed.rights, placed.system_mode, &begun, &placed.key).await
    }

    /// As `undo`, also when the install itself stopped in the middle and said what it had made.
    async fn undo_begun(
        &self,
        session: &Session,
        rights: &Rights,
        system_mode: bool,
        begun: &Begun,
        key: &NewKey,
    ) -> Undone {
        let Some((base, wrapper)) = &begun.places else { return Undone::default() };
        if begun.made.is_empty() {
            return Undone::default();
        }
        let found = !["user", "home", "base"].iter().any(|place| begun.made.contains(*place));
        let result = if self.before.is_some() || found {
            self.drop_key(session, rights, system_mode, base, &key.public_line).await
        } else {
            self.uninstall(session, rights, system_mode, (base, wrapper), &key.public_line, &begun.made).await
        };
        result.unwrap_or_else(|error| Undone {
            left_behind: vec![format!("{wrapper} and the key in authorized_keys: {error}")],
            ..Undone::default()
        })
    }

    /// As `undo`, when the install itself failed. A lost channel does not say what it had made by then.
    pub(super) async fn undo_partial(
        &self,
        session: &Session,
        rights: &Rights,
        system_mode: bool,
        error: &ScriptError,
        key: &NewKey,
    ) -> Undone {
        if let Some(begun) = error.begun() {
            return self.undo_begun(session, rights, system_mode, begun, key).await;
        }
        match error {
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
        let line = format!("job_runner@{} in authorized_keys", self.checked.hostname);
        dropped.unwrap_or_else(|why| Undone {
            left_behind: vec![format!("perhaps a line ending in {line}: {why}")],
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
        made: &BTreeSet<String>,
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
            remove_user: made.contains("user"),
            made,
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
    pub(super) async fn drop_earlier(&self, placed: &Placed) -> Vec<String> {
        let Some(known) = self.before else { return Vec::new() };
        let (runner, earlier) = (&known.runner, &known.runner.installation);
        let (was, is) = (&runner.endpoint, &self.checked.dial);
        let same_user = was.user == is.user;
        let same_host = (&was.address, was.port, &was.via) == (&is.address, is.port, &self.via);
        let same_account = earlier.system_mode == placed.system_mode && (placed.system_mode || same_user);
        let result = if (same_host && same_account) || earlier.instance_id == placed.installed.instance_id {
            let (base, line) = (&placed.installed.base_dir, &runner.openssh_public_key);
            self.drop_key(&placed.session, &placed.rights, placed.system_mode, base, line).await
        } else if same_host && same_user && !earlier.system_mode && self.via != Via::DialOut {
            let paths = (earlier.base_dir.as_str(), earlier.wrapper_path.as_str());
            let (key, made) = (&runner.openssh_public_key, BTreeSet::new());
            self.uninstall(&placed.session, &Rights::Login, false, paths, key, &made).await
        } else {
            // Another account's files, or root's, whose rights were not to be used; or those that keep the tunnel up.
            return whatever_is_left(known);
        };
        match result {
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
