//! `shunt ctl jump-host install`: a login puts our key there; or prints the line for an admin who does.

use clap::Args;
use shuntyard_domain::runner::{check_hostname, check_user};
use shuntyard_domain::tenancy::Name;
use shuntyard_domain::wire::api::default_ssh_port;
use shuntyard_domain::wire::jump_host::{CreateJumpHost, InstallJumpHost, JumpHostBody};

use super::{checked_name, path};
use crate::client::Client;
use crate::commands::runners::credential::{Credential, CredentialArgs};
use crate::commands::runners::install::{Bootstrap, bootstrap, is_fingerprint};
use crate::failure::{EXIT_ERROR, Failure, Usage};
use crate::terminal::{note, plain, print};

/// Add a jump host, through which runners are reached
///
/// The dispatcher logs in as USERNAME, confirms the host's key, and puts a key of its own into that user's authorized_keys: it
/// may forward connections and nothing else. Then it tests that key. A failure takes it away again. For a host that you may
/// not log in to, --print-key prints the line that its admin adds, and `shunt ctl jump-host test` does the rest later.
///
/// Then: shunt ctl install-runner HOST USER --jump NAME
#[derive(Args, Debug)]
pub struct InstallArgs {
    /// Name of the jump host; also where to connect, unless --address is given
    name: String,
    /// Login, also the one that forwards from then on
    username: String,
    #[command(flatten)]
    credential: CredentialArgs,
    /// Do not log in: make the key and print the line for authorized_keys
    #[arg(long, conflicts_with_all = ["identity_file", "password", "password_stdin", "host_key", "yes"])]
    print_key: bool,
    /// Port of sshd
    #[arg(short, long, default_value_t = default_ssh_port(), value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// Where to connect, when it is not the name
    #[arg(long, value_name = "HOST")]
    address: Option<String>,
    /// Jump host before it: the first of a chain is reached directly
    #[arg(long, value_name = "NAME")]
    jump: Option<String>,
    /// Fingerprint that the host must show
    #[arg(long, value_name = "SHA256:…")]
    host_key: Option<String>,
    /// Accept the key that the host shows
    #[arg(short, long)]
    yes: bool,
}

impl Bootstrap for InstallJumpHost {
    fn host_key(&mut self) -> &mut Option<String> {
        &mut self.host_key
    }

    fn passphrase(&mut self) -> &mut Option<String> {
        &mut self.passphrase
    }
}

/// # Errors
/// `Failure`; a step that fails is exit code 1, not a failure.
pub async fn run(client: &Client, args: InstallArgs) -> Result<u8, Failure> {
    let name = checked_name(&args.name)?;
    check_user(&args.username).map_err(Usage::BadName)?;
    if let Some(address) = &args.address {
        check_hostname(address).map_err(Usage::BadName)?;
    }
    let jump = args.jump.as_deref().map(checked_name).transpose()?;
    if args.print_key {
        return print_key(client, name, jump, args).await;
    }
    if let Some(found) = args.host_key.as_ref().filter(|key| !is_fingerprint(key)) {
        return Err(Usage::BadFingerprint { found: plain(found) }.into());
    }
    let (password, private_key) = match args.credential.resolve()? {
        Credential::Password(password) => (Some(password), None),
        Credential::PrivateKey(key) => (None, Some(key)),
    };
    let mut body = InstallJumpHost {
        address: args.address,
        port: args.port,
        user: args.username,
        jump,
        password,
        private_key,
        passphrase: None,
        host_key: args.host_key,
    };
    let Some((_, left_behind)) = bootstrap(client, &path(&name), name.as_str(), &mut body, args.yes).await? else {
        return Ok(EXIT_ERROR);
    };
    for line in left_behind {
        note(&format!("left behind: {}", plain(&line)));
    }
    print(format!("jump host {name} is ready\n").as_bytes())?;
    Ok(0)
}

async fn print_key(client: &Client, name: Name, jump: Option<Name>, args: InstallArgs) -> Result<u8, Failure> {
    let user = args.username.clone();
    let body = CreateJumpHost { name, address: args.address, port: args.port, user: args.username, jump };
    let made: JumpHostBody = client.create("jump-hosts", &body).await?;
    note(&format!(
        "Add this line to ~{user}/.ssh/authorized_keys on {}, then: shunt ctl jump-host test {}",
        plain(&made.address),
        made.name
    ));
    print((plain(&made.authorized_keys_line) + "\n").as_bytes())?;
    Ok(0)
}
