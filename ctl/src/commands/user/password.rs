//! `shunt user password`: sets somebody's password, or changes one's own. Never on the command line.

use std::io::BufRead as _;

use clap::Args;
use reqwest::Method;
use shuntyard_domain::tenancy::Name;
use shuntyard_domain::wire::access::{ChangePassword, MAX_PASSWORD_BYTES, MIN_PASSWORD_CHARS, PatchUser, UserBody};

use super::path;
use crate::client::{Client, encode, parse};
use crate::commands::change::done;
use crate::failure::{Failure, Usage};
use crate::terminal::{ask_secret, can_ask};

/// Where a new password comes from.
#[derive(Args, Debug)]
#[group(multiple = false)]
pub struct NewPasswordArgs {
    /// Read the password from the first line of standard input
    #[arg(long)]
    password_stdin: bool,
    /// Make the user without a password: only tokens lead in
    #[arg(long)]
    no_password: bool,
}

impl NewPasswordArgs {
    /// Reads or asks; `None` for a user without one.
    pub fn resolve(&self) -> Result<Option<String>, Failure> {
        if self.no_password {
            return Ok(None);
        }
        new_password(self.password_stdin).map(Some)
    }
}

/// Set a user's password, asked for without echo
///
/// An admin sets anybody's. With --own it is your own, and the old one is asked for, too. Either ends the user's other logins;
/// tokens made by `shunt token create` stay.
#[derive(Args, Debug)]
pub struct PasswordArgs {
    /// Name of the user
    name: Name,
    /// It is your own: prove it with the old one
    #[arg(long)]
    own: bool,
    /// Read from standard input: with --own a line with the old one first, then a line with the new one
    #[arg(long)]
    password_stdin: bool,
}

/// # Errors
/// `Failure`
pub async fn run(client: &Client, args: PasswordArgs) -> Result<u8, Failure> {
    over_safe_way(client)?;
    if args.own {
        let old = if args.password_stdin { read_line()? } else { asked("old password")? };
        let new = new_password(args.password_stdin)?;
        let url = client.url(&format!("{}/password", path(&args.name)), &[]);
        client.answer(Method::POST, &url, Some(encode(&url, &ChangePassword { old, new })?)).await?;
    } else {
        let password = Some(new_password(args.password_stdin)?);
        let url = client.url(&path(&args.name), &[]);
        let body = encode(&url, &PatchUser { password, ..PatchUser::default() })?;
        let _: UserBody = parse(&url, &client.answer(Method::PATCH, &url, Some(body)).await?.bytes)?;
    }
    done(&format!("the password of {} is set", args.name));
    Ok(0)
}

/// Passwords do not travel where they can be read.
pub fn over_safe_way(client: &Client) -> Result<(), Usage> {
    let connection = client.connection();
    if connection.is_clear_text() { Err(Usage::ClearText { server: connection.server.to_string() }) } else { Ok(()) }
}

fn new_password(from_input: bool) -> Result<String, Failure> {
    let password = if from_input { read_line()? } else { asked("new password")? };
    if password.chars().count() < MIN_PASSWORD_CHARS || password.len() > MAX_PASSWORD_BYTES {
        return Err(Usage::BadPassword.into());
    }
    // What nobody has seen may be a slip of the finger.
    if !from_input && asked("new password again")? != password {
        return Err(Usage::PasswordsDiffer.into());
    }
    Ok(password)
}

fn asked(what: &'static str) -> Result<String, Failure> {
    if can_ask() { ask_secret(what, "--password-stdin") } else { Err(Usage::NoPassword.into()) }
}

fn read_line() -> Result<String, Failure> {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).map_err(Failure::ReadInput)?;
    let line = line.trim_end_matches(['\r', '\n']);
    if line.is_empty() { Err(Usage::EmptyPassword.into()) } else { Ok(line.to_owned()) }
}
