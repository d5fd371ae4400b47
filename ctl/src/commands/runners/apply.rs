//! `shunt ctl apply`: makes the inventory as a file says, after it has shown what that means.

use std::path::PathBuf;

use clap::Args;
use reqwest::StatusCode;
use shuntyard_domain::inventory_file::{self, Action, Entry, InventoryFile, Plan, PlanStep, parse, plan};
use shuntyard_domain::wire::api::{InstallRunner, PatchRunner, RunnerBody, default_ssh_port};

use crate::client::Client;
use crate::client_error::ClientError;
use crate::commands::runners::credential::{Credential, CredentialArgs};
use crate::commands::runners::{delete, install, patch};
use crate::failure::{EXIT_ERROR, EXIT_USAGE, Failure, Usage};
use crate::terminal::{can_ask, confirm, note, plain, print};

/// Make the inventory as a file says
///
/// Prints a plan first: which runners are new, which keys change and from what to what. A key that the file does not have
/// and a runner that it does not name are left alone. Applying the same file again changes nothing. New runners, and those
/// with another address or port, are bootstrapped: for these a credential is needed.
#[derive(Args, Debug)]
pub struct ApplyArgs {
    /// The file: TOML, a table [runners."NAME"] for each runner
    #[arg(short, long, value_name = "FILE")]
    file: PathBuf,
    /// Print the plan and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Delete runners that are not in the file
    #[arg(long)]
    prune: bool,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// Login for the bootstrap of runners without `user` in the file
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Accept the key that a new host shows, without `host_key` in the file
    #[arg(long)]
    accept_host_keys: bool,
    #[command(flatten)]
    credential: CredentialArgs,
}

/// # Errors
/// `Failure` before anything is changed; a runner that cannot be made so is told, and exit code 1.
pub async fn run(connect: impl Fn() -> Result<Client, Failure>, args: ApplyArgs) -> Result<u8, Failure> {
    let text =
        std::fs::read_to_string(&args.file).map_err(|source| Failure::ReadFile { path: args.file.clone(), source })?;
    let file = match parse(&text) {
        Ok(file) => file,
        Err(faults) => {
            for fault in &faults {
                note(&plain(&format!("{}:{fault}", args.file.display())));
            }
            note(&format!("error: {} faults in {}; nothing was sent", faults.len(), args.file.display()));
            return Ok(EXIT_USAGE);
        }
    };
    let client = connect()?;
    let runners: Vec<RunnerBody> = client.get("runners").await?;
    let plan = plan(&file, &runners, args.prune);
    print(told(&plan).as_bytes())?;
    if args.dry_run || plan.is_done() {
        return Ok(0);
    }
    let logins = logins(&plan, &file, &args)?;
    confirm_plan(&plan, args.yes)?;
    let credential = if logins { Some(args.credential.resolve_or_ask()?) } else { None };
    let (user, accept) = (args.user, args.accept_host_keys);
    Apply { client: &client, file: &file, runners: &runners, user, credential, accept }.all(&plan).await
}

/// Tells whether a credential is needed beside those that the file names.
fn logins(plan: &Plan, file: &InventoryFile, args: &ApplyArgs) -> Result<bool, Usage> {
    let mut needed = false;
    for step in plan.steps.iter().filter(|step| matches!(step.action, Action::Create | Action::Move)) {
        let Some(entry) = file.runners.get(&step.hostname) else { continue };
        if entry.user.is_none() && args.user.is_none() {
            return Err(Usage::NoLogin { hostname: step.hostname.clone() });
        }
        needed |= entry.identity_file.is_none();
    }
    Ok(needed)
}

fn confirm_plan(plan: &Plan, yes: bool) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !can_ask() {
        return Err(Usage::ConfirmationNeeded.into());
    }
    let deleted = plan.count(Action::Delete);
    let others = plan.steps.len() - deleted - plan.count(Action::None);
    let agreed = (others == 0 || confirm("Do this?")?)
        && (deleted == 0 || confirm(&format!("Delete {deleted} runners, with their keys and work directories?"))?);
    if agreed { Ok(()) } else { Err(Failure::Declined) }
}

/// A plan that was agreed to.
struct Apply<'a> {
    client: &'a Client,
    file: &'a InventoryFile,
    /// The inventory of which the plan was made.
    runners: &'a [RunnerBody],
    user: Option<String>,
    credential: Option<Credential>,
    accept: bool,
}

