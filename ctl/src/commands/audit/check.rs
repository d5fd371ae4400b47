//! `shunt audit check`: whether every row is as it was written.

use clap::Args;
use serde::Deserialize as _;
use serde_json::Value;
use shuntyard_domain::wire::audit::{AuditBody, AuditCheckBody};

use crate::client::{Client, unknown_shape};
use crate::failure::{EXIT_ERROR, Failure, Usage};
use crate::pretty_json::pretty;
use crate::terminal::{note, plain, print, stdout_colour};

/// Work out the chain of the audit log again
///
/// Prints the number of rows and the hash of the last one. Keep both elsewhere: with --head, a log whose end was cut off,
/// or that was written anew, shows.
#[derive(Args, Debug)]
pub struct CheckArgs {
    /// What an earlier check printed: this row must still have this hash
    #[arg(long, value_name = "ROWS:HASH")]
    head: Option<String>,
    /// Print the server's JSON
    #[arg(long)]
    json: bool,
}

/// # Errors
/// `Failure`
pub async fn run(client: &Client, args: CheckArgs) -> Result<u8, Failure> {
    let kept = args.head.as_deref().map(read_head).transpose()?;
    let value: Value = client.get("audit/check").await?;
    let url = client.url("audit/check", &[]);
    let check = AuditCheckBody::deserialize(&value).map_err(|error| unknown_shape(&url, error))?;
    if args.json {
        print(pretty(&value, stdout_colour()).as_bytes())?;
    } else {
        print(format!("{}:{}\n", check.rows, plain(&check.head)).as_bytes())?;
    }
    if let Some(fault) = &check.fault {
        note(&format!("the audit log is not whole: row {}: {}", fault.seq, plain(&fault.why)));
        return Ok(EXIT_ERROR);
    }
    match kept {
        Some((seq, hash)) if !still_there(client, seq, &hash).await? => {
            note(&format!("the audit log is not the one that was checked before: row {seq} is gone or another"));
            Ok(EXIT_ERROR)
        }
        _ => Ok(0),
    }
}

async fn still_there(client: &Client, seq: i64, hash: &str) -> Result<bool, Failure> {
    let query = [("before", seq.saturating_add(1).to_string()), ("limit", "1".to_owned())];
    let found: Vec<AuditBody> = client.get_with("audit", &query).await?;
    Ok(found.first().is_some_and(|row| row.seq == seq && row.hash == hash))
}

fn read_head(text: &str) -> Result<(i64, String), Usage> {
    let bad = || Usage::BadHead { found: text.to_owned() };
    let (seq, hash) = text.split_once(':').ok_or_else(bad)?;
    let digits = hash.len() == 64 && hash.chars().all(|c| c.is_ascii_hexdigit());
    let seq: i64 = seq.parse().map_err(|_| bad())?;
    if digits && seq > 0 { Ok((seq, hash.to_ascii_lowercase())) } else { Err(bad()) }
}
