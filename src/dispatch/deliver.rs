//! Bringing a job's tree of files to its runner, between the placement and the start.
//!
//! The job is `assigned` meanwhile: nothing of it was sent, so that whatever fails here is proof of no start.

use std::collections::HashMap;
use std::io::{self, BufWriter, Write};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use shuntyard_domain::digest::Digest;
use shuntyard_domain::ids::{AttemptId, RunnerId};
use shuntyard_domain::job::{Job, JobEvent};
use shuntyard_domain::recovery::{MAX_PLACEMENTS, Step};
use shuntyard_domain::wire::control::ErrCode;
use shuntyard_domain::wire::workspace::{parcel_head, parcel_shape};
use shuntyard_domain::workspace::Delta;
use tokio::sync::{Semaphore, mpsc};

use super::attend::{Attendant, Placed};
use super::engine_error::told;
use super::inventory::Known;
use super::run_job::{Place, pause_after};
use super::{DispatchError, Dispatcher};
use crate::blobs::{BlobError, Held, Parcel};
use crate::ssh::attempt::{Delivery, DeliveryWord, VerbError, deliver};
use crate::store::{ApplyError, Expected, job_apply};

/// Pieces of a parcel that wait for the link: 64 KiB each.
const PIECES: usize = 16;
const PIECE_BYTES: usize = 64 << 10;
/// A difference that removes more paths is not told one by one: the whole tree is sent.
const MAX_REMOVED: usize = 2000;

/// Parcels that are packed at a time. Each holds a blocking thread for as long as its link takes, and logs need those.
const PACKING_AT_A_TIME: usize = 64;

/// Held while a tree travels.
type Turn = Arc<tokio::sync::Mutex<()>>;

/// Who brings which tree to which runner: the others wait, and find it there.
pub(super) struct Deliveries {
    under_way: Mutex<HashMap<(RunnerId, Digest), Turn>>,
    packing: Semaphore,
    runner_min_free_bytes: u64,
}

impl Deliveries {
    pub(super) fn new(runner_min_free_bytes: u64) -> Self {
        Self { under_way: Mutex::default(), packing: Semaphore::new(PACKING_AT_A_TIME), runner_min_free_bytes }
    }

    fn turn(&self, runner: RunnerId, tree: Digest) -> Turn {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody waits for a turn that only this map knows.
        under_way.retain(|_, turn| Arc::strong_count(turn) > 1);
        Arc::clone(under_way.entry((runner, tree)).or_default())
    }
}

