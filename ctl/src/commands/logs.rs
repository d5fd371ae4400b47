//! `shunt logs`: a job's output, byte for byte.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use serde_json::json;
use shuntyard_domain::ids::JobId;
use shuntyard_domain::wire::api::LogChunk;

use crate::client::Client;
use crate::client_error::ClientError;
use crate::commands::{job_id, of_job};
use crate::failure::Failure;
use crate::run::follower::{Followed, Follower};
use crate::terminal::{note, print};

/// Print a job's output
#[derive(Args, Debug)]
pub struct LogsArgs {
    /// Go on until the job ends
    #[arg(short, long)]
    follow: bool,
    /// Print each piece as one line of JSON: its offset, and its bytes in base64
    #[arg(long)]
    json: bool,
    /// Id of the job
    id: String,
}

/// # Errors
/// `Failure` for a bad id, or when the server or standard output fails.
pub async fn run(client: &Client, args: LogsArgs) -> Result<u8, Failure> {
    let id = job_id(&args.id)?;
    let printer = Printer { json: args.json, offset: 0 };
    if args.follow { follow(client, id, printer).await } else { print_stored(client, id, printer).await }
}

async fn print_stored(client: &Client, id: JobId, mut printer: Printer) -> Result<u8, Failure> {
    let url = client.url(&format!("jobs/{id}/log"), &[]);
    let mut response = client.bytes(&url).await.map_err(|error| of_job(id, error))?;
    while let Some(bytes) = client.chunk(&mut response).await? {
        printer.print(&bytes)?;
    }
    Ok(0)
}

async fn follow(client: &Client, id: JobId, mut printer: Printer) -> Result<u8, Failure> {
    let mut follower = Follower::new(id);
    loop {
        match follower.next(client).await.map_err(|error: ClientError| of_job(id, error))? {
            Followed::Output(bytes) => printer.print(&bytes)?,
            Followed::State(_) => {}
            Followed::Again { attempt } => {
                printer.offset = 0;
                note(&format!("the job was lost and started again: attempt {attempt}"));
            }
            Followed::Lost { why } => note(&format!("lost contact with the server ({why}); trying again")),
            Followed::Back => note("the server is back"),
            Followed::End(_) => return Ok(0),
        }
    }
}

/// Prints pieces of output in their order, as bytes or as lines of JSON.
struct Printer {
    json: bool,
    /// Bytes that were printed.
    offset: u64,
}

impl Printer {
    fn print(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let offset = self.offset;
        self.offset += bytes.len() as u64;
        if !self.json {
            return print(bytes);
        }
        let chunk = LogChunk { offset, attempt: None, base64: STANDARD.encode(bytes) };
        print(format!("{}\n", json!(chunk)).as_bytes())
    }
}
