//! How the bootstrap logs in: a private key or a password, from flags, standard input or a prompt.

use std::path::PathBuf;

use clap::Args;

use crate::failure::{Failure, Usage};
use crate::terminal::{ask_secret, can_ask, note};

/// The login flags as they were written.
#[derive(Args, Debug)]
#[group(multiple = false)]
pub struct CredentialArgs {
    /// Private key for the bootstrap; used once, never stored
    #[arg(short = 'i', long = "ssh-identity-file", value_name = "FILE")]
    identity_file: Option<PathBuf>,
    /// Password for the bootstrap; asked for without echo when no value follows (write it after the names)
    #[arg(short = 'P', long, value_name = "PASSWORD", num_args = 0..=1)]
    password: Option<Option<String>>,
    /// Read the password from the first line of standard input
    #[arg(long)]
    password_stdin: bool,
}

/// What the bootstrap logs in with. Has no `Debug`: it is secret.
#[derive(Clone)]
pub enum Credential {
    Password(String),
    PrivateKey(String),
}

impl Credential {
    /// Reads a private key; `~/` is the home directory.
    ///
    /// # Errors
    /// `ReadFile`
    pub fn from_file(path: PathBuf) -> Result<Self, Failure> {
        let home = std::env::var_os("HOME").map(PathBuf::from);
        let path = match (path.strip_prefix("~"), home) {
            (Ok(rest), Some(home)) => home.join(rest),
            _ => path,
        };
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(Self::PrivateKey(text)),
            Err(source) => Err(Failure::ReadFile { path, source }),
        }
    }
}

impl CredentialArgs {
    /// As `resolve`; without a flag, and on a terminal, asks for a password.
    ///
    /// # Errors
    /// As `resolve`.
    pub fn resolve_or_ask(self) -> Result<Credential, Failure> {
        let given = self.identity_file.is_some() || self.password.is_some() || self.password_stdin;
        let password = if given || !can_ask() { self.password } else { Some(None) };
        Self { password, ..self }.resolve()
    }

    /// Reads or asks for the credential.
    ///
    /// # Errors
    /// `Usage` when none is named or it is empty, `ReadFile`, `ReadInput` or `Prompt` when it cannot be had.
    pub fn resolve(self) -> Result<Credential, Failure> {
        if let Some(path) = self.identity_file {
            return Credential::from_file(path);
        }
        if self.password_stdin {
            let mut line = String::new();
            std::io::stdin().read_line(&mut line).map_err(Failure::ReadInput)?;
            return nonempty(line.trim_end_matches(['\r', '\n']).to_owned());
        }
        match self.password {
            Some(Some(password)) => {
                note(
                    "warning: a password on the command line is visible to every user of this machine and stays in \
                     the shell's history; -P without a value asks for it, --password-stdin reads it",
                );
                nonempty(password)
            }
            Some(None) => nonempty(ask_secret("password", "--password-stdin")?),
            None => Err(Usage::NoCredential.into()),
        }
    }
}

fn nonempty(password: String) -> Result<Credential, Failure> {
    if password.is_empty() { Err(Usage::EmptyPassword.into()) } else { Ok(Credential::Password(password)) }
}