impl Apply<'_> {
    /// Does every step; one that fails does not keep the others from being done.
    async fn all(&self, plan: &Plan) -> Result<u8, Failure> {
        let mut failed = 0_usize;
        for step in plan.steps.iter().filter(|step| step.action != Action::None) {
            let done = match self.one(step).await {
                Ok(done) => done,
                Err(failure) => {
                    note(&plain(&format!("error: {}: {failure}", step.hostname)));
                    false
                }
            };
            failed += usize::from(!done);
        }
        if failed > 0 {
            note(&format!("error: {failed} runners are not as the file says; apply it again when that is repaired"));
            return Ok(EXIT_ERROR);
        }
        Ok(0)
    }

    async fn one(&self, step: &PlanStep) -> Result<bool, Failure> {
        let hostname = &step.hostname;
        let Some(entry) = self.file.runners.get(hostname) else {
            return Ok(delete::remove(self.client, hostname, &[]).await? == 0);
        };
        self.check_still_so(step, entry).await?;
        if matches!(step.action, Action::Create | Action::Move) {
            let mut body = self.bootstrap(hostname, entry)?;
            note(&format!("bootstrap of {hostname}"));
            if install::bootstrap(self.client, &format!("runners/{hostname}"), hostname, &mut body, self.accept)
                .await?
                .is_none()
            {
                return Ok(false);
            }
        }
        let body = PatchRunner {
            labels: entry.labels.clone(),
            capabilities: entry.capabilities.clone(),
            slots: entry.slots,
            scope: entry.scope.clone(),
            jump: entry.jump.clone(),
            state: entry.state,
            reason: entry.reason.clone(),
            ..PatchRunner::default()
        };
        if body != PatchRunner::default() {
            patch(self.client, hostname, &body).await?;
        }
        print(format!("{hostname}: done\n").as_bytes())?;
        Ok(true)
    }

    /// Refuses a step that somebody's change since the plan has made another one than was agreed to.
    async fn check_still_so(&self, planned: &PlanStep, entry: &Entry) -> Result<(), Failure> {
        let hostname = &planned.hostname;
        let now = match self.client.get::<RunnerBody>(&format!("runners/{hostname}")).await {
            Ok(runner) => Some(runner),
            Err(ClientError::Refused(refusal)) if refusal.status == StatusCode::NOT_FOUND => None,
            Err(error) => return Err(error.into()),
        };
        if inventory_file::step(hostname, entry, now.as_ref()) == *planned { Ok(()) } else { Err(Failure::PlanIsOld) }
    }

    /// What the file does not say of a runner that moves stays as it is.
    fn bootstrap(&self, hostname: &str, entry: &Entry) -> Result<InstallRunner, Failure> {
        let before = self.runners.iter().find(|runner| runner.hostname == hostname);
        let credential = match (&entry.identity_file, &self.credential) {
            (Some(path), _) => Credential::from_file(path.into())?,
            (None, Some(given)) => given.clone(),
            (None, None) => return Err(Usage::NoCredential.into()),
        };
        let (password, private_key) = match credential {
            Credential::Password(password) => (Some(password), None),
            Credential::PrivateKey(key) => (None, Some(key)),
        };
        Ok(InstallRunner {
            address: entry.address.clone().or_else(|| before.map(|runner| runner.address.clone())),
            port: entry.port.or(before.map(|runner| runner.port)).unwrap_or_else(default_ssh_port),
            user: entry.user.clone().or_else(|| self.user.clone()).unwrap_or_default(),
            password,
            private_key,
            passphrase: None,
            host_key: entry.host_key.clone(),
            no_sudo: entry.no_sudo.unwrap_or_else(|| before.is_some_and(|runner| !runner.system_mode)),
            labels: entry.labels.clone(),
            capabilities: entry.capabilities.clone(),
            slots: entry.slots,
            one_off: false,
            scope: entry.scope.clone(),
            jump: entry.jump.clone(),
        })
    }
}

/// The plan for people: a line for each runner, one for each key that changes, and the sums.
fn told(plan: &Plan) -> String {
    let mut text = String::new();
    for step in &plan.steps {
        text += &format!("{:<7} {}\n", word(step.action), plain(&step.hostname));
        for change in &step.changes {
            let before = change.before.iter().map(|before| format!("{before} ")).collect::<String>();
            text += &plain(&format!("          {}: {before}-> {}", change.key, change.after));
            text.push('\n');
        }
    }
    let sums = [Action::Create, Action::Move, Action::Change, Action::Delete, Action::None]
        .map(|action| format!("{} {}", plan.count(action), word(action)));
    format!("{text}plan: {}\n", sums.join(", "))
}

const fn word(action: Action) -> &'static str {
    match action {
        Action::Create => "create",
        Action::Move => "move",
        Action::Change => "change",
        Action::None => "none",
        Action::Delete => "delete",
    }
}
