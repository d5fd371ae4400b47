//! The files of one collection, as their pieces come.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use shuntyard_domain::wire::collect::{AnswerEnd, BLOCK_BYTES};

use super::{Gathering, NotCollected, not_kept};
use crate::blobs::Intake;
use crate::dispatch::Dispatcher;
use crate::ssh::attempt::Answer;

/// A file is asked for by its first block; what is larger, by a MiB at first and up to 4 MiB at a time: a piece takes a
/// round trip.
const PIECE_BLOCKS: u64 = 16;
const MAX_PIECE_BLOCKS: u64 = 64;

/// A part of a file that is asked for.
pub(super) struct Request {
    pub(super) path: String,
    pub(super) skip: u64,
    pub(super) count: u64,
}

impl Request {
    pub(super) const fn bytes(&self) -> usize {
        (self.count * BLOCK_BYTES) as usize
    }
}

/// The files of one try.
pub(super) struct Receiving<'e> {
    pub(super) engine: &'e Dispatcher,
    pub(super) max_bytes: u64,
    /// Of all files, also of those that are not complete.
    pub(super) bytes: u64,
    pub(super) queue: VecDeque<Request>,
    /// Files of which more is to come.
    pub(super) open: HashMap<String, Intake>,
    pub(super) unreadable: Vec<String>,
}

impl Receiving<'_> {
    pub(super) async fn take(
        &mut self,
        request: Request,
        answer: Answer,
        gathering: &mut Gathering,
    ) -> Result<(), NotCollected> {
        let AnswerEnd::File { executable } = answer.end else {
            self.open.remove(&request.path);
            self.unreadable.push(request.path);
            return Ok(());
        };
        self.bytes += answer.bytes.len() as u64;
        gathering.received += answer.bytes.len() as u64;
        if self.bytes > self.max_bytes {
            let (allowed, kept) = (self.max_bytes >> 20, gathering.files());
            let why = format!("the files have more than {allowed} MiB ([artifacts] max_mib); {kept} are kept");
            return Err(NotCollected::Final(why));
        }
        let whole = answer.bytes.len() < request.bytes();
        let intake = self.write(&request.path, answer.bytes).await?;
        if whole {
            let kept = self.engine.on_blobs(move |_| intake.keep()).await;
            gathering.keep(request.path, executable, kept.map_err(not_kept)?);
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
        let mut intake = match self.open.remove(path) {
            Some(intake) => intake,
            None => self.engine.on_blobs(|blobs| blobs.take_in()).await.map_err(not_kept)?,
        };
        let mut swept = false;
        loop {
            let piece = bytes.clone();
            let write = move |_: &_| {
                let written = intake.write(&piece);
                Ok((intake, written))
            };
            let (back, written) = self.engine.on_blobs(write).await.map_err(not_kept)?;
            match written {
                Ok(()) => return Ok(back),
                Err(error) if error.is_full() && !swept => {
                    swept = true;
                    intake = back;
                    // As much again as has come: how much is to come is not known, and a sweep for each piece would be slow.
                    self.engine.sweep_workspaces(self.bytes).await.map_err(not_kept)?;
                }
                Err(error) => return Err(not_kept(error.into())),
            }
        }
    }

    pub(super) fn told_unreadable(&self) -> Option<String> {
        let (first, count) = (self.unreadable.first()?, self.unreadable.len());
        Some(match count {
            1 => format!("`{first}` could not be read"),
            _ => format!("{count} files could not be read, the first `{first}`"),
        })
    }
}
