//! The first half of a bootstrap: from a login to files on the host.

use std::sync::Arc;

use shuntyard_domain::facts::facts_from;
use shuntyard_domain::wire::api::StepEvent;
use shuntyard_domain::wrapper::SYSTEM_USER;
use shuntyard_domain::wrapper::install::{InstallPlan, Installed, install_script, parse_install};
use shuntyard_domain::wrapper::probe::{ProbedHost, Sudo, facts_script, parse_facts, parse_sudo, sudo_probe_script};

use super::undo::Undone;
use super::{AGAIN, Checked, Failed, Install, NewKey, Placed, plan};
use crate::dispatch::DispatchError;
use crate::dispatch::closing::Closed;
use crate::dispatch::retire::{retire_hash, retire_secret};
use crate::dispatch::steps::Failure;
use crate::ssh::bootstrap::{Rights, ScriptError, last_line, nonce, run_install, run_script};
use crate::ssh::{ConnectError, Credential, Session, fingerprint, generate_runner_key, load_private_key};

/// For steps that leave nothing to undo.
fn failed_at(step: &'static str) -> impl FnOnce(Failure) -> Failed {
    move |failure| Failed { step, failure, undone: Undone::default() }
}

impl Install<'_> {
    /// Everything up to files on the host; `None` when the host key is to be confirmed first.
    pub(super) async fn place(&self) -> Result<Option<Placed>, Failed> {
        let Some(session) = self.connect().await.map_err(failed_at("connect"))? else { return Ok(None) };
        let placed = match self.close_to_jobs().await {
            Ok(closed) => self.place_over(&session, closed).await,
            Err(failure) => Err(failed_at("connect")(failure)),
        };
        if placed.is_err() {
            session.close().await;
        }
        placed.map(Some)
    }

    /// Files and keys of a runner change under its jobs' feet; they must end first. The host has been reached by now: a
    /// first try, which only asks for the host key, disturbs nobody.
    async fn close_to_jobs(&self) -> Result<Option<Closed>, Failure> {
        let Some(known) = self.before else { return Ok(None) };
        self.engine.close_to_jobs(known, false).await.map(Some).map_err(|error| {
            let busy = matches!(error, DispatchError::RunnerBusy { .. });
            Failure::new(error, if busy { "wait for them, or cancel them with `shunt cancel`" } else { AGAIN })
        })
    }

    async fn place_over(&self, session: &Session, closed: Option<Closed>) -> Result<Placed, Failed> {
        let host = self.facts(session).await.map_err(failed_at("facts"))?;
        let (rights, system_mode) = self.rights(session).await.map_err(failed_at("sudo"))?;
        let key = self.make_key().map_err(failed_at("key"))?;
        let installed = match self.put(session, &rights, system_mode, &key).await {
            Ok(installed) => installed,
            Err(error) => {
                let undone = self.undo_partial(session, &rights, system_mode, &error, &key).await;
                return Err(Failed { step: "install", failure: install_failure(&error), undone });
            }
        };
        Ok(Placed { session: session.clone(), rights, system_mode, installed, key, host, _closed: closed })
    }

    async fn connect(&self) -> Result<Option<Session>, Failure> {
        let Checked { dial, .. } = self.checked;
        self.steps.began("connect", &format!("connecting to {} as {}", dial.at(), dial.user));
        match self.login().await {
            Ok(session) => {
                let shown = fingerprint(&session.host_key_line()).unwrap_or_default();
                self.steps.done("connect", format!("{} as {}, host key {shown}", dial.at(), dial.user));
                Ok(Some(session))
            }
            Err(ConnectError::HostKeyUnconfirmed { fingerprint, key_type, .. }) => {
                self.steps.tell(StepEvent::HostKeyUnconfirmed { fingerprint, key_type });
                Ok(None)
            }
            Err(error) => {
                let advice = plan::connect_advice(&error);
                Err(Failure::new(error, advice))
            }
        }
    }

    /// Logs in with what the admin gave.
    pub(super) async fn login(&self) -> Result<Session, ConnectError> {
        let Checked { dial, credential, policy, .. } = self.checked;
        let (tasks, settings) = (&self.engine.0.tasks, self.engine.0.pool.settings());
        Session::connect_with(dial, credential, policy, tasks, settings).await
    }

    async fn facts(&self, session: &Session) -> Result<ProbedHost, Failure> {
        self.steps.began("facts", "asking the host what it is");
        let nonce = nonce().map_err(script_failure)?;
        let script = facts_script(&nonce);
        let host: ProbedHost =
            run_script(session, &Rights::Login, &script, &nonce, parse_facts).await.map_err(script_failure)?;
        let facts = facts_from(&host);
        self.steps.done(
            "facts",
            format!(
                "{} {} ({}), {}, {} cpus",
                facts.platform, facts.platform_version, facts.platform_family, facts.arch, facts.cpus
            ),
        );
        Ok(host)
    }

    /// Whose rights the install has, and whether jobs run as `job_runner`.
    async fn rights(&self, session: &Session) -> Result<(Rights, bool), Failure> {
        if self.checked.no_sudo {
            self.steps.done("sudo", format!("not asked for: jobs run as {}", self.checked.dial.user));
            return Ok((Rights::Login, false));
        }
        self.steps.began("sudo", "looking for root's rights");
        let nonce = nonce().map_err(script_failure)?;
        let script = sudo_probe_script(&nonce);
        let sudo = run_script(session, &Rights::Login, &script, &nonce, parse_sudo).await.map_err(script_failure)?;
        let no_sudo = "or use --no-sudo: jobs then run as the login user";
        let (rights, how) = match (sudo, &self.checked.credential) {
            (Sudo::Root, _) => (Rights::Login, "the login is root"),
            (Sudo::Passwordless, _) => (Rights::Sudo, "sudo without a password"),
            (Sudo::Password, Credential::Password(password)) => {
                (Rights::SudoPassword(password.clone()), "sudo with the password")
            }
            (Sudo::Password, Credential::Key(_)) => {
                return Err(Failure::new(
                    format!("sudo asks {} for a password", self.checked.dial.user),
                    format!("log in with --password, {no_sudo}"),
                ));
            }
            (Sudo::None, _) => {
                return Err(Failure::new(
                    format!("{} is not root and there is no sudo", self.checked.dial.user),
                    format!("log in as root or as a user with sudo, {no_sudo}"),
                ));
            }
        };
        self.prove_root(session, &rights).await?;
        self.steps.done("sudo", format!("{how}: jobs will run as {SYSTEM_USER}"));
        Ok((rights, true))
    }

    /// A user whom sudo does not know looks like one who must give a password: only trying tells.
    async fn prove_root(&self, session: &Session, rights: &Rights) -> Result<(), Failure> {
        if matches!(rights, Rights::Login) {
            return Ok(());
        }
        let nonce = nonce().map_err(script_failure)?;
        let found = run_script(session, rights, &sudo_probe_script(&nonce), &nonce, parse_sudo).await;
        let user = &self.checked.dial.user;
        let why = match found {
            Ok(Sudo::Root) => return Ok(()),
            Ok(_) => format!("sudo gives {user} other rights than root's"),
            Err(ScriptError::Answer { stderr, .. }) => format!("sudo refuses {user}: {}", last_line(&stderr)),
            Err(error) => return Err(script_failure(error)),
        };
        Err(Failure::new(
            why,
            "log in as root or as a user with sudo, or use --no-sudo: jobs then run as the login user",
        ))
    }

    fn make_key(&self) -> Result<NewKey, Failure> {
        self.steps.began("key", "making a key pair for this runner");
        let (private, public_line) = generate_runner_key(&self.checked.hostname).map_err(|e| Failure::new(e, AGAIN))?;
        let loaded = load_private_key(&private, None).map_err(|e| Failure::new(e, AGAIN))?;
        self.steps.done("key", fingerprint(&public_line).unwrap_or_default());
        Ok(NewKey { private, public_line, loaded: Arc::new(loaded) })
    }

    async fn put(
        &self,
        session: &Session,
        rights: &Rights,
        system_mode: bool,
        key: &NewKey,
    ) -> Result<Installed, ScriptError> {
        self.steps.began("install", "writing the key and the wrapper");
        let nonce = nonce()?;
        let plan = InstallPlan {
            nonce: &nonce,
            system_mode,
            wanted_base: None,
            public_key_line: &key.public_line,
            hostname: &self.checked.hostname,
            replace: false,
            retire_hash: &retire_hash(&retire_secret(key.private.as_bytes())),
        };
        let installed = run_install(session, rights, &install_script(&plan)?, &nonce, parse_install).await?;
        let only_root = installed.only_root.as_ref().map(|why| format!("; only root can remove it: {why}"));
        self.steps.done(
            "install",
            format!("{}, work in {}{}", installed.wrapper_path, installed.base_dir, only_root.unwrap_or_default()),
        );
        Ok(installed)
    }
}

fn script_failure(error: ScriptError) -> Failure {
    Failure::new(error, AGAIN)
}

/// What to try when the host refuses the install, by the script's own code.
fn install_failure(error: &ScriptError) -> Failure {
    let advice = match error.refusal() {
        Some("base" | "home") => {
            "make one of these directories writable for the login user, or log in as another one (without --no-sudo \
             the work is in /var/lib/shuntyard)"
        }
        Some("nospace" | "mkdir" | "chown") => "see that the disk is not full or mounted read-only, then try again",
        Some("keys") => "see that the login user can write its ~/.ssh/authorized_keys, then try again",
        Some("tools") => "install what is missing, then try again",
        Some("user") => "rename or remove that user, or use --no-sudo: jobs then run as the login user",
        _ => AGAIN,
    };
    Failure::new(error, advice)
}
