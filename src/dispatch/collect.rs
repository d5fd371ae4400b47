//! Fetching what an ended attempt has left: its outputs, and the files that its job's patterns name.
//!
//! The host is asked for a bounded number of blocks at a time, and never trusted: names, sizes and the number of files are
//! checked here. What was fetched before a link was lost is not fetched again.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use shuntyard_domain::artifacts::{Artifact, Collected, MAX_NAMES_BYTES, Pattern, roots, select};
use shuntyard_domain::ids::{AttemptId, RunnerId};
use shuntyard_domain::outputs::{self, MAX_OUTPUTS_BYTES};
use shuntyard_domain::wire::collect::{AnswerEnd, BLOCK_BYTES};
use shuntyard_domain::wire::control::ErrCode;
use tokio::sync::Semaphore;

use super::engine_error::told;
use super::inventory::Known;
use super::{DispatchError, Dispatcher};
use crate::blobs::{Intake, Kept, Pin};
use crate::ssh::attempt::{Answer, VerbError, collect};

/// A file is asked for by its first block; what is larger, by a MiB at first and up to 4 MiB at a time: a piece takes a
/// round trip.
const PIECE_BLOCKS: u64 = 16;
const MAX_PIECE_BLOCKS: u64 = 64;
/// No more is asked for while so many blocks are on their way: up to 8 MiB wait, half of what a channel holds.
const BLOCKS_AHEAD: u64 = 64;
/// Collections on one runner at a time: it has other calls to answer.
const AT_A_TIME: usize = 4;
const MAX_FAULT_CHARS: usize = 1000;

/// Who collects from which runner.
pub(super) struct Collections {
    turns: Mutex<HashMap<RunnerId, Arc<Semaphore>>>,
    /// Of one job's files.
    max_bytes: u64,
}

impl Collections {
    pub(super) fn new(max_bytes: u64) -> Self {
        Self { turns: Mutex::default(), max_bytes }
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
            VerbError::Exec(_) | VerbError::Random => Self::Link(told(&error)),
            VerbError::Refused { code: ErrCode::Usage, .. } => Self::Final(
                "the runner's wrapper is older than artifacts; run `shunt ctl install-runner` for it again".into(),
            ),
            VerbError::Refused { .. } | VerbError::Path { .. } => Self::Final(told(&error)),
            VerbError::NoAnswer { .. } => Self::Garbled(told(&error)),
        }
    }
}

/// What was fetched so far, over as many tries as it takes.
pub(super) struct Gathering {
    patterns: Vec<Pattern>,
    wants_outputs: bool,
    outputs: Option<Result<BTreeMap<String, String>, String>>,
    kept: BTreeMap<String, Artifact>,
    pins: Vec<Pin>,
    /// What is not kept, as the last try saw it.
    faults: Vec<String>,
}

/// A part of a file that is asked for.
struct Request {
    path: String,
    skip: u64,
    count: u64,
}

impl Request {
    const fn bytes(&self) -> usize {
        (self.count * BLOCK_BYTES) as usize
    }
}

impl Gathering {
    /// `texts` were checked when the job was submitted.
    pub(super) fn new(texts: &[String], wants_outputs: bool) -> Self {
        let patterns = texts.iter().filter_map(|text| Pattern::parse(text).ok()).collect();
        let (kept, pins, faults) = (BTreeMap::new(), Vec::new(), Vec::new());
        Self { patterns, wants_outputs, outputs: None, kept, pins, faults }
    }

