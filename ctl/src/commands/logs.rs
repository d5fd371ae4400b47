//! `shunt logs`: a job's output, byte for byte.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use serde_json::json;
use shuntyard_domain::ids::JobId;
use shuntyard_domain::output::elision_line;
use shuntyard_domain::wire::api::LogChunk;

use crate::client::Client;
use crate::client_error::ClientError;
use crate::commands::of_job;
use crate::failure::Failure;
use crate::run::follower::{Followed, Follower};
use crate::short_id;
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
    /// Id of the job, or a part of its beginning or end
    id: String,
}

/// # Errors
/// `Failure` for a bad id, or when the server or standard output fails.
pub async fn run(client: &Client, args: LogsArgs) -> Result<u8, Failure> {
    let id = short_id::job(client, &args.id).await?;
    match (args.follow, args.json) {
        (true, json) => follow(client, id, Printer { json, ..Printer::default() }).await,
        (false, true) => print_pieces(client, id).await,
        (false, false) => print_stored(client, id).await,
    }
}

/// Prints the log as one text; the server writes a line where something is not kept.
async fn print_stored(client: &Client, id: JobId) -> Result<u8, Failure> {
    let url = client.url(&format!("jobs/{id}/log"), &[]);
    let mut response = client.bytes(&url).await.map_err(|error| of_job(id, error))?;
    while let Some(bytes) = client.chunk(&mut response).await? {
        print(&bytes)?;
    }
    Ok(0)
}

/// Prints the log as lines of JSON: range after range, so that each offset is true.
async fn print_pieces(client: &Client, id: JobId) -> Result<u8, Failure> {
    let url = client.url(&format!("jobs/{id}/log"), &[]);
    let mut printer = Printer { json: true, ..Printer::default() };
    while let Some((begins, mut response)) =
        client.bytes_from(&url, printer.offset).await.map_err(|error| of_job(id, error))?
    {
        printer.skip(begins.saturating_sub(printer.offset))?;
        while let Some(bytes) = client.chunk(&mut response).await? {
            printer.print(&bytes)?;
        }
    }
    Ok(0)
}

async fn follow(client: &Client, id: JobId, mut printer: Printer) -> Result<u8, Failure> {
    let mut follower = Follower::new(id);
    loop {
        match follower.next(client).await.map_err(|error: ClientError| of_job(id, error))? {
            Followed::Output(bytes) => printer.print(&bytes)?,
            Followed::Elided(bytes) => printer.skip(bytes)?,
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
#[derive(Default)]
struct Printer {
    json: bool,
    /// Offset of the next byte.
    offset: u64,
    /// Bytes in front of it that are not kept, and were not told yet.
    elided_bytes: u64,
}

impl Printer {
    /// Says that so many bytes are missing here.
    fn skip(&mut self, bytes: u64) -> Result<(), Failure> {
        self.offset += bytes;
        self.elided_bytes += bytes;
        if self.json || bytes == 0 { Ok(()) } else { print(elision_line(bytes).as_bytes()) }
    }

    fn print(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let (offset, elided_bytes) = (self.offset, std::mem::take(&mut self.elided_bytes));
        self.offset += bytes.len() as u64;
        if !self.json {
            return print(bytes);
        }
        let chunk = LogChunk { offset, attempt: None, elided_bytes, base64: STANDARD.encode(bytes) };
        print(format!("{}\n", json!(chunk)).as_bytes())
    }
}
