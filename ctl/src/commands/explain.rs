//! `shunt explain`: why a job waits.
use clap::Args;
use crate::client::Client;
use crate::failure::Failure;
/// Say why a job waits
#[derive(Args, Debug)]
pub struct ExplainArgs {
    /// Id of the job
    id: String,
}
pub async fn run(_client: &Client, _args: ExplainArgs) -> Result<u8, Failure> { Ok(0) }
