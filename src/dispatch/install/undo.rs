//! Taking back what a bootstrap did on a host.

use std::collections::BTreeSet;

use shuntyard_domain::wrapper::{
    SYSTEM_HOME, UninstallPlan, drop_key_script, parse_uninstall, uninstall_script, wrapper_version,
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

    /// As `undo`, when the install itself stopped in the middle and said what it had made.
    pub(super) async fn undo_partial(
        &self,
        session: &Session,
        rights: &Rights,
        system_mode: bool,
        made: &BTreeSet<String>,
        key: &NewKey,
    ) -> Undone {
        if made.is_empty() || self.before.is_some() {
            return Undone::default();
        }
        if !system_mode {
            // The base was not told; an empty private directory of the login user is all that can be there.
            return Undone { left_behind: made.iter().cloned().collect(), ..Undone::default() };
        }
        let base = format!("{SYSTEM_HOME}/runner");
        let wrapper = format!("{SYSTEM_HOME}/wrapper-{}", wrapper_version());
        let remove_user = made.contains("user");
        self.uninstall(session, rights, true, (&base, &wrapper), &key.public_line, remove_user)
            .await
            .unwrap_or_else(|_| Undone { left_behind: made.iter().cloned().collect(), ..Undone::default() })
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
