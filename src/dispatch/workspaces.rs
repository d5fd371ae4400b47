//! Workspaces on the server: taking them, checking that a job's is there, and letting go of old ones.

use std::collections::HashSet;
use std::io::{self, Read};
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use shuntyard_domain::digest::Digest;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::engine_error::{bad, told};
use super::{DispatchError, Dispatcher};
use crate::blobs::{BlobError, BlobStore, Held};
use crate::store::{
    StoreError, artifact_contents, changes_delivered_last, changes_under_way, request_keys_prune, workspaces_in_use,
};

/// Uploads at a time; others wait. Each holds a blocking thread for as long as its client takes, and logs need those.
pub(super) const UPLOADS_AT_A_TIME: usize = 16;
const SWEEP_EVERY: Duration = Duration::from_secs(3600);

/// The pieces of an upload, as a blocking thread reads them. A cut shows in the bytes: a bundle says where it ends.
pub struct Upload {
    pieces: mpsc::Receiver<io::Result<Bytes>>,
    piece: Bytes,
}

impl Upload {
    /// The reading end.
    #[must_use]
    pub fn new(pieces: mpsc::Receiver<io::Result<Bytes>>) -> Self {
        Self { pieces, piece: Bytes::new() }
    }
}

impl Read for Upload {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.pieces.blocking_recv() {
                None => return Ok(0),
                Some(piece) => self.piece = piece?,
            }
        }
        let taken = self.piece.len().min(buffer.len());
        self.piece.copy_to_slice(&mut buffer[..taken]);
        Ok(taken)
    }
}

impl Dispatcher {
    /// Takes a workspace's manifest, and says which files are missing.
    ///
    /// # Errors
    /// `Blob`
    pub async fn put_workspace(&self, digest: Digest, manifest: Bytes) -> Result<Held, DispatchError> {
        let held = self.on_blobs(move |blobs| blobs.put_manifest(digest, &manifest)).await?;
        let wanted_bytes = held.missing_bytes();
        if self.0.blobs.lacks_room(wanted_bytes) {
            self.sweep_workspaces(wanted_bytes).await?;
        }
        Ok(held)
    }

    /// Takes the files of a workspace, and says which are still missing.
    ///
    /// # Errors
    /// `Blob`; what came before the error is kept.
    pub async fn receive_files(&self, digest: Digest, upload: Upload) -> Result<Held, DispatchError> {
        // Never closed: it lives as long as the engine.
        let _receiving = self.0.uploads.acquire().await;
        let (engine, runtime) = (self.clone(), Handle::current());
        let mut make_room = move |wanted_bytes| {
            if let Err(error) = runtime.block_on(engine.sweep_workspaces(wanted_bytes)) {
                tracing::warn!(error = told(&error), "no room could be made for an upload");
            }
        };
        self.on_blobs(move |blobs| blobs.receive_making_room(digest, upload, &mut make_room)).await
    }

    /// What is there of a workspace.
    ///
    /// # Errors
    /// `Blob` when it is not known.
    pub async fn workspace(&self, digest: Digest) -> Result<Held, DispatchError> {
        self.on_blobs(move |blobs| blobs.find(digest)).await
    }

    /// Refuses a job whose tree of files is not there, or not whole.
    pub(super) async fn check_workspace(&self, digest: Option<Digest>) -> Result<(), DispatchError> {
        let Some(digest) = digest else { return Ok(()) };
        let allowed = &["the digest of an uploaded workspace"];
        match self.workspace(digest).await {
            Ok(held) if held.missing.is_empty() => Ok(()),
            Ok(held) => {
                let message = format!("workspace {digest} lacks {} file(s)", held.missing.len());
                Err(bad("workspace", message, allowed))
            }
            Err(DispatchError::Blob(error @ BlobError::NoWorkspace(_))) => {
                Err(bad("workspace", error.to_string(), allowed))
            }
            Err(error) => Err(error),
        }
    }

    /// Reads a part of a content: as many bytes from `offset` on as there are, at most `max_bytes`.
    ///
    /// # Errors
    /// `Blob` when it is not there or cannot be read.
    pub async fn read_content(&self, digest: Digest, offset: u64, max_bytes: u64) -> Result<Bytes, DispatchError> {
        self.on_blobs(move |blobs| blobs.read_content(digest, offset, max_bytes)).await.map(Bytes::from)
    }

    pub(super) async fn on_blobs<T: Send + 'static>(
        &self,
        work: impl FnOnce(&BlobStore) -> Result<T, BlobError> + Send + 'static,
    ) -> Result<T, DispatchError> {
        let blobs = self.0.blobs.clone();
        let done = tokio::task::spawn_blocking(move || work(&blobs)).await;
        Ok(done.map_err(|_| DispatchError::Interrupted)??)
    }

    /// Lets go of workspaces that no unfinished job needs, no change on its way, and no change that stands in a shared
    /// environment, as far as limits and the bytes that are wanted ask for it.
    pub(super) async fn sweep_workspaces(&self, wanted_bytes: u64) -> Result<(), DispatchError> {
        // One at a time: another one would forget pins of contents whose names this one has read the database too early for.
        let _sweeping = self.0.sweeping.lock().await;
        self.0.blobs.begin_sweep();
        let read = self.0.store.read(|c| {
            let mut in_use: HashSet<Digest> = workspaces_in_use(c)?.into_iter().collect();
            let changes = changes_under_way(c)?.into_iter().chain(changes_delivered_last(c, None)?);
            in_use.extend(changes.filter_map(|change| change.source.workspace()));
            let kept: HashSet<Digest> = artifact_contents(c)?.into_iter().collect();
            Ok::<_, StoreError>((in_use, kept))
        });
        let (in_use, kept) = read.await?;
        let swept = self.on_blobs(move |blobs| blobs.sweep(&in_use, &kept, wanted_bytes)).await?;
        if swept.files > 0 {
            tracing::info!(
                workspaces = swept.workspaces,
                files = swept.files,
                bytes = swept.bytes,
                "removed workspaces"
            );
        }
        Ok(())
    }

    async fn forget_old_request_keys(&self) -> Result<(), DispatchError> {
        let now_ms = self.0.clock.now_ms();
        self.0.store.write(move |c| request_keys_prune(c, now_ms)).await?;
        Ok(())
    }
}

/// Keeps the store of workspaces within its limits, and forgets the keys of requests that nobody repeats any more.
pub(super) async fn sweep_hourly(engine: Dispatcher, stop: CancellationToken) {
    loop {
        if let Err(error) = engine.sweep_workspaces(0).await {
            tracing::warn!(error = told(&error), "old workspaces could not be removed");
        }
        if let Err(error) = engine.forget_old_request_keys().await {
            tracing::warn!(error = told(&error), "old request keys could not be forgotten");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(SWEEP_EVERY) => {}
        }
    }
}
