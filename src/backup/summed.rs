//! Reading exactly so many bytes, and their sum.

use std::io::{self, Read};

use sha2::{Digest as _, Sha256};

/// Gives `length` bytes of `from`, and zeros when it has fewer by now: an entry's length stands before its bytes.
pub(super) struct Summed<R> {
    from: R,
    left: u64,
    sum: Sha256,
}

impl<R: Read> Summed<R> {
    pub(super) fn new(from: R, length: u64) -> Self {
        Self { from, left: length, sum: Sha256::new() }
    }

    /// The SHA-256 of what was given, in hexadecimal.
    pub(super) fn sum(self) -> String {
        hex(&self.sum.finalize())
    }
}

impl<R: Read> Read for Summed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        if most == 0 {
            return Ok(0);
        }
        let mut read = self.from.read(&mut buffer[..most])?;
        if read == 0 {
            buffer[..most].fill(0);
            read = most;
        }
        self.sum.update(&buffer[..read]);
        self.left -= read as u64;
        Ok(read)
    }
}

/// The SHA-256 of all bytes, and how many they are; `keep` is given each piece.
pub(super) fn sum_all(
    from: &mut impl Read,
    mut keep: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<(String, u64)> {
    let (mut sum, mut bytes, mut buffer) = (Sha256::new(), 0, vec![0; 64 * 1024]);
    loop {
        let read = from.read(&mut buffer)?;
        if read == 0 {
            return Ok((hex(&sum.finalize()), bytes));
        }
        sum.update(&buffer[..read]);
        keep(&buffer[..read])?;
        bytes += read as u64;
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
