//! Output bytes by offset: duplicates are dropped, gaps are refused, and the sum matches `cksum`.

use std::ops::RangeInclusive;

use crc::{CRC_32_CKSUM, Crc, Digest, Table};

static CKSUM: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_CKSUM);

/// A running POSIX `cksum`.
pub struct Cksum {
    digest: Digest<'static, u32, Table<16>>,
    bytes: u64,
}

impl Default for Cksum {
    fn default() -> Self {
        Self { digest: CKSUM.digest(), bytes: 0 }
    }
}

impl Cksum {
    pub fn update(&mut self, bytes: &[u8]) {
        self.digest.update(bytes);
        self.bytes += bytes.len() as u64;
    }

    /// Bytes taken so far.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What `resume` needs beside the number of bytes.
    #[must_use]
    pub fn state(&self) -> u32 {
        self.digest.clone().finalize() ^ CRC_32_CKSUM.xorout
    }

    /// Goes on after `bytes` bytes that had led to `state`.
    #[must_use]
    pub fn resume(bytes: u64, state: u32) -> Self {
        Self { digest: CKSUM.digest_with_initial(state), bytes }
    }

    /// The sum that `cksum` prints for these bytes: CRC-32/CKSUM over the bytes and their count
    /// (POSIX.1-2017, `cksum`).
    #[must_use]
    pub fn value(&self) -> u32 {
        let mut digest = self.digest.clone();
        let mut length = self.bytes;
        while length != 0 {
            digest.update(&[(length & 0xff) as u8]);
            length >>= 8;
        }
        digest.finalize()
    }
}

/// File systems free whole blocks only.
pub const BLOCK_BYTES: u64 = 4096;

/// What a job may be given as its output cap: 64 KiB to 1 TiB.
pub const OUTPUT_CAP_BYTES: RangeInclusive<u64> = 1 << 16..=1 << 40;

/// How much of a cap is for the beginning of the output; the tail has as much. Where more comes, the first byte that is
/// not kept has this offset.
#[must_use]
pub const fn head_bytes(cap_bytes: u64) -> u64 {
    let blocks = cap_bytes / 2 / BLOCK_BYTES;
    if blocks == 0 { BLOCK_BYTES } else { blocks * BLOCK_BYTES }
}

/// The line that stands for output that is not kept, where a log is shown as one text.
#[must_use]
pub fn elision_line(elided_bytes: u64) -> String {
    format!("\n[shuntyard: {elided_bytes} bytes of output are not kept]\n")
}

/// Bytes beyond the stored end: something between was not received.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("output at offset {offset} leaves a gap: only {stored} bytes are stored")]
pub struct Gap {
    pub offset: u64,
    pub stored: u64,
}

/// Returns the part of `bytes`, which begin at `offset`, that is not stored yet.
///
/// # Errors
/// `Gap` when `offset` is past `stored`.
pub fn new_part(stored: u64, offset: u64, bytes: &[u8]) -> Result<&[u8], Gap> {
    let known = stored.checked_sub(offset).ok_or(Gap { offset, stored })?;
    Ok(bytes.get(usize::try_from(known).unwrap_or(usize::MAX)..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_the_cksum_program() {
        let sum = |bytes: &[u8]| {
            let mut sum = Cksum::default();
            sum.update(bytes);
            sum.value()
        };
        assert_eq!(sum(b""), 4_294_967_295);
        assert_eq!(sum(b"hello\n"), 3_015_617_425);
        assert_eq!(sum(&vec![b'x'; 1000]), {
            let mut s = Cksum::default();
            for _ in 0..1000 {
                s.update(b"x");
            }
            s.value()
        });
    }

    #[test]
    fn a_sum_goes_on_from_its_state() {
        let mut whole = Cksum::default();
        whole.update(b"hello ");
        let mut resumed = Cksum::resume(whole.bytes(), whole.state());
        whole.update(b"world\n");
        resumed.update(b"world\n");
        assert_eq!((resumed.value(), resumed.bytes()), (whole.value(), whole.bytes()));
    }

    #[test]
    fn repeated_bytes_are_dropped_and_gaps_refused() {
        assert_eq!(new_part(3, 0, b"abcdef"), Ok(&b"def"[..]));
        assert_eq!(new_part(6, 0, b"abc"), Ok(&b""[..]));
        assert_eq!(new_part(3, 3, b"def"), Ok(&b"def"[..]));
        assert_eq!(new_part(3, 4, b"ef"), Err(Gap { offset: 4, stored: 3 }));
    }
}
