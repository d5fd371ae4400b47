//! Fetching what an ended attempt has left: its outputs, and the files that its job's patterns name.
//!
//! The host is asked for a bounded number of blocks at a time, and never trusted: names, sizes and the number of files are
//! checked here. What was fetched before a link was lost is not fetched again.

mod receiving;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use shuntyard_domain::artifacts::{Artifact, Collected, MAX_NAMES_BYTES, Pattern, roots, select};
use shuntyard_domain::ids::{AttemptId, RunnerId};
use shuntyard_domain::mask::Patterns;
use shuntyard_domain::outputs::{self, MAX_OUTPUTS_BYTES};
use shuntyard_domain::wire::collect::AnswerEnd;
use shuntyard_domain::wire::control::ErrCode;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::engine_error::told;
use super::inventory::Known;
use super::{DispatchError, Dispatcher};
use crate::blobs::{BlobError, Kept, Pin};
use crate::ssh::Lease;
use crate::ssh::attempt::{Answer, Collection, VerbError, collect};
use receiving::{Receiving, Request};

/// No more is asked for while so many blocks are on their way: up to 8 MiB wait, half of what a channel holds.
const BLOCKS_AHEAD: u64 = 64;
/// Collections on one runner at a time: it has other calls to answer.
const AT_A_TIME: usize = 4;
/// Collections of files at a time on all runners: each holds up to 8 MiB that wait for the disk.
const AT_A_TIME_IN_ALL: usize = 32;
const MAX_FAULT_CHARS: usize = 1000;

/// Who collects from which runner.
pub(super) struct Collections {
    turns: Mutex<HashMap<RunnerId, Arc<Semaphore>>>,
    /// Asked for behind the runner's turn.
    all: Semaphore,
    /// Of one job's files.
    max_bytes: u64,
}

impl Collections {
    pub(super) fn new(max_bytes: u64) -> Self {
        Self { turns: Mutex::default(), all: Semaphore::new(AT_A_TIME_IN_ALL), max_bytes }
    }

    fn turns(&self, runner: RunnerId) -> Arc<Semaphore> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody waits at one that only this map knows.
        turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        Arc::clone(turns.entry(runner).or_insert_with(|| Arc::new(Semaphore::new(AT_A_TIME))))
    }
}

/// Why a try came to nothing, or to a part.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotCollected {
    /// Another try may do.
    #[error("{0}")]
    Link(String),
    /// The host said something that makes no sense; another try may do.
    #[error("{0}")]
    Garbled(String),
    /// No try will do.
    #[error("{0}")]
    Final(String),
}

impl From<VerbError> for NotCollected {
    fn from(error: VerbError) -> Self {
        match error {
            // A file system of the host may be away for a while.
            VerbError::Exec(_) | VerbError::Random | VerbError::NothingThere { .. } => Self::Link(told(&error)),
            VerbError::Refused { code: ErrCode::Usage, .. } => Self::Final(
                "the runner's wrapper is older than artifacts; run `shunt ctl install-runner` for it again".into(),
            ),
            VerbError::Refused { .. } | VerbError::Path { .. } => Self::Final(told(&error)),
            VerbError::NoAnswer { .. } => Self::Garbled(told(&error)),
        }
    }
}

/// Why the store of this server does not keep something. What is told to users names no path here.
fn not_kept(error: DispatchError) -> NotCollected {
    tracing::error!(error = told(&error), "a file that a job has left could not be kept");
    NotCollected::Final(match error {
        DispatchError::Blob(full @ BlobError::StoreFull { .. }) => format!("the server could not keep it: {full}"),
        DispatchError::Blob(BlobError::DiskFull { .. }) => "the server could not keep it: its disk is full".into(),
        _ => "the server could not keep it".into(),
    })
}

/// What was fetched so far, over as many tries as it takes.
pub(super) struct Gathering {
    patterns: Vec<Pattern>,
    wants_outputs: bool,
    masks: Option<Arc<Patterns>>,
    outputs: Option<Result<BTreeMap<String, String>, String>>,
    kept: BTreeMap<String, Artifact>,
    pins: Vec<Pin>,
    /// What is not kept, as the last try saw it.
    faults: Vec<String>,
    /// Bytes of files that came, in all tries: what a slow host has done.
    received: u64,
    /// How long was waited for a turn.
    waited: Duration,
}

impl Gathering {
    /// `texts` were checked when the job was submitted.
    pub(super) fn new(texts: &[String], wants_outputs: bool, masks: Option<Arc<Patterns>>) -> Self {
        let patterns = texts.iter().filter_map(|text| Pattern::parse(text).ok()).collect();
        let (kept, pins, faults) = (BTreeMap::new(), Vec::new(), Vec::new());
        Self { patterns, wants_outputs, masks, outputs: None, kept, pins, faults, received: 0, waited: Duration::ZERO }
    }

    fn lacks_outputs(&self) -> bool {
        self.wants_outputs && self.outputs.is_none()
    }

    /// Grows with whatever comes.
    pub(super) fn progress(&self) -> u64 {
        self.received + self.kept.len() as u64 + u64::from(self.outputs.is_some())
    }

    /// How long was waited for a turn since this was asked last.
    pub(super) fn take_waited(&mut self) -> Duration {
        std::mem::take(&mut self.waited)
    }

    /// How many files are kept.
    fn files(&self) -> usize {
        self.kept.len()
    }

