//! Reading pieces of a file that lie close together.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

const WINDOW_BYTES: usize = 256 * 1024;

/// A stretch of a file in memory.
pub(in crate::logs) struct Window<'f> {
    file: &'f File,
    start: u64,
    bytes: Vec<u8>,
}

impl<'f> Window<'f> {
    pub const fn new(file: &'f File) -> Self {
        Self { file, start: 0, bytes: Vec::new() }
    }

    /// The bytes from `start` to `end`; fewer where the file has fewer.
    pub fn read(&mut self, start: u64, end: u64) -> std::io::Result<&[u8]> {
        let wanted = usize::try_from(end.saturating_sub(start)).unwrap_or(usize::MAX);
        let held = start.checked_sub(self.start).and_then(|n| usize::try_from(n).ok());
        let held = held.filter(|at| at.saturating_add(wanted) <= self.bytes.len());
        let at = match held {
            Some(at) => at,
            None => {
                self.fill(start, wanted.max(WINDOW_BYTES))?;
                0
            }
        };
        let rest = self.bytes.get(at..).unwrap_or_default();
        Ok(&rest[..wanted.min(rest.len())])
    }

    fn fill(&mut self, start: u64, length: usize) -> std::io::Result<()> {
        (self.start, self.bytes) = (start, vec![0; length]);
        let mut filled = 0;
        while filled < length {
            match self.file.read_at(&mut self.bytes[filled..], start + filled as u64) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.bytes.clear();
                    return Err(error);
                }
            }
        }
        self.bytes.truncate(filled);
        Ok(())
    }
}
