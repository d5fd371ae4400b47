//! Sending what the server lacks: one compressed stream, resumed where it was cut.

use std::collections::HashMap;
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use shuntyard_domain::digest::Digest;
use shuntyard_domain::wire::workspace::{WorkspaceBody, bundle_line};
use tokio::sync::mpsc;

use super::WorkspaceError;
use super::tree::{Contents, Tree};
use crate::client::Client;
use crate::client_error::ClientError;
use crate::failure::Failure;
use crate::terminal::note;

/// Sources compress well at this level, and faster than most links take them.
const ZSTD_LEVEL: i32 = 3;
/// Pieces of 64 KiB that wait for the link.
const PIECES: usize = 16;
const PIECE_BYTES: usize = 64 << 10;
/// A connection that is cut is made again as often.
const TRIES: u32 = 4;
const PAUSE: Duration = Duration::from_secs(1);

/// Makes sure that the server has the tree; says so unless `quiet`.
///
/// # Errors
/// `Failure`
pub async fn upload(client: &Client, tree: &Arc<Tree>, quiet: bool) -> Result<Digest, Failure> {
    let mut sent = (0, 0);
    let mut tries = 0;
    loop {
        tries += 1;
        match send(client, tree, quiet, &mut sent).await {
            Ok(()) => break,
            // A server that was never there is told at once.
            Err(Failure::Client(error))
                if tries < TRIES && error.is_passing() && (tries > 1 || matches!(error, ClientError::Cut(_))) =>
            {
                note(&format!("{error}; going on where it was cut"));
                tokio::time::sleep(PAUSE * tries).await;
            }
            Err(failure) => return Err(failure),
        }
    }
    if !quiet {
        let (files, bytes) = sent;
        let sum = tree.digest.to_string();
        let all = format!("{} entries, {}", tree.manifest.len(), shown(tree.manifest.bytes()));
        note(&format!("workspace {}: {all}; sent {files} file(s), {}", &sum[..12], shown(bytes)));
    }
    Ok(tree.digest)
}

async fn send(client: &Client, tree: &Arc<Tree>, quiet: bool, sent: &mut (usize, u64)) -> Result<(), Failure> {
    let path = format!("workspaces/{}", tree.digest);
    let held: WorkspaceBody = client.put(&path, tree.text.clone().into()).await?;
    if held.missing.is_empty() {
        return Ok(());
    }
    let (to, pieces) = mpsc::channel(PIECES);
    let (packed, missing) = (Arc::clone(tree), held.missing.clone());
    let bar = bar(held.missing_bytes, quiet);
    let shown = bar.clone();
    let packing = tokio::task::spawn_blocking(move || {
        pack(&packed, &missing, BufWriter::with_capacity(PIECE_BYTES, Outlet(to)), &shown)
    });
    let stream = futures_util::stream::unfold(pieces, |mut pieces| async move {
        pieces.recv().await.map(|piece| (Ok::<Bytes, io::Error>(piece), pieces))
    });
    let answer =
        client.put::<WorkspaceBody>(&format!("{path}/files"), reqwest::Body::wrap_stream(stream.boxed())).await;
    bar.finish_and_clear();
    // What could not be read here is the reason for what the server says.
    match packing.await {
        Ok(Err(error)) if !matches!(error, WorkspaceError::Send(_)) => return Err(error.into()),
        _ => {}
    }
    let now = answer?;
    sent.0 += held.missing.len() - now.missing.len().min(held.missing.len());
    sent.1 += held.missing_bytes.saturating_sub(now.missing_bytes);
    match now.missing.len() {
        0 => Ok(()),
        left => Err(WorkspaceError::StillMissing(left).into()),
    }
}

fn bar(bytes: u64, quiet: bool) -> ProgressBar {
    let bar = ProgressBar::new(bytes);
    if quiet || !io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    let style = ProgressStyle::with_template("  sending {bar:30} {bytes}/{total_bytes} {bytes_per_sec}");
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar
}

/// Writes each missing content once.
fn pack(tree: &Tree, missing: &[Digest], to: BufWriter<Outlet>, bar: &ProgressBar) -> Result<(), WorkspaceError> {
    let told = |error: io::Error| WorkspaceError::Send(error.to_string());
    let sizes: HashMap<Digest, u64> = tree.manifest.files().collect();
    let mut contents = Contents::of(tree)?;
    let mut bundle = zstd::stream::write::Encoder::new(to, ZSTD_LEVEL).map_err(told)?;
    for digest in missing {
        let (Some(source), Some(size)) = (tree.source(*digest), sizes.get(digest)) else {
            return Err(WorkspaceError::Send(format!("the server asks for a file {digest} that is not here")));
        };
        bundle.write_all(bundle_line(*digest, *size).as_bytes()).map_err(told)?;
        let read = contents.read(source, &mut |piece| {
            bar.inc(piece.len() as u64);
            bundle.write_all(piece).map_err(told)
        })?;
        if read != *size {
            return Err(WorkspaceError::Changed(format!("{source:?}")));
        }
    }
    bundle.finish().and_then(|mut to| to.flush()).map_err(told)
}

/// Bytes for people.
fn shown(bytes: u64) -> String {
    indicatif::BinaryBytes(bytes).to_string()
}

/// Hands what is packed on a blocking thread to the connection, which may be slower.
struct Outlet(mpsc::Sender<Bytes>);

impl Write for Outlet {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let sent = self.0.blocking_send(Bytes::copy_from_slice(bytes));
        sent.map(|()| bytes.len()).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