    /// How many files are kept.
    pub(super) fn files(&self) -> usize {
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
        let artifacts_fault = Some(self.faults.join("; ")).filter(|text| !text.is_empty());
        let artifacts = self.kept.into_values().collect();
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
                AnswerEnd::File { .. } => outputs::parse(&answer.bytes).map_err(|bad| bad.to_string()),
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
        let turns = self.0.collections.turns(known.runner.id);
        // Never closed.
        let _turn = turns.acquire().await;
        let link = |error: &(dyn std::error::Error + 'static)| NotCollected::Link(told(error));
        let mut lease = self.lease_service(known).await.map_err(|error| link(&error))?;
        let path = &known.runner.installation.wrapper_path;
        let mut collection = collect(&mut lease, path, id, &roots(&gathering.patterns)).await?;
        let answer = collection.answer(MAX_OUTPUTS_BYTES + 1).await?;
        gathering.take_outputs(&answer);
        let listed = collection.answer(MAX_NAMES_BYTES).await?;
        gathering.faults.clear();
        if gathering.patterns.is_empty() {
            return Ok(());
        }
        if listed.end == AnswerEnd::NoFile {
            return Err(NotCollected::Final("the job's work directory is gone, or cannot be read".into()));
        }
        let patterns = gathering.patterns.clone();
        let selected = tokio::task::spawn_blocking(move || select(&patterns, &listed.bytes)).await;
        let selection = selected.map_err(|error| link(&error))?;
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
        self.on_blobs(|blobs| blobs.sync_contents()).await.map_err(|error| NotCollected::Final(told(&error)))
    }
}

/// The files of one try.
struct Receiving<'e> {
    engine: &'e Dispatcher,
    max_bytes: u64,
    /// Of all files, also of those that are not complete.
    bytes: u64,
    queue: VecDeque<Request>,
    /// Files of which more is to come.
    open: HashMap<String, Intake>,
    unreadable: Vec<String>,
}

impl Receiving<'_> {
    async fn take(&mut self, request: Request, answer: Answer, gathering: &mut Gathering) -> Result<(), NotCollected> {
        let AnswerEnd::File { executable } = answer.end else {
            self.open.remove(&request.path);
            self.unreadable.push(request.path);
            return Ok(());
        };
        self.bytes += answer.bytes.len() as u64;
        if self.bytes > self.max_bytes {
            let (allowed, kept) = (self.max_bytes >> 20, gathering.files());
            let why = format!("the files have more than {allowed} MiB ([artifacts] max_mib); {kept} are kept");
            return Err(NotCollected::Final(why));
        }
        let whole = answer.bytes.len() < request.bytes();
        let intake = self.write(&request.path, answer.bytes).await?;
        if whole {
            let kept = self.engine.on_blobs(move |_| intake.keep()).await;
            gathering.keep(request.path, executable, kept.map_err(|error| NotCollected::Final(told(&error)))?);
            return Ok(());
        }
        self.open.insert(request.path.clone(), intake);
        // Before other files, so that few are open at a time.
        let skip = request.skip + request.count;
        let count = (request.count * 2).clamp(PIECE_BLOCKS, MAX_PIECE_BLOCKS);
        self.queue.push_front(Request { path: request.path, skip, count });
        Ok(())
    }

    /// Writes the next part of a file; when there is no room, once more behind a sweep.
    async fn write(&mut self, path: &str, bytes: Bytes) -> Result<Intake, NotCollected> {
        let failed = |error: DispatchError| NotCollected::Final(told(&error));
        let mut intake = match self.open.remove(path) {
            Some(intake) => intake,
            None => self.engine.on_blobs(|blobs| blobs.take_in()).await.map_err(failed)?,
        };
        let mut swept = false;
        loop {
            let piece = bytes.clone();
            let write = move |_: &_| {
                let written = intake.write(&piece);
                Ok((intake, written))
            };
            let (back, written) = self.engine.on_blobs(write).await.map_err(failed)?;
            match written {
                Ok(()) => return Ok(back),
                Err(error) if error.is_full() && !swept => {
                    swept = true;
                    intake = back;
                    // As much again as has come: how much is to come is not known, and a sweep for each piece would be slow.
                    self.engine.sweep_workspaces(self.bytes).await.map_err(failed)?;
                }
                Err(error) => return Err(failed(error.into())),
            }
        }
    }

    fn told_unreadable(&self) -> Option<String> {
        let (first, count) = (self.unreadable.first()?, self.unreadable.len());
        Some(match count {
            1 => format!("`{first}` could not be read"),
            _ => format!("{count} files could not be read, the first `{first}`"),
        })
    }
}