/// Why a tree is not on its runner.
#[derive(Debug, thiserror::Error)]
enum Undelivered {
    #[error(transparent)]
    Store(#[from] DispatchError),
    #[error(transparent)]
    Host(#[from] VerbError),
    #[error("the runner's wrapper is older than workspaces; run `shunt ctl install-runner` for it again")]
    OldWrapper,
    #[error("the host asked for the tree twice")]
    AskedTwice,
}

impl Attendant {
    /// Delivers the tree, then commits the start. `Err`: it was given back, or is to be taken up again.
    pub(super) async fn bring_tree(&self, known: &Known, job: &Job, tree: Digest) -> Result<(Job, Place), Placed> {
        self.engine.job_changed(job);
        let delivered = tokio::select! {
            () = self.stop.cancelled() => return Err(Placed::Detached),
            () = self.cancel.cancelled() => return Err(self.unassign(job.attempt, "it was cancelled before it started").await),
            delivered = self.engine.deliver_tree(known, job.attempt_id(), tree) => delivered,
        };
        if let Err(error) = delivered {
            return Err(self.not_delivered(job, &error).await);
        }
        let place = match self.place(known).await {
            Ok(place) => place,
            Err(Placed::Detached) => return Err(Placed::Detached),
            Err(_) => return Err(self.unassign(job.attempt, "the runner went away before the start was sent").await),
        };
        let (id, now_ms) = (job.id, self.engine.0.clock.now_ms());
        // A cancel since the assignment has changed the version.
        let version = Expected::Version(job.version);
        let intended =
            self.engine.0.store.write(move |c| job_apply(c, id, version, &JobEvent::StartIntended, now_ms)).await;
        match intended {
            Ok(job) => {
                self.engine.job_changed(&job);
                Ok((job, place))
            }
            Err(ApplyError::Raced { .. }) => {
                self.give_back(place, Placed::Over);
                Err(self.unassign(job.attempt, "it changed before the start was sent").await)
            }
            Err(error) => Err(self.give_back(place, Placed::after_fault(Step::Intent, &error))),
        }
    }

    /// Gives the job back, or ends it when no further try can help.
    async fn not_delivered(&self, job: &Job, error: &Undelivered) -> Placed {
        let why = format!("the workspace was not delivered: {}", told(error));
        tracing::warn!(why, "nothing was started");
        let hopeless = matches!(
            error,
            Undelivered::Store(DispatchError::Blob(
                BlobError::NoWorkspace(_) | BlobError::Incomplete { .. } | BlobError::Damaged(_)
            ))
        );
        let lost_link =
            matches!(error, Undelivered::Host(VerbError::Exec(_)) | Undelivered::Store(DispatchError::Connect(_)));
        let event = if hopeless || (job.attempt >= MAX_PLACEMENTS && !lost_link) {
            JobEvent::PlacementsExhausted { why }
        } else {
            JobEvent::Unassigned { why }
        };
        let (id, now_ms) = (job.id, self.engine.0.clock.now_ms());
        let expected = Expected::Attempt(job.attempt);
        match self.engine.0.store.write(move |c| job_apply(c, id, expected, &event, now_ms)).await {
            Ok(job) => {
                self.engine.job_changed(&job);
                if job.state.is_finished() {
                    return Placed::Over;
                }
                Placed::Back(pause_after(job.attempt))
            }
            Err(error) => Placed::Unsure(told(&error)),
        }
    }
}

impl Dispatcher {
    /// Lays the tree ready for the attempt; the runner is sent only what it lacks.
    async fn deliver_tree(&self, known: &Known, id: AttemptId, tree: Digest) -> Result<(), Undelivered> {
        match self.deliver_once(known, id, tree, true).await {
            // The tree that was to be changed is not what it was: it is gone there now.
            Err(Undelivered::Host(VerbError::Refused { code: ErrCode::Workspace, detail, .. })) => {
                tracing::warn!(detail, "the runner refused a delivery; sending the whole tree");
                self.deliver_once(known, id, tree, false).await
            }
            delivered => delivered,
        }
    }

    async fn deliver_once(&self, known: &Known, id: AttemptId, tree: Digest, deltas: bool) -> Result<(), Undelivered> {
        let turn = self.0.deliveries.turn(known.runner.id, tree);
        let mine = turn.lock().await;
        let began = std::time::Instant::now();
        let mut lease = self.lease_service(known).await.map_err(DispatchError::from)?;
        let path = &known.runner.installation.wrapper_path;
        let mut delivery = deliver(&mut lease, path, id, tree).await?;
        let mut word = match delivery.word().await {
            Err(VerbError::Refused { code: ErrCode::Usage, .. }) => return Err(Undelivered::OldWrapper),
            word => word?,
        };
        if let DeliveryWord::Want { tools, trees } = word {
            let trees = if deltas { trees } else { Vec::new() };
            let held = self.workspace(tree).await?;
            word = self.send_parcel(&mut delivery, &held, &tools, &trees).await?;
        }
        // In the cache: who waits for the same tree finds it, while this attempt gets its copy.
        drop(mine);
        while word != DeliveryWord::Filled {
            word = match word {
                DeliveryWord::Have => delivery.word().await?,
                DeliveryWord::Want { .. } | DeliveryWord::Filled => return Err(Undelivered::AskedTwice),
            };
        }
        tracing::debug!(duration_ms = began.elapsed().as_millis() as u64, "the workspace is laid ready");
        Ok(())
    }

    async fn send_parcel(
        &self,
        delivery: &mut Delivery,
        held: &Held,
        tools: &[String],
        trees: &[Digest],
    ) -> Result<DeliveryWord, Undelivered> {
        let (from, delta) = self.shortest(held, trees).await.unzip();
        let delta: Option<Delta> = delta;
        let shape = parcel_shape(tools);
        let bytes = delta.as_ref().map_or(held.manifest.bytes(), |delta| delta.add_bytes);
        // Received, and copied for the attempt; a block an entry.
        let need = bytes + held.manifest.bytes() + 8192 * held.manifest.len() as u64;
        let free_kib = (need + self.0.deliveries.runner_min_free_bytes).div_ceil(1024);
        let remove = delta.as_ref().map_or(&[][..], |delta| &delta.remove);
        let head = Bytes::from(parcel_head(shape, from, remove, &held.manifest, free_kib));
        let only = delta.map(|delta| delta.add.into_iter().collect());
        let parcel = Parcel { held: held.clone(), only, compression: shape.0, sums: shape.1 };
        // Never closed: it lives as long as the engine.
        let _packing = self.0.deliveries.packing.acquire().await;
        let (to, pieces) = mpsc::channel(PIECES);
        let packing =
            self.on_blobs(move |blobs| blobs.send(&parcel, BufWriter::with_capacity(PIECE_BYTES, Outlet(to))));
        tracing::info!(workspace = %held.digest, bytes, delta = from.is_some(), "delivering the workspace");
        let (packed, said) = tokio::join!(packing, delivery.send(head, pieces));
        match packed {
            // Then the host has heard no end of it, and has refused it.
            Err(error) if !matches!(error, DispatchError::Blob(BlobError::ReceiverGone(_))) => Err(error.into()),
            _ => Ok(said?),
        }
    }

    /// The tree of the runner from which the least is to be sent, when that is less than half of the whole.
    async fn shortest(&self, held: &Held, trees: &[Digest]) -> Option<(Digest, Delta)> {
        let mut best: Option<(Digest, Delta)> = None;
        for tree in trees.iter().copied().filter(|tree| *tree != held.digest) {
            // One that the server has forgotten cannot be compared.
            let Ok(old) = self.on_blobs(move |blobs| blobs.peek(tree)).await else { continue };
            let delta = Delta::between(&old, &held.manifest);
            let cost = |delta: &Delta| delta.add_bytes + 512 * delta.add.len() as u64;
            let worth = cost(&delta) * 2 < held.manifest.bytes() + 512 * held.manifest.len() as u64;
            if worth && delta.remove.len() <= MAX_REMOVED && best.as_ref().is_none_or(|(_, b)| cost(&delta) < cost(b)) {
                best = Some((tree, delta));
            }
        }
        best
    }
}

/// Hands what is packed on a blocking thread to the link, which may be slower.
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
