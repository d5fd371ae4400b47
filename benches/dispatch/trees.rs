//! Trees of files on their way to a runner: the whole of one, one that differs in a file, one that is there already.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::process::Command;
use std::time::{Duration, Instant};

use bytes::Bytes;
use shuntyard::dispatch::Upload;
use shuntyard_domain::digest::Digest;
use tokio::sync::mpsc;
use tokio::task::block_in_place;

use crate::Scale;
use crate::ground::Ground;
use crate::support::trees::{Tree, bundle, sha256, zstd};
use crate::table::{Goal, Samples, Table};

/// Bytes of one file.
const FILE_BYTES: usize = 16 << 10;
/// Files in one directory.
const FILES_IN_A_DIRECTORY: usize = 50;

/// One way of getting a tree to the runner: how long a job took that began in it, and what went over the wire.
#[derive(Default)]
struct Way {
    took: Samples,
    sent: Vec<u64>,
}

/// A job in a tree that the runner has nothing of, then one that changed in a file, then the same once more. The other
/// side has no cache: it sends the whole tree with tar each time, and removes it.
pub async fn to_the_runner(ground: &Ground, scale: Scale, table: &mut Table) {
    let [mut whole, mut delta, mut nothing] = [(); 3].map(|()| Way::default());
    let mut theirs = Samples::default();
    for round in 0..scale.tree_rounds {
        let tree = Source::new(scale.tree_files, round);
        theirs.push(tar(ground, &tree));
        let first = put(ground, &tree.tree()).await;
        job(ground, first, &mut whole).await;
        let second = put(ground, &tree.with_one_change().tree()).await;
        job(ground, second, &mut delta).await;
        job(ground, second, &mut nothing).await;
    }
    let mib = scale.tree_files * FILE_BYTES / (1 << 20);
    let case = format!("{} files, {mib} MiB", scale.tree_files);
    for (way, name) in [(whole, "the whole tree"), (delta, "one file changed"), (nothing, "nothing to send")] {
        table.latency(&format!("{case}: {name}"), &way.took, &theirs, Goal::None);
        let kib = way.sent.iter().sum::<u64>() as f64 / 1024.0 / way.sent.len().max(1) as f64;
        table.note(format!("{case}: {name}: {kib:.1} KiB sent"));
    }
}

/// The texts of a tree, by path.
struct Source(Vec<(String, String)>);

impl Source {
    /// Words of few letters, as sources have: they pack to about a third.
    fn new(files: usize, round: usize) -> Self {
        let mut state = 0x9e37_79b9_7f4a_7c15 ^ round as u64;
        let mut next = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        let mut text = || {
            let mut text = String::with_capacity(FILE_BYTES + 16);
            while text.len() < FILE_BYTES {
                let _ = write!(text, "{:x} ", next() & 0xffff_ffff);
            }
            text.truncate(FILE_BYTES);
            text
        };
        let path = |file: usize| format!("d{}/f{file}", file / FILES_IN_A_DIRECTORY);
        Self((0..files).map(|file| (path(file), text())).collect())
    }

    fn with_one_change(&self) -> Self {
        let mut files = self.0.clone();
        if let Some((_, text)) = files.first_mut() {
            text.push_str("changed\n");
        }
        Self(files)
    }

    fn tree(&self) -> Tree {
        let listed: Vec<(&str, &str)> = self.0.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        Tree::new(&listed)
    }
}

/// Gives a tree to the server.
async fn put(ground: &Ground, tree: &Tree) -> Digest {
    let digest = tree.digest();
    let held = ground.dispatcher.put_workspace(digest, tree.text().into()).await.expect("the manifest is taken");
    let missing: HashSet<Digest> = held.missing.iter().map(|(file, _)| *file).collect();
    let files: Vec<&[u8]> = tree.files.iter().map(Vec::as_slice).filter(|f| missing.contains(&sha256(f))).collect();
    let (sender, pieces) = mpsc::channel(1);
    sender.send(Ok(Bytes::from(zstd(&bundle(&files))))).await.expect("room for it");
    drop(sender);
    let held = ground.dispatcher.receive_files(digest, Upload::new(pieces)).await.expect("the files are taken");
    assert!(held.missing.is_empty());
    digest
}

async fn job(ground: &Ground, tree: Digest, way: &mut Way) {
    let (before, began) = (bytes_sent(ground), Instant::now());
    let job = ground.submit_in("test -e d0/f0", Some(tree)).await;
    ground.finished(&job, 0).await;
    way.took.push(began.elapsed());
    way.sent.push(bytes_sent(ground).saturating_sub(before));
}

/// What this process has sent to the host's sshd, over all its connections.
fn bytes_sent(ground: &Ground) -> u64 {
    let filter = format!("dport = :{}", ground.host.port);
    let output = Command::new("ss").args(["-tinHO", "state", "established", &filter]).output().expect("ss");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.split_whitespace().filter_map(|word| word.strip_prefix("bytes_sent:")?.parse::<u64>().ok()).sum()
}

fn tar(ground: &Ground, tree: &Source) -> Duration {
    let dir = ground.file("tree");
    for (path, text) in &tree.0 {
        let path = dir.join(path);
        std::fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        std::fs::write(path, text).expect("a file");
    }
    let began = Instant::now();
    let command = "rm -rf tree && mkdir tree && tar -xf - -C tree && cd tree && test -e d0/f0";
    block_in_place(|| ground.master.feed(&dir, command));
    let took = began.elapsed();
    std::fs::remove_dir_all(dir).expect("the tree is removed");
    took
}
