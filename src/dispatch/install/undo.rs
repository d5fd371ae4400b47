//! Taking back what a bootstrap did on a host.

use std::collections::BTreeSet;

use shuntyard_domain::wrapper::{Begun, UninstallPlan, drop_key_script, parse_uninstall, uninstall_script};

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
    /// After a failure: a first bootstrap leaves nothing; a refresh only takes its new key away, because
    /// wrapper and base are those of the runner that goes on working with its earlier key.
    pub(super) async fn undo(&self, placed: &Placed) -> Undone {
        let installed = &placed.installed;
        let begun = Begun {
            made: installed.made.clone(),
            places: Some((installed.base_dir.clone(), installed.wrapper_path.clone())),
        };
        self.undo_begun(&placed.session, &placed.rights, placed.system_mode, &begun, &placed.key).await
    }

    /// As `undo`, also when the install itself stopped in the middle and said what it had made.
    pub(super) async fn undo_begun(
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
        let result = if self.before.is_some() {
            self.drop_key(session, rights, system_mode, base, &key.public_line).await
        } else {
            self.uninstall(session, rights, system_mode, (base, wrapper), &key.public_line, &begun.made).await
        };
        result.unwrap_or_else(|error| Undone {
            left_behind: vec![format!("{wrapper} and the key in authorized_keys: {error}")],
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
        let result = if earlier.system_mode == placed.system_mode {
            let (base, line) = (&placed.installed.base_dir, &runner.openssh_public_key);
            self.drop_key(&placed.session, &placed.rights, placed.system_mode, base, line).await
        } else if !earlier.system_mode && runner.endpoint.user == self.checked.dial.user {
            let paths = (earlier.base_dir.as_str(), earlier.wrapper_path.as_str());
            let (key, made) = (&runner.openssh_public_key, BTreeSet::new());
            self.uninstall(&placed.session, &Rights::Login, false, paths, key, &made).await
        } else {
            // Another account's files, or root's, whose rights were not to be used.
            return whatever_is_left(known);
        };
        match result {
            Ok(undone) => undone.left_behind,
            Err(error) => vec![format!("the runner's earlier key: {error}")],
        }
    }
}