    /// What is to be stored, and what keeps its contents from being swept until it is. `fault`: why it is not all.
    pub(super) fn into_collected(mut self, fault: Option<String>) -> (Collected, Vec<Pin>) {
        let (mut outputs, mut outputs_fault) = (BTreeMap::new(), None);
        match self.outputs {
            Some(Ok(found)) => outputs = found,
            Some(Err(fault)) => outputs_fault = Some(fault),
            None if self.wants_outputs => outputs_fault.clone_from(&fault),
            None => {}
        }
        if !self.patterns.is_empty() {
            self.faults.extend(fault);
        }
        let masked = |text: String| self.masks.as_ref().map_or_else(|| text.clone(), |masks| masks.mask_text(&text));
        let artifacts_fault = Some(self.faults.join("; ")).filter(|text| !text.is_empty()).map(masked);
        // Names that are the same without their secrets are one: the last stays.
        let named = |artifact: Artifact| (masked(artifact.path.clone()), artifact);
        let kept: BTreeMap<String, Artifact> = self.kept.into_values().map(named).collect();
        let artifacts = kept.into_iter().map(|(path, artifact)| Artifact { path, ..artifact }).collect();
        let collected = Collected {
            outputs,
            outputs_fault: outputs_fault.map(sentence),
            artifacts,
            artifacts_fault: artifacts_fault.map(sentence),
        };
        (collected, self.pins)
    }

    fn take_outputs(&mut self, answer: &Answer) {
        if self.wants_outputs {
            self.outputs = Some(match answer.end {
                AnswerEnd::File { .. } => {
                    let masked = self.masks.as_ref().map(|masks| masks.mask(&answer.bytes));
                    outputs::parse(masked.as_deref().unwrap_or(&answer.bytes)).map_err(|bad| bad.to_string())
                }
                AnswerEnd::NoFile => Err("the job has put something else in the place of the file".into()),
                AnswerEnd::Unreadable => Err("the file cannot be read".into()),
            });
        }
    }

    fn keep(&mut self, path: String, executable: bool, kept: Kept) {
        let Kept { digest, size, pin } = kept;
        self.pins.push(pin);
        self.kept.insert(path.clone(), Artifact { path, size, digest, executable });
    }
}

/// One line without what a terminal would obey.
fn sentence(text: String) -> String {
    text.chars().take(MAX_FAULT_CHARS).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

impl Dispatcher {
    /// Fetches what `gathering` lacks.
    pub(super) async fn gather(
        &self,
        known: &Known,
        id: AttemptId,
        gathering: &mut Gathering,
    ) -> Result<(), NotCollected> {
        if gathering.patterns.is_empty() {
            return self.begin(known, id, gathering, &[]).await.map(drop);
        }
        let turns = self.0.collections.turns(known.runner.id);
        let turn = Arc::clone(&turns).try_acquire_owned();
        if turn.is_err() && gathering.lacks_outputs() {
            // A few lines do not wait behind the files of others.
            self.begin(known, id, gathering, &[]).await?;
        }
        let waiting = Instant::now();
        // Never closed.
        let _turn = match turn {
            Ok(turn) => Some(turn),
            Err(_) => turns.acquire_owned().await.ok(),
        };
        let _place = self.0.collections.all.acquire().await;
        gathering.waited += waiting.elapsed();
        let below = roots(&gathering.patterns);
        let (mut collection, _lease, listed) = self.begin(known, id, gathering, &below).await?;
        gathering.faults.clear();
        if listed.end == AnswerEnd::NoFile {
            return Err(NotCollected::Final("the job's work directory is gone, or cannot be read".into()));
        }
        let patterns = gathering.patterns.clone();
        let selected = tokio::task::spawn_blocking(move || select(&patterns, &listed.bytes)).await;
        let selection = selected.map_err(|error| NotCollected::Link(told(&error)))?;
        gathering.faults = selection.faults;
        let wanted = selection.paths.into_iter().filter(|path| !gathering.kept.contains_key(path));
        let first = |path| Request { path, skip: 0, count: 1 };
        let mut receiving = Receiving {
            engine: self,
            max_bytes: self.0.collections.max_bytes,
            bytes: gathering.kept.values().map(|artifact| artifact.size).sum(),
            queue: wanted.map(first).collect(),
            open: HashMap::new(),
            unreadable: Vec::new(),
        };
        let mut under_way: VecDeque<Request> = VecDeque::new();
        loop {
            while under_way.iter().map(|request| request.count).sum::<u64>() < BLOCKS_AHEAD
                && let Some(next) = receiving.queue.pop_front()
            {
                collection.ask(&next.path, next.skip, next.count).await;
                under_way.push_back(next);
            }
            let Some(request) = under_way.pop_front() else { break };
            let answer = collection.answer(request.bytes()).await?;
            receiving.take(request, answer, gathering).await?;
        }
        gathering.faults.extend(receiving.told_unreadable());
        Ok(())
    }

    /// Asks for what an attempt has left: its outputs, which are taken, and the names of files below `roots`.
    async fn begin(
        &self,
        known: &Known,
        id: AttemptId,
        gathering: &mut Gathering,
        roots: &[String],
    ) -> Result<(Collection, Lease, Answer), NotCollected> {
        let leased = self.lease_service(known).await;
        let mut lease = leased.map_err(|error| NotCollected::Link(told(&error)))?;
        let mut collection = collect(&mut lease, &known.runner.installation.wrapper_path, id, roots).await?;
        let answer = collection.answer(MAX_OUTPUTS_BYTES + 1).await?;
        gathering.take_outputs(&answer);
        let listed = collection.answer(MAX_NAMES_BYTES).await?;
        Ok((collection, lease, listed))
    }

    /// Makes what was fetched survive a power cut. Before its names are committed, also when it is not all.
    pub(super) async fn sync_collected(&self, gathering: &Gathering) -> Result<(), NotCollected> {
        if gathering.kept.is_empty() {
            return Ok(());
        }
        self.on_blobs(|blobs| blobs.sync_contents()).await.map_err(not_kept)
    }
}
