//! Masking on a log's way to the disk: where the stream stands, and what its host has sent.

use std::sync::Arc;

use shuntyard_domain::mask::{Masker, Patterns};
use shuntyard_domain::outcome::Came;
use shuntyard_domain::output::{Cksum, new_part};

/// The state of one attempt's output. Its offsets are the host's: a masked log has as many bytes.
///
/// What is stored tells neither where the masker stood nor the sum of what came. A new channel begins so far before the
/// end of the log that whatever covers a further byte begins behind that; after a restart of the daemon at the first byte,
/// as the sum has to.
pub(super) struct Masking {
    patterns: Arc<Patterns>,
    masker: Masker,
    /// Of all bytes that came, each once.
    came: Cksum,
    /// Where the next byte that the masker gives out belongs.
    at: u64,
    /// Where the attempt's output ends, once its host has said so: what comes behind it is somebody else's.
    end: Option<u64>,
}

impl Masking {
    pub(super) fn new(patterns: Arc<Patterns>) -> Self {
        let masker = Masker::new(Arc::clone(&patterns));
        Self { patterns, masker, came: Cksum::default(), at: 0, end: None }
    }

    /// Begins anew for a channel; answers the offset from which it is to send.
    pub(super) fn begin(&mut self, stored_bytes: u64) -> u64 {
        self.masker = Masker::new(Arc::clone(&self.patterns));
        self.at = stored_bytes.saturating_sub(self.patterns.lookback_bytes()).min(self.came.bytes());
        self.at
    }

    /// Takes bytes that belong at `offset`; answers where masked bytes belong, and those.
    pub(super) fn feed(&mut self, offset: u64, bytes: &[u8]) -> (u64, Vec<u8>) {
        let left = self.end.map_or(u64::MAX, |end| end.saturating_sub(offset));
        let bytes = &bytes[..bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX))];
        // A channel begins at or before what came.
        self.came.update(new_part(self.came.bytes(), offset, bytes).unwrap_or_default());
        let at = self.at;
        let masked = self.masker.feed(bytes);
        self.at += masked.len() as u64;
        (at, masked)
    }

    /// Gives out what was held back: no more comes.
    pub(super) fn finish(&mut self) -> (u64, Vec<u8>) {
        let at = self.at;
        let masked = self.masker.finish();
        self.at += masked.len() as u64;
        (at, masked)
    }

    /// Tells whether what came is the output and no more. A sum does not forget bytes: after more, all has to come again,
    /// without them.
    pub(super) fn ends_at(&mut self, end: u64) -> bool {
        self.end = Some(end);
        let more = self.came.bytes() > end;
        if more {
            self.came = Cksum::default();
        }
        !more
    }

    pub(super) fn came(&self) -> Came {
        Came { bytes: self.came.bytes(), cksum: self.came.value() }
    }
}
