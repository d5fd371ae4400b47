//! `shunt ctl export`: the inventory as a file.

use std::path::PathBuf;

use clap::Args;
use shuntyard_domain::inventory_file::write;
use shuntyard_domain::wire::api::RunnerBody;

use crate::client::Client;
use crate::failure::Failure;
use crate::terminal::{note, print};

/// Write the inventory as a file that `apply` takes
///
/// Nothing secret is in it. The login of a bootstrap that made its own user on the host (without --no-sudo) is not known
/// any more and is left out.
#[derive(Args, Debug)]
pub struct ExportArgs {
    /// The file; standard output when it is left out
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// # Errors
/// `Failure` when the server or the file fails.
pub async fn run(client: &Client, args: ExportArgs) -> Result<u8, Failure> {
    let runners: Vec<RunnerBody> = client.get("runners").await?;
    let text = write(&runners);
    match args.output {
        None => print(text.as_bytes())?,
        Some(path) => {
            std::fs::write(&path, text).map_err(|source| Failure::WriteFile { path: path.clone(), source })?;
            note(&format!("wrote {} runners to {}", runners.len(), path.display()));
        }
    }
    Ok(0)
}
