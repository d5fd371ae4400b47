//! How workspaces travel: what the server answers, how files are bundled, how a runner is told what comes.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::workspace::Manifest;

/// `PUT` and `GET /workspaces/:digest`, `PUT /workspaces/:digest/files`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct WorkspaceBody {
    /// The SHA-256 of the manifest.
    pub digest: Digest,
    pub entries: u64,
    pub bytes: u64,
    /// Contents that the server lacks, each once; a job may name the workspace when there are none.
    pub missing: Vec<Digest>,
    pub missing_bytes: u64,
}

/// The line in front of each file of a bundle: `SHA256 SIZE\n`, then SIZE bytes. The whole bundle is a zstd stream.
#[must_use]
pub fn bundle_line(digest: Digest, size: u64) -> String {
    format!("{digest} {size}\n")
}

/// The longest `bundle_line`.
pub const MAX_BUNDLE_LINE: usize = 64 + 1 + 20 + 1;

/// Reads a `bundle_line` without its newline.
#[must_use]
pub fn parse_bundle_line(line: &str) -> Option<(Digest, u64)> {
    let (digest, size) = line.split_once(' ')?;
    let plain = !size.is_empty() && size.bytes().all(|b| b.is_ascii_digit());
    Some((digest.parse().ok()?, size.parse().ok().filter(|_| plain)?))
}

/// How a delivered tree is compressed, the first that the runner's host can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    Zstd,
    Gzip,
    None,
}

/// How the host checks what it has unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sums {
    /// By `sha256sum` or `shasum`.
    Sha256,
    /// By POSIX `cksum`.
    Cksum,
}

/// What a host can do, from the first argument of `want`: names of programs, separated by commas.
#[must_use]
pub fn parcel_shape(tools: &[String]) -> (Compression, Sums) {
    let has = |name: &str| tools.iter().any(|tool| tool == name);
    let compression = match (has("zstd"), has("gzip")) {
        (true, _) => Compression::Zstd,
        (false, true) => Compression::Gzip,
        (false, false) => Compression::None,
    };
    (compression, if has("sha256sum") || has("shasum") { Sums::Sha256 } else { Sums::Cksum })
}

/// What the host is told before the parcel: `1 HOW SUMS FROM REMOVED ENTRIES KIB\n`, then the paths to remove, one a line.
///
/// `from` is a tree of the host's cache to begin with; `free_kib` is what must be free on its disk.
#[must_use]
pub fn parcel_head(
    shape: (Compression, Sums),
    from: Option<Digest>,
    remove: &[String],
    tree: &Manifest,
    free_kib: u64,
) -> String {
    let how = match shape.0 {
        Compression::Zstd => "zstd",
        Compression::Gzip => "gzip",
        Compression::None => "none",
    };
    let sums = match shape.1 {
        Sums::Sha256 => "sha256",
        Sums::Cksum => "cksum",
    };
    let from = from.map_or_else(|| "-".to_owned(), |digest| digest.to_string());
    let mut head = format!("1 {how} {sums} {from} {} {} {free_kib}\n", remove.len(), tree.len());
    for path in remove {
        head.push_str(path);
        head.push('\n');
    }
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundles_line_reads_back_and_nothing_else_is_one() {
        let digest = Digest::of_sha256([7; 32]);
        let line = bundle_line(digest, u64::MAX);
        assert_eq!(line.len(), MAX_BUNDLE_LINE);
        assert_eq!(parse_bundle_line(line.trim_end()), Some((digest, u64::MAX)));
        for bad in
            ["", "x 1", &format!("{digest}"), &format!("{digest} +1"), &format!("{digest} "), &format!("{digest} -1")]
        {
            assert_eq!(parse_bundle_line(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_host_gets_what_it_can_read() {
        let tools = |names: &str| parcel_shape(&names.split(',').map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(tools("zstd,gzip,sha256sum"), (Compression::Zstd, Sums::Sha256));
        assert_eq!(tools("gzip,shasum"), (Compression::Gzip, Sums::Sha256));
        assert_eq!(tools("none"), (Compression::None, Sums::Cksum));
    }
}
